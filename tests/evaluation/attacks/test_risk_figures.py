"""Risks, intervals and suppression: hand-solved cases and closed forms."""

import numpy as np
import pytest

from engine.evaluation.attacks.risk import Tally, clopper_pearson, coarse, risk, risk_entry
from engine.evaluation.estimates import Estimate


def tally(count: int, targets: int) -> Tally:
    return Tally.of(np.arange(targets) < count)


def test_wilson_interval_of_a_textbook_case() -> None:
    # 10 of 100: Wilson's interval is 0.0552 to 0.1744.
    centre, half = tally(10, 100).wilson()
    assert (centre - half, centre + half) == pytest.approx((0.0552, 0.1744), abs=1e-4)


def test_clopper_pearson_interval_of_textbook_cases() -> None:
    # No event in n: the upper bound is 1 - 0.025 ** (1 / n).
    assert clopper_pearson(0, 100) == pytest.approx((0, 1 - 0.025**0.01))
    assert clopper_pearson(100, 100) == pytest.approx((0.025**0.01, 1))
    assert clopper_pearson(10, 100) == pytest.approx((0.0490, 0.1762), abs=1e-4)


def test_risk_is_the_excess_over_what_the_control_leaves() -> None:
    # (0.6 - 0.2) / (1 - 0.2) = 0.5; with this many targets, shrinking changes nothing that counts.
    found = risk(tally(60_000, 100_000), tally(20_000, 100_000))
    assert found.value == pytest.approx(0.5, abs=1e-3)
    # Delta method: sqrt(0.6 * 0.4 / n / 0.8 ** 2 + 0.2 * 0.8 / n * (0.4 / 0.8 ** 2) ** 2).
    error = np.sqrt(0.24 / 1e5 / 0.64 + 0.16 / 1e5 * 0.625**2)
    assert found.high is not None
    assert found.high - 0.5 == pytest.approx(1.96 * error, rel=0.02)


def test_risk_interval_covers_the_truth() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(500):
        found = risk(Tally.of(rng.random(300) < 0.44), Tally.of(rng.random(300) < 0.3))
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.2 <= found.high
    assert 0.92 <= covered / 500 <= 0.98


def test_several_attempts_on_a_patient_are_no_independent_evidence() -> None:
    once = np.random.default_rng(1).random(200) < 0.3
    together = Tally.of(np.repeat(once[:, None], 12, axis=1).mean(axis=1))
    assert (together.share, together.trials) == pytest.approx((once.mean(), 200))
    apart = Tally.of((np.random.default_rng(2).random((200, 12)) < 0.3).mean(axis=1))
    assert apart.trials == pytest.approx(200 * 12, rel=0.35)


def test_a_raised_share_has_the_error_of_what_was_counted() -> None:
    raised = Tally.of(np.arange(1000) < 100, factor=3.0)
    assert raised.share == pytest.approx(0.3)
    # Standard error: 3 * sqrt(0.1 * 0.9 / 1000).
    assert np.sqrt(0.3 * 0.7 / raised.trials) == pytest.approx(3 * np.sqrt(0.09 / 1000))
    assert Tally.of(np.ones(50), factor=3.0).share == 1


def test_a_control_that_is_always_right_leaves_nothing_to_measure() -> None:
    entry = risk_entry(tally(500, 500), tally(495, 500), minimum=11)
    assert entry["risk"]["value"] is None
    assert "nearly everyone" in entry["risk"]["reason"]
    assert entry["verdict"] == "too_weak"


@pytest.mark.parametrize(
    ("attack", "control", "baseline", "verdict"),
    [
        (400, 200, 100, "leak"),
        (200, 200, 100, "none_found"),
        (100, 100, 100, "too_weak"),
        (80, 100, 100, "too_weak"),
    ],
)
def test_verdict(attack: int, control: int, baseline: int, verdict: str) -> None:
    entry = risk_entry(tally(attack, 1000), tally(control, 1000), baseline=tally(baseline, 1000), minimum=11)
    assert entry["verdict"] == verdict


@pytest.mark.parametrize("count", range(1, 11))
def test_small_counts_look_alike(count: int) -> None:
    for shown in (Tally.shown, Tally.exact):
        assert shown(tally(count, 2000), 11) == shown(tally(1, 2000), 11)
        assert shown(tally(2000 - count, 2000), 11) == shown(tally(1999, 2000), 11)
        assert shown(tally(count, 2000), 11)["value"] is None
    assert "fewer than 11" in tally(count, 2000).shown(11)["text"]


def test_none_and_the_smallest_shown_count_are_shown() -> None:
    assert tally(0, 2000).shown(11)["value"] == 0
    assert tally(11, 2000).shown(11)["value"] == pytest.approx(0.0055)
    assert tally(2000, 2000).shown(11)["text"] == "all of 2,000"


@pytest.mark.parametrize("targets", [100, 500, 2000, 100_000])
def test_steps_are_worth_a_small_count_and_bounds_go_outwards(targets: int) -> None:
    found = coarse(Estimate(0.1234, 0.0511, 0.2177), targets, 11)
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low <= 0.0511 and found.high >= 0.2177
    seen = {coarse(Estimate(count / targets, 0.0, 1.0), targets, 11).value for count in range(51)}
    # 51 counts fall into few steps; steps stop at a tenth, where a hundred targets are worth ten.
    assert len(seen) <= 6

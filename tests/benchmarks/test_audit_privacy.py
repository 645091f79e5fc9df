"""The audit's bounds against closed forms and known mechanisms, and a quick run of the whole audit."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.privacy.gaussian import gaussian_epsilon
from tests.benchmarks import audit_privacy
from tests.benchmarks.audit_privacy import QUICK, Finding, findings, main, table
from tests.benchmarks.auditing.bounds import (
    epsilon_of_event,
    epsilon_of_guesses,
    gaussian_trials,
    one_run,
    p_value,
    share_interval,
)


@pytest.mark.parametrize("guesses", [10, 100, 3_000])
def test_guesses_that_are_all_right_prove_what_their_number_allows(guesses: int) -> None:
    # All right with probability (e^ε/(1 + e^ε))^guesses at most.
    accuracy = 0.05 ** (1 / guesses)
    bound = epsilon_of_guesses(canaries=guesses, guesses=guesses, correct=guesses, delta=0.0)
    assert bound == pytest.approx(math.log(accuracy / (1 - accuracy)), abs=1e-6)


def test_coin_flips_prove_nothing() -> None:
    assert epsilon_of_guesses(canaries=1_000, guesses=200, correct=100, delta=0.0) == 0
    assert epsilon_of_guesses(canaries=1_000, guesses=200, correct=0, delta=1e-5) == 0


def test_more_delta_and_more_canaries_prove_less() -> None:
    about = {"guesses": 100, "correct": 95}
    bounds = [
        epsilon_of_guesses(canaries=canaries, delta=delta, **about)
        for canaries, delta in ((1_000, 0.0), (1_000, 1e-5), (10_000, 1e-5), (10_000, 1e-4))
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[-1] > 0


def test_the_p_value_with_delta_by_hand() -> None:
    # One guess, right: P ≤ 1/2 + 2mδ · max P[1 > B ≥ 1 - i]/i = 1/2 + 2mδ · 1/2 at ε = 0.
    assert p_value(canaries=5, guesses=1, correct=1, epsilon=0.0, delta=0.01) == pytest.approx(0.55)
    assert p_value(canaries=5, guesses=3, correct=0, epsilon=0.0, delta=0.01) == 1.0


def test_bounds_hold_for_randomised_response_as_often_as_they_say() -> None:
    epsilon, canaries, runs = 1.0, 300, 120
    random, above, best = np.random.default_rng(0), 0, 0.0
    for _ in range(runs):
        included = random.random(canaries) < 0.5
        honest = random.random(canaries) < 1 / (1 + math.exp(-epsilon))
        scores = np.where(honest, included, ~included) + 1e-3 * random.random(canaries)
        bound = one_run(scores, included, delta=1e-12).bound
        above, best = above + (bound > epsilon), max(best, bound)
    assert above <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)
    # And are of the right size: randomised response is the mechanism for which they are nearly tight.
    assert 0.6 * epsilon < best


def test_the_event_of_randomised_response() -> None:
    random = np.random.default_rng(1)
    tries, truth = 20_000, 1.5
    honest = 1 / (1 + math.exp(-truth))
    one, other = random.random(tries) < honest, random.random(tries) < 1 - honest
    bound = epsilon_of_event(one.tolist(), other.tolist(), delta=0.0)
    assert 0.9 * truth < bound < truth
    assert epsilon_of_event(other.tolist(), one.tolist(), delta=0.0) == pytest.approx(bound)
    assert epsilon_of_event(one.tolist(), other.tolist(), delta=0.1) < bound


@pytest.mark.parametrize("mu", [0.2, 1.0, 2.5])
def test_trials_of_a_gaussian_mechanism_come_close_to_its_epsilon(mu: float) -> None:
    random, delta = np.random.default_rng(2), 1e-6
    truth, bounds = gaussian_epsilon(mu=mu, delta=delta), []
    for _ in range(40):
        included = random.random(20_000) < 0.5
        bounds.append(gaussian_trials(random.normal(mu * included), included, delta=delta))
    assert sum(bound > truth for bound in bounds) <= 4
    assert 0.7 * truth < np.median(bounds) < truth


def test_trials_of_pure_noise_prove_nothing() -> None:
    random = np.random.default_rng(2)
    included = random.random(5_000) < 0.5
    assert gaussian_trials(random.normal(size=5_000), included, delta=1e-6) == 0


def test_an_event_that_delta_explains_proves_nothing() -> None:
    assert epsilon_of_event([True] * 3 + [False] * 997, [False] * 1_000, delta=0.01) < 0.02


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"), [(0, 100, 0.0, 0.0362), (100, 100, 0.9638, 1.0), (5, 100, 0.0164, 0.1128)]
)
def test_intervals_of_probabilities(hits: int, tries: int, low: float, high: float) -> None:
    # Clopper and Pearson 1934; the tabulated values.
    assert share_interval(hits, tries) == pytest.approx((low, high), abs=5e-5)


def test_a_quick_run_refutes_what_is_broken_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.json"
    assert main(["--quick", "--out", str(file)]) == 0
    record = json.loads(file.read_text("utf-8"))
    assert record["passed"]
    printed = capsys.readouterr().out
    assert {one["audit"] for one in record["findings"]} == {
        "gradients, one coordinate each", "gradients, one coordinate each, as trials",
        "gradients, through the network", "histograms", "histograms, as trials", "discovery", "choice of pairs",
    }  # fmt: skip
    for one in record["findings"]:
        assert one["verdict"] in {"holds", "caught", "refuted", "not refuted"}
        assert f"| {one['audit']} | {one['variant']} |" in printed
    assert sum(one["verdict"] == "caught" for one in record["findings"]) == 17
    # A sound mechanism that cannot be told from no mechanism at all was not audited.
    assert {one["audit"] for one in record["findings"] if one["expected"] == "below" and one["bound"] > 0.05} >= {
        "gradients, one coordinate each", "histograms",
    }  # fmt: skip


def test_a_missed_control_and_a_refuted_claim_fail_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = Finding("a", "as built", "epsilon", 1.0, 0.4, "below", "")
    shown = Finding("a", "half the noise", "epsilon", 1.0, 1.4, "shown", "")
    assert sound.as_expected and shown.as_expected and shown.verdict == "refuted"
    for bad, verdict in (
        (replace(sound, bound=1.1), "REFUTED"),
        (replace(sound, variant="no clipping", expected="above"), "MISSED"),
    ):
        monkeypatch.setattr(audit_privacy, "findings", lambda size, seed, bad=bad: iter([sound, bad]))
        assert main(["--quick"]) == 1
        assert verdict in capsys.readouterr().out
        assert verdict in table([bad])


def test_findings_repeat_with_their_seed() -> None:
    size = replace(QUICK, canaries=300, network_canaries=50, side=8, steps=10, categories=100, repetitions=100)
    assert list(findings(size, seed=3)) == list(findings(size, seed=3))

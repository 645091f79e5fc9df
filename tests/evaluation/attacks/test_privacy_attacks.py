"""All attacks together: one JSON value, aggregates only, the same for the same seed, and cancelled when asked."""

import json

import numpy as np
import pytest
from planted_memoriser import COLUMNS, HOLDOUT, SCHEMA, TRAIN, attacked, cohort

from engine.core.errors import Cancelled
from engine.evaluation.attacks.privacy import attacks
from engine.evaluation.cells import Sample
from engine.plots.attacks import attack_rows, attacks_alt_text, attacks_figure


@pytest.fixture(scope="module")
def independent():
    return attacked(cohort(0.0))


@pytest.fixture(scope="module")
def memorised():
    return attacked(cohort(1.0))


def test_the_entry_is_json_and_internal(independent, memorised) -> None:
    for entry in (independent, memorised):
        assert json.loads(json.dumps(entry, allow_nan=False)) == entry
        assert entry["internal"] is True


def test_a_seed_settles_everything(independent) -> None:
    def timeless(entry):
        return {name: part for name, part in entry.items() if name != "seconds"}

    assert timeless(attacked(cohort(0.0))) == timeless(independent)
    assert timeless(attacked(cohort(0.0), seed=1)) != timeless(independent)


def test_no_cell_is_in_the_entry() -> None:
    train = TRAIN.assign(age=TRAIN["age"] + 7321.0)
    holdout = HOLDOUT.assign(age=HOLDOUT["age"] + 7321.0)
    text = json.dumps(attacked(cohort(0.5).assign(age=7321.0), train=train, holdout=holdout))
    assert "732" not in text


def test_no_small_count_is_shown() -> None:
    few = attacked(cohort(9 / 1200))
    several = attacked(cohort(3 / 1200))
    for name in ("attack", "control", "risk"):
        assert few["copies"][name] == several["copies"][name]


def test_distance_says_what_it_does_not_say(independent, memorised) -> None:
    assert "says nothing about membership" in independent["closest"]["sentence"]
    assert memorised["closest"]["training"]["median"] == 0 < memorised["closest"]["holdout"]["median"]
    near = independent["closest"]
    assert near["training"]["median"] == pytest.approx(near["holdout"]["median"], rel=0.1)


def test_tables_without_rows_or_columns_are_not_assessable() -> None:
    assert attacked(cohort(0.0).head(0))["reason"].startswith("Not assessable")
    nothing = attacks(Sample(TRAIN), Sample(HOLDOUT), Sample(TRAIN), [], minimum=11, seed=0)
    assert nothing["reason"].startswith("Not assessable")
    assert "Not assessable" in attacks_alt_text(nothing)
    no_control = attacked(cohort(1.0), holdout=HOLDOUT.head(0))
    assert all(row["reason"] for row in attack_rows(no_control))
    attacks_figure(no_control)


def test_columns_without_values_and_constants_are_survived() -> None:
    empty = {"age": np.nan, "sodium": 1.0, "died": None}
    frames = [
        frame.assign(**empty).astype({"age": "float64", "died": "boolean"}) for frame in (TRAIN, HOLDOUT, cohort(0.0))
    ]
    entry = attacked(frames[2], train=frames[0], holdout=frames[1])
    json.dumps(entry, allow_nan=False)
    assert {"age", "sodium", "died"}.isdisjoint(one["name"] for one in entry["attribute"]["secrets"])


def test_a_wish_to_stop_is_heard() -> None:
    class Stop:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if fraction > 0.4:
                raise Cancelled

    with pytest.raises(Cancelled):
        attacks(Sample(TRAIN), Sample(HOLDOUT), Sample(cohort(0.0)), COLUMNS, minimum=11, seed=0, progress=Stop())


def test_progress_only_grows() -> None:
    seen: list[float] = []

    class Watch:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            seen.append(fraction)

    attacks(Sample(TRAIN), Sample(HOLDOUT), Sample(cohort(0.0)), SCHEMA.features, minimum=11, seed=0, progress=Watch())
    assert seen == sorted(seen) and seen[-1] == 1


@pytest.mark.parametrize("dark", [False, True])
def test_figure_shows_risks_and_their_controls(memorised, dark: bool) -> None:
    figure = attacks_figure(memorised, dark=dark)
    rows = attack_rows(memorised)
    _, control, _, risks = figure.data
    assert list(risks.x) == [row["risk"]["value"] for row in rows]
    assert set(risks.marker.symbol) == {"diamond"}
    # Twice the area less one.
    auc = memorised["membership"]["groups"]["all"]["auc"]["calibrated"]["value"]
    assert risks.x[0] == pytest.approx(2 * auc - 1, abs=1e-3)
    assert control.x[:2] == tuple(rows[0]["chance"][side] for side in ("low", "high"))
    names = [one.text for one in figure.layout.annotations if one.text.startswith("<b>")]
    assert names == [f"<b>{row['label']}</b>" for row in rows]
    # Names and numbers begin at the left edge, above their intervals: a phone cuts none.
    assert {(one.x, one.xref, one.xanchor) for one in figure.layout.annotations} == {(0, "paper", "left")}
    assert control.name.startswith("Control")


def test_figure_of_a_safe_cohort_has_open_symbols_around_zero(independent) -> None:
    figure = attacks_figure(independent)
    assert set(figure.data[3].marker.symbol) == {"diamond-open"}
    assert figure.layout.xaxis.range[0] < min(x for x in figure.data[2].x if x is not None)
    assert "No risk was found" in attacks_alt_text(independent)


def test_alt_text_names_every_risk(memorised) -> None:
    text = attacks_alt_text(memorised)
    for row in attack_rows(memorised):
        assert row["label"] in text
    assert "more exposed" in text

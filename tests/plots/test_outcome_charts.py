"""Calibration, forest plot and survival curves: drawn from the entries alone, in both themes, and told in words."""

import copy
import json
import math
import subprocess
import sys

import pytest
from helpers.planted_outcomes import SCHEMA, admissions, cohort, sample

from engine.evaluation.conclusion import conclusion
from engine.evaluation.outcomes import possible_outcomes
from engine.evaluation.survival import survival
from engine.evaluation.utility import utility
from engine.plots.calibration import calibration_alt_text, calibration_figure
from engine.plots.forest import forest_alt_text, forest_figure
from engine.plots.survival import survival_alt_text, survival_figure

OUTCOMES = {one.key: one for one in possible_outcomes(SCHEMA)}
REAL, HOLDOUT = admissions(1500, seed=1), admissions(1500, seed=2)
SYNTHETIC = admissions(1500, seed=3, flip=("lactate",))


@pytest.fixture(scope="module")
def useful():
    tables = sample(REAL), sample(HOLDOUT), cohort(SYNTHETIC)
    return through_json(utility(*tables, SCHEMA, OUTCOMES["died_in_hospital"], minimum=11, seed=0))


@pytest.fixture(scope="module")
def concluded():
    return through_json(
        conclusion(sample(REAL), cohort(SYNTHETIC), SCHEMA, OUTCOMES["died_in_hospital"], minimum=11, seed=0)
    )


@pytest.fixture(scope="module")
def survived():
    tables = sample(REAL), sample(HOLDOUT), cohort(SYNTHETIC)
    return through_json(survival(*tables, SCHEMA, OUTCOMES["died_in_hospital@length_of_stay_hours"], minimum=11))


def through_json(entry):
    return json.loads(json.dumps(entry, allow_nan=False))


def trace(figure, name):
    return next(one for one in figure.data if one.name == name)


def texts(figure):
    return [one.text for one in figure.layout.annotations]


def told(figure):
    """The only sentence of a chart, whose lines are broken for a phone."""
    (text,) = texts(figure)
    assert max(map(len, text.split("<br>"))) <= 46
    return text.replace("<br>", " ")


def test_calibration_points_are_those_of_the_entry(useful) -> None:
    figure = calibration_figure(useful, "linear")
    curve = useful["models"]["linear"]["calibration"]["synthetic"]["bins"]
    drawn = trace(figure, "Trained on synthetic rows")
    assert list(drawn.y) == [one["observed"] for one in curve]
    assert [y + up for y, up in zip(drawn.y, drawn.error_y.array, strict=True)] == pytest.approx(
        [one["high"] for one in curve]
    )
    ideal = trace(figure, "Ideal")
    assert list(ideal.x) == list(ideal.y)
    assert "slope" in figure.layout.title.subtitle.text
    text = calibration_alt_text(useful, "linear")
    assert "Trained on synthetic rows: slope" in text and "%" in text


def test_forest_draws_each_effect_with_its_numbers(concluded) -> None:
    figure = forest_figure(concluded)
    assert figure.layout.xaxis.type == "log"
    real, synthetic = trace(figure, "Real"), trace(figure, "Synthetic")
    assert list(real.x) == [one["real"]["value"] for one in concluded["terms"]]
    assert all(a > b for a, b in zip(real.y, synthetic.y, strict=True))
    lactate = next(one for one in concluded["terms"] if one["column"] == "lactate")["synthetic"]
    assert f"◇ {lactate['value']:.2f} [{lactate['low']:.2f}, {lactate['high']:.2f}]" in texts(figure)
    assert "<b>Lactate, per 1 mmol/L</b>" in texts(figure)
    # Every row's name stands above its numbers and its intervals, and nothing beside them that a phone could cut.
    assert all(one.x == 0 and one.xref == "paper" for one in figure.layout.annotations)
    assert not figure.layout.yaxis.visible and figure.layout.margin.l < 30
    assert "opposite direction: Lactate" in forest_alt_text(concluded)


def test_forest_of_differences_is_linear_and_of_endless_ratios_is_cut(concluded) -> None:
    linear = through_json(
        conclusion(sample(REAL), cohort(SYNTHETIC), SCHEMA, OUTCOMES["hemoglobin"], minimum=11, seed=0)
    )
    figure = forest_figure(linear)
    assert figure.layout.xaxis.type is None and "(g/dL)" in figure.layout.xaxis.title.text
    endless = copy.deepcopy(concluded)
    endless["terms"][0]["synthetic"] = {"value": 5e7, "low": 0.0, "high": 1e99, "reason": ""}
    endless["terms"][1]["synthetic"] = {"value": 1.2, "low": None, "high": None, "reason": "no interval"}
    start, end = forest_figure(endless).layout.xaxis.range
    assert math.isfinite(start) and end == pytest.approx(math.log10(110))
    assert "◇ 1.20" in texts(forest_figure(endless))


def test_survival_curves_and_numbers_at_risk(survived) -> None:
    figure = survival_figure(survived)
    assert list(trace(figure, "Real").y) == [one["real"]["value"] for one in survived["curve"]]
    shown = texts(figure)
    for row in survived["at_risk"]:
        assert row["real_text"] in shown and f"{row['synthetic']:,}" in shown
    assert list(figure.layout.xaxis.tickvals) == [row["time"] for row in survived["at_risk"]]
    assert "restricted mean to" in figure.layout.title.subtitle.text
    few = copy.deepcopy(survived)
    few["at_risk"][-1] |= {"real": None, "real_text": "<11"}
    assert "&lt;11" in texts(survival_figure(few))
    assert survived["sentence"] in survival_alt_text(survived)


@pytest.mark.parametrize("dark", [False, True])
def test_real_and_synthetic_differ_by_more_than_colour(useful, concluded, survived, dark) -> None:
    curves = calibration_figure(useful, "boosting", dark=dark), survival_figure(survived, dark=dark)
    for figure in curves:
        real, synthetic = (next(t for t in figure.data if word in (t.name or "").lower()) for word in ("real", "synth"))
        assert (real.line.color, real.line.dash) == ("#0072B2", "solid")
        assert (synthetic.line.color, synthetic.line.dash) == ("#D55E00", "dash")
        assert real.marker.symbol != synthetic.marker.symbol
    forest = forest_figure(concluded, dark=dark)
    assert trace(forest, "Real").marker.symbol != trace(forest, "Synthetic").marker.symbol
    colours = {figure.layout.template.layout.font.color for figure in (*curves, forest)}
    assert colours == {"#E6EDF3" if dark else "#1F2933"}


def test_what_is_not_assessable_says_why() -> None:
    none = REAL.assign(died_in_hospital=REAL["died_in_hospital"] & False)
    entry = utility(sample(none), sample(none), cohort(none), SCHEMA, OUTCOMES["died_in_hospital"], minimum=11, seed=0)
    assert "fewer than 11 patients" in told(calibration_figure(entry, "linear"))
    assert "not assessable" in calibration_alt_text(entry, "linear")
    entry = conclusion(sample(none), cohort(none), SCHEMA, OUTCOMES["died_in_hospital"], minimum=11, seed=0)
    assert told(forest_figure(entry)) == entry["reason"] and entry["reason"] in forest_alt_text(entry)
    timed = OUTCOMES["died_in_hospital@length_of_stay_hours"]
    entry = survival(sample(none), sample(none), cohort(none), SCHEMA, timed, minimum=11)
    assert told(survival_figure(entry)) == entry["reason"] and entry["reason"] in survival_alt_text(entry)


def test_names_from_files_are_shown_as_they_are(useful, concluded, survived) -> None:
    for entry, draw in (
        (useful, lambda one: calibration_figure(one, "linear")),
        (concluded, forest_figure),
        (survived, survival_figure),
    ):
        named = copy.deepcopy(entry)
        named["outcome"]["label"] = "<b>readmitted</b>: <30"
        assert "&lt;b&gt;readmitted" in draw(named).layout.title.text


def test_charts_need_no_statistics() -> None:
    code = (
        "import sys, engine.plots.calibration, engine.plots.forest, engine.plots.survival, engine.evaluation.outcomes, "
        "engine.evaluation.utility, engine.evaluation.conclusion, engine.evaluation.survival; "
        "print([n for n in ('scipy', 'sklearn', 'statsmodels', 'lifelines', 'torch') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"

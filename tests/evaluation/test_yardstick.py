"""The yardstick of a bake-off on tables whose figures are known: copies, fresh rows, shuffled columns."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.core.errors import UserError
from engine.core.progress import Silent
from engine.evaluation.attacks.closeness import closer_share
from engine.evaluation.bake_off import yardstick as module
from engine.evaluation.bake_off.figure_book import COSTS, FIGURES, best, figure, missing
from engine.evaluation.bake_off.yardstick import Yardstick
from engine.evaluation.cells import Sample
from engine.evaluation.outcomes import Outcome, binary_outcome
from engine.schema.table import Column, Kind, Role, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age_years", kind=Kind.NUMERIC, label="Age", unit="years", minimum=0, maximum=120, decimals=1),
        Column(name="sex", kind=Kind.CATEGORICAL, label="Sex", categories=("F", "M")),
        Column(name="pregnant", kind=Kind.BOOLEAN, label="Pregnant"),
        Column(name="lactate", kind=Kind.NUMERIC, label="Lactate", minimum=0, maximum=30, decimals=2),
        Column(name="creatinine", kind=Kind.NUMERIC, label="Creatinine", minimum=0, maximum=30, decimals=2),
        Column(name="died_in_hospital", kind=Kind.BOOLEAN, label="Died in hospital"),
    )
)  # fmt: skip
TRAIN, HOLDOUT = 900, 600


def ward(rows: int, seed: int) -> pd.DataFrame:
    """Lactate follows creatinine and decides who dies; only women are pregnant."""
    random = np.random.default_rng(seed)
    creatinine = random.gamma(2.0, 0.6, rows)
    lactate = creatinine * 2 + random.gamma(1.0, 0.3, rows)
    sex = random.choice(["F", "M"], rows)
    died = random.random(rows) < 1 / (1 + np.exp(-(lactate - 3.5) * 1.5))
    frame = pd.DataFrame(
        {
            "patient": [f"p{seed}-{number}" for number in range(rows)],
            "age_years": random.uniform(20, 90, rows).round(1),
            "sex": sex,
            "pregnant": (sex == "F") & (random.random(rows) < 0.4),
            "lactate": lactate.round(2),
            "creatinine": creatinine.round(2),
            "died_in_hospital": died,
        }
    )
    return conform(frame, SCHEMA)


def features(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="patient")


@cache
def yardstick() -> Yardstick:
    outcome = binary_outcome(SCHEMA, column="died_in_hospital")
    made = held_against(outcome)
    return made.with_model(made.chosen_model())


def held_against(outcome: Outcome | None, **changed: Any) -> Yardstick:
    given: dict[str, Any] = {"outcome": outcome, "minimum": 11, "seed": 5} | changed
    return Yardstick.of(ward(TRAIN, 1), ward(HOLDOUT, 2), SCHEMA, **given)


@cache
def values(which: str) -> dict[str, float | None]:
    one = yardstick()
    cells = {
        "ceiling": lambda: one.ceiling(Silent()),
        "fresh": lambda: one.figures(features(ward(TRAIN, 3))),
        "copies": lambda: one.figures(features(ward(TRAIN, 1))),
        "holdout": lambda: one.figures(features(ward(HOLDOUT, 2))),
        "shuffled": lambda: one.figures(one.shuffled(TRAIN)),
    }[which]()
    assert list(cells) == [info.name for info in FIGURES]
    assert {cell["reason"] for cell in cells.values()} <= {"", "Not assessable: these are the held-out rows."}
    return {name: cell["value"] for name, cell in cells.items()}


def test_copied_training_rows_are_all_found_and_nearer_to_the_training() -> None:
    found = values("copies")
    assert found["quality"] == found["shapes"] == found["pairs"] == 1.0
    assert (found["copies"], found["copies_holdout"]) == (1.0, 0.0)
    # 600 of the 900 training rows are asked: their own copies are nearest, the others are nobody's.
    assert found["closer"] == pytest.approx(2 / 3 + 1 / 6, abs=0.04)
    # Who compares with the hold-out cannot see that rows were copied from the training part.
    assert found["c2st"] == pytest.approx(0.5, abs=0.05)
    assert found["tstr"] == pytest.approx(found["trtr"], abs=0.01)


def test_copied_held_out_rows_are_told_from_copied_training_rows() -> None:
    found = values("holdout")
    assert (found["copies"], found["copies_holdout"]) == (0.0, 1.0)
    assert found["closer"] == 0.0
    # Each row stands beside itself: the classifier learns the wrong side of it.
    assert found["c2st"] is not None and found["c2st"] < 0.5


def test_fresh_rows_of_the_same_population_reach_the_ceiling() -> None:
    fresh, ceiling = values("fresh"), values("ceiling")
    for name in ("quality", "shapes", "pairs"):
        assert fresh[name] == pytest.approx(ceiling[name], abs=0.03), name
    for found in (fresh, ceiling):
        assert found["c2st"] == pytest.approx(0.5, abs=0.06)
        assert found["closer"] == pytest.approx(0.5, abs=0.06)
        assert (found["copies"], found["implausible"]) == (0.0, 0.0)
    assert fresh["trtr"] == ceiling["trtr"] == ceiling["tstr"]
    assert ceiling["tstr"] is not None and ceiling["tstr"] > 0.85
    assert fresh["tstr"] == pytest.approx(fresh["trtr"], abs=0.03)


def test_shuffled_columns_keep_their_shapes_and_lose_everything_between_them() -> None:
    found, ceiling = values("shuffled"), values("ceiling")
    assert found["shapes"] == 1.0
    assert found["pairs"] is not None and ceiling["pairs"] is not None and found["pairs"] < ceiling["pairs"] - 0.2
    assert found["c2st"] is not None and found["c2st"] > 0.9
    # TSTR is not asked: where one column decides, a model of noise ranks by it, upwards or downwards as chance has it.
    # A fifth of all rows are of pregnant women: shuffled, half of those are men.
    assert found["implausible"] == pytest.approx(0.1, abs=0.03)


def test_the_shuffled_rows_are_the_training_rows_column_by_column() -> None:
    one = yardstick()
    whole = one.shuffled(TRAIN)
    for name in whole:
        pd.testing.assert_series_equal(
            whole[name].sort_values(ignore_index=True), ward(TRAIN, 1)[name].sort_values(ignore_index=True)
        )
    assert len(one.shuffled(2_000)) == 2_000 and len(one.shuffled(100)) == 100
    pd.testing.assert_frame_equal(whole, one.shuffled(TRAIN))


def test_the_order_of_the_rows_changes_nothing_that_matters() -> None:
    """A table sorted by its outcome: folds by position would each miss one of its values."""
    rows = features(ward(TRAIN, 3)).sort_values(["died_in_hospital", "lactate"])
    found = yardstick().figures(rows)
    assert found["c2st"]["value"] == pytest.approx(0.5, abs=0.06)
    assert found["quality"]["value"] == values("fresh")["quality"]


def test_without_an_outcome_only_its_figures_are_missing() -> None:
    found = held_against(None).figures(features(ward(300, 3)))
    assert {name for name, cell in found.items() if cell["value"] is None} == {"tstr", "trtr"}
    assert found["tstr"]["text"] == "not assessable" and "no outcome was chosen" in found["tstr"]["reason"]


def test_a_number_is_predicted_by_its_share_of_variation() -> None:
    outcome = Outcome("continuous", "lactate", "Lactate")
    one = held_against(outcome)
    one = one.with_model(one.chosen_model())
    assert one.score == "r2"
    found = one.figures(features(ward(TRAIN, 3)))
    assert found["trtr"]["value"] > 0.8
    assert found["tstr"]["value"] == pytest.approx(found["trtr"]["value"], abs=0.05)


def test_pairs_without_association_are_not_assessable_rather_than_nan() -> None:
    schema = SCHEMA.select(["patient", "age_years", "sex"])
    one = Yardstick.of(ward(300, 1)[schema.names], ward(200, 2)[schema.names], schema, outcome=None, minimum=11, seed=1)
    found = one.figures(features(ward(300, 3))[["age_years", "sex"]])
    assert found["pairs"]["value"] is None and "no pair of columns" in found["pairs"]["reason"]
    assert found["quality"]["value"] == found["shapes"]["value"]


def test_few_copies_of_real_patients_are_not_counted_out() -> None:
    rows = features(pd.concat([ward(TRAIN, 1).head(4), ward(500, 3)], ignore_index=True))
    cell = yardstick().figures(rows)["copies"]
    assert (cell["value"], cell["text"]) == (None, "fewer than 11")


def test_a_figure_that_fails_says_so_without_a_cell_and_loses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("Smith, J.")

    monkeypatch.setattr(module, "detection", fail)
    one = held_against(None, failed=lambda names, error: told.append(names))
    found = one.figures(features(ward(300, 3)))
    assert told == ["c2st"]
    assert "ValueError" in found["c2st"]["reason"] and "Smith" not in str(found)
    assert found["closer"]["value"] is not None


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(UserError, match="at least 11 patients"):
        Yardstick.of(ward(10, 1), ward(50, 2), SCHEMA, outcome=None, minimum=11, seed=1)


def test_closeness_by_hand() -> None:
    column = Column(name="x", kind=Kind.NUMERIC, minimum=0, maximum=100)
    learned, unseen, rows = (
        Sample(pd.DataFrame({"x": pd.array(x, dtype="Float64")})) for x in ([0, 10], [20, 30], [1, 9, 15, 29])
    )
    # 1 and 9 are nearer to the learned ones, 29 to the unseen, 15 lies between 10 and 20.
    assert closer_share(learned, unseen, rows, (column,), np.random.default_rng(0)) == (2 + 0.5) / 4


def test_the_larger_side_is_not_nearer_for_being_larger() -> None:
    random = np.random.default_rng(4)
    columns = tuple(Column(name=name, kind=Kind.NUMERIC, minimum=-9, maximum=9) for name in "abc")
    many, few, rows = (Sample(pd.DataFrame(random.normal(size=(n, 3)), columns=list("abc"))) for n in (4000, 400, 1500))
    assert closer_share(many, few, rows, columns, random) == pytest.approx(0.5, abs=0.05)
    # Half of 800 copied rows are among those that were drawn: they are at no distance, the others on either side.
    copied = many.take(np.arange(800))
    assert closer_share(copied, few, copied, columns, random) == pytest.approx(0.75, abs=0.05)


def line(key: str, **given: float | None) -> dict[str, Any]:
    costs = {info.name for info in COSTS}
    cells = {name: figure(value) for name, value in given.items()}
    return {
        "key": key,
        "figures": {name: cell for name, cell in cells.items() if name not in costs},
        "cost": {name: cell for name, cell in cells.items() if name in costs},
    }


def test_the_best_is_nearest_to_the_ideal_of_its_figure() -> None:
    lines = [
        line("a", quality=0.9, c2st=0.45, closer=0.62, trtr=0.7, fit_cpu_seconds=3.0, copies=0.0),
        line("b", quality=0.95, c2st=0.56, closer=0.5, trtr=0.8, fit_cpu_seconds=2.0, copies=0.0),
        line("c", quality=None, c2st=0.99, closer=0.5, fit_cpu_seconds=9.0, copies=None),
    ]
    assert best(lines) == {
        ("b", "quality"), ("a", "c2st"), ("b", "closer"), ("c", "closer"), ("b", "fit_cpu_seconds"),
    }  # fmt: skip
    # Nothing to compare with, or nothing between them: nobody is best.
    assert best(lines[:1]) == set()
    assert best([line("a", quality=0.90004), line("b", quality=0.90003)]) == set()


def test_missing_figures_say_why() -> None:
    assert missing(("a", "b"), "because")["b"] == {"value": None, "text": "not assessable", "reason": "because"}
    assert figure(1234.56, digits=1) == {"value": 1234.6, "text": "1,234.6", "reason": ""}

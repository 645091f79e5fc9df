"""Large cohorts: parts that obey the request, differ from each other, and come again the same."""

import json

import pandas as pd
import pytest

from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.core.progress import Silent
from engine.sampling.conditional import draw
from engine.sampling.parts import as_json, draw_in_parts, from_json, parts_of, together, without_rows
from tests.helpers.measured_patients import Measured

SHARED = {"patients": 250, "shares": [{"column": "sex", "category": "F", "share": 0.2}]}


def test_parts_obey_differ_and_come_again() -> None:
    spec = CohortSpec.model_validate(SHARED)
    parts = list(draw_in_parts(Measured(), spec, progress=Silent(), rows_at_once=100))
    assert [len(part.frame) for part in parts] == [100, 100, 50]
    assert [int((part.frame["sex"] == "F").sum()) for part in parts] == [20, 20, 10]
    together_ = pd.concat([part.frame for part in parts])
    assert together_["weight_kg"].is_unique
    again = list(draw_in_parts(Measured(), spec, progress=Silent(), rows_at_once=100))
    pd.testing.assert_frame_equal(parts[1].frame, again[1].frame)


def test_a_cohort_of_one_part_is_the_draw_itself() -> None:
    spec = CohortSpec(patients=40, seed=5)
    (only,) = draw_in_parts(Measured(), spec, progress=Silent())
    pd.testing.assert_frame_equal(only.frame, draw(Measured(), spec, table=None, progress=Silent()).frame)


def test_no_batch_of_one_part_has_the_seed_of_another() -> None:
    """The batches that replace impossible rows must not repeat the rows of later parts."""
    generator = Measured()
    parts = list(draw_in_parts(generator, CohortSpec(patients=1000), progress=Silent(), rows_at_once=100))
    assert sum(part.redrawn for part in parts) > 50
    seeds = [seed for _, seed in generator.asked]
    assert len(seeds) >= 20 and len(set(seeds)) == len(seeds)
    assert pd.concat([part.frame for part in parts])["weight_kg"].is_unique


def test_what_the_parts_come_to() -> None:
    spec = CohortSpec.model_validate(SHARED)
    table = Measured().sample(30, seed=1)
    parts = list(draw_in_parts(Measured(), spec, table=table, progress=Silent(), rows_at_once=100))
    assert [part.support_rows for part in parts] == [30, None, None]
    parts = [from_json(json.loads(json.dumps(as_json(part)))) for part in parts]
    whole = together(parts)
    assert (whole.support_rows, whole.compliance, len(whole.frame)) == (30, 1.0, 0)
    assert whole.seconds == pytest.approx(sum(part.seconds for part in parts))
    assert whole.notes == ["Drawn in 3 parts; target shares hold in each of them to the nearest row."]
    assert together(parts[:1]).notes == []


def test_nothing_keeps_the_rows_of_a_part_in_memory() -> None:
    (part,) = draw_in_parts(Measured(), CohortSpec(patients=1000), progress=Silent())
    empty = without_rows(part).frame
    assert list(empty.columns) == list(part.frame.columns)
    base = empty["weight_kg"].to_numpy().base
    assert base is None or base.nbytes == 0


def test_a_model_that_keeps_its_rows_gives_them_in_one_part_or_says_how_many() -> None:
    assert len(parts_of(Measured(kept=500), CohortSpec(patients=400), rows_at_once=100)) == 1
    with pytest.raises(UserError, match=r"holds 500 synthetic rows, 501 were asked for.*at most 500"):
        parts_of(Measured(kept=500), CohortSpec(patients=501), rows_at_once=100)

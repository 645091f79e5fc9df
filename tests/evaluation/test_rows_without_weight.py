"""Real rows that have no part in the proportions asked for have none in conclusions, usefulness or survival."""

import json

import numpy as np
import pytest
from helpers.planted_outcomes import SCHEMA, admissions, cohort, sample

from engine.evaluation.conclusion import conclusion
from engine.evaluation.outcomes import possible_outcomes
from engine.evaluation.survival import survival
from engine.evaluation.utility import utility

OUTCOMES = {one.key: one for one in possible_outcomes(SCHEMA)}
DEATH, SURVIVAL = OUTCOMES["died_in_hospital"], OUTCOMES["died_in_hospital@length_of_stay_hours"]
REAL, HOLDOUT, SYNTHETIC = (admissions(rows, seed=seed) for rows, seed in ((1500, 1), (1000, 2), (1200, 3)))


def weights(frame, kept: np.ndarray) -> np.ndarray:
    raw = np.where(kept, np.random.default_rng(len(frame)).uniform(0.5, 2, len(frame)), 0.0)
    return raw / raw.mean()


def entries(real, holdout, real_weights, holdout_weights):
    tables = sample(real), sample(holdout), cohort(SYNTHETIC), SCHEMA
    both = {"weights": real_weights, "holdout_weights": holdout_weights, "minimum": 11}
    return {
        "conclusion": conclusion(tables[0], tables[2], SCHEMA, DEATH, minimum=11, seed=0, weights=real_weights),
        "utility": utility(*tables, DEATH, seed=0, **both),
        "survival": survival(*tables, SURVIVAL, **both),
    }


@pytest.fixture(scope="module")
def compared():
    """The sections with half of the rows at weight 0, and with these rows left out."""
    kept = [np.arange(len(frame)) % 2 == 0 for frame in (REAL, HOLDOUT)]
    found = [weights(frame, part) for frame, part in zip((REAL, HOLDOUT), kept, strict=True)]
    without = [frame[part].reset_index(drop=True) for frame, part in zip((REAL, HOLDOUT), kept, strict=True)]
    return entries(REAL, HOLDOUT, *found), entries(
        *without, *(one[part] for one, part in zip(found, kept, strict=True))
    )


@pytest.mark.parametrize("section", ["conclusion", "utility", "survival"])
def test_a_row_without_weight_is_as_if_it_were_not_there(compared, section):
    zero, absent = (one[section] for one in compared)
    assert absent["reason"] == ""
    assert json.dumps(zero, allow_nan=False) == json.dumps(absent, allow_nan=False)


def test_events_of_rows_without_weight_support_no_figure():
    # Of those who have a weight, ten died.
    dead = REAL["died_in_hospital"].to_numpy(dtype=bool)
    kept = ~dead | (dead & (np.cumsum(dead) <= 10))
    held = HOLDOUT["died_in_hospital"].to_numpy(dtype=bool)
    found = entries(REAL, HOLDOUT, weights(REAL, kept), weights(HOLDOUT, ~held | (np.cumsum(held) <= 10)))
    assert {name: bool(one["reason"]) for name, one in found.items()} == dict.fromkeys(found, True)

"""Patients drawn from one population, and cohorts of which a known share is copied from the training rows."""

import numpy as np
import pandas as pd

from engine.evaluation.attacks.privacy import attacks
from engine.evaluation.cells import Sample
from engine.schema.table import Column, Kind, TableSchema, conform

NUMBERS = ("age", "sodium", "potassium", "lactate", "creatinine", "glucose", "platelets", "weight")
CATEGORIES = {"sex": "FM", "unit": "ABC", "diagnosis": "PQRSTU"}
SCHEMA = TableSchema(
    columns=(
        *(Column(name=name, kind=Kind.NUMERIC, decimals=1) for name in NUMBERS),
        *(Column(name=name, kind=Kind.CATEGORICAL) for name in CATEGORIES),
        Column(name="died", kind=Kind.BOOLEAN),
    )
)
COLUMNS = SCHEMA.columns


def patients(rows: int, *, seed: int) -> pd.DataFrame:
    """``rows`` patients whose values go together; some lactates are missing."""
    rng = np.random.default_rng([seed, 7])
    severity = rng.normal(size=rows)
    frame = pd.DataFrame({name: (severity + 1.5 * rng.normal(size=rows)).round(1) for name in NUMBERS})
    frame.loc[rng.random(rows) < 0.2, "lactate"] = np.nan
    for name, letters in CATEGORIES.items():
        frame[name] = rng.choice(list(letters), rows)
    frame["died"] = severity + rng.normal(size=rows) > 1
    return conform(frame, SCHEMA)


TRAIN, HOLDOUT = patients(1200, seed=1), patients(900, seed=2)


def cohort(share: float, *, rows: int = 1200, seed: int = 5) -> pd.DataFrame:
    """``rows`` synthetic rows; ``share`` of them are copies of training rows, each copied once."""
    copied = round(share * rows)
    picked = TRAIN.sample(copied, random_state=seed)
    return conform(pd.concat([picked, patients(rows - copied, seed=seed)], ignore_index=True), SCHEMA)


def attacked(synthetic: pd.DataFrame, *, train=TRAIN, holdout=HOLDOUT, schema=SCHEMA, minimum=11, seed=0):
    """The entry of every attack; each row is a patient unless the schema has a key."""
    samples = Sample.of(train, schema), Sample.of(holdout, schema), Sample(synthetic)
    return attacks(*samples, schema.features, minimum=minimum, seed=seed)

"""A comparison whose rows break rules of every severity, for the pages."""

import pandas as pd

from engine.core.workspace import Workspace, read_json, write_json
from engine.evaluation.cells import Sample
from engine.evaluation.plausibility import plausibility
from engine.schema.catalogue import catalogue
from engine.schema.table import TableSchema, conform

NAMES = ("sex", "pregnancy", "hemoglobin", "hematocrit", "ph", "systolic_bp", "diastolic_bp")
SCHEMA = TableSchema(columns=tuple(catalogue().column(name) for name in NAMES))


def rows(count: int, *, discordant: int, acid: int, pregnant_men: int = 0) -> Sample:
    frame = pd.DataFrame(
        {"sex": ["F", "M"] * (count // 2), "pregnancy": False, "hemoglobin": 12.0, "hematocrit": 36.0, "ph": 7.4}
    )
    frame = frame.assign(systolic_bp=120.0, diastolic_bp=70.0)
    frame.loc[: discordant - 1, "hematocrit"] = 60.0
    frame.loc[: acid - 1, "ph"] = 6.7
    frame.loc[frame.index[frame["sex"] == "M"][:pregnant_men], "pregnancy"] = True
    return Sample(conform(frame, SCHEMA))


def with_broken_rules(workspace: Workspace, cohort_id: str, *, dirty_real_rows: int = 0) -> None:
    """Replace the plausibility part of the cohort's comparison."""
    path = workspace.cohort(cohort_id) / "comparison.json"
    samples = {
        "real": rows(1000, discordant=30, acid=4, pregnant_men=dirty_real_rows),
        "holdout": rows(400, discordant=12, acid=0),
        "synthetic": rows(500, discordant=60, acid=2),
    }
    write_json(path, read_json(path) | {"plausibility": plausibility(samples, SCHEMA, minimum=11)})

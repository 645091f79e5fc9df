"""A bundle as it ships, with a small private model; trained once in a process and copied for each test."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.progress import Silent
from engine.core.settings import settings
from engine.core.workspace import write_json
from engine.generators.dp_cgan.generator import DPCGAN
from engine.jobs.comparing import compare
from engine.jobs.steps import FIT_REPORT, generate
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.services.context import Context
from engine.services.shipped import CARD, MODEL, SOURCE, register_all, seal

NAME = "small-ward"
PATIENTS = 3_000
SCHEMA = TableSchema(
    columns=(
        Column(
            name="age_years", kind=Kind.INTEGER, label="Age", unit="years", minimum=18, maximum=95,
            bounds_are_public=True, group="Demographics",
        ),
        Column(
            name="sex", kind=Kind.CATEGORICAL, label="Sex", categories=("F", "M"), categories_are_public=True,
            group="Demographics",
        ),
        Column(name="diabetes", kind=Kind.BOOLEAN, label="Diabetes mellitus", group="Diagnoses"),
        Column(
            name="glucose", kind=Kind.NUMERIC, label="Glucose", unit="mg/dL", minimum=40, maximum=400, decimals=0,
            bounds_are_public=True, group="Laboratory",
        ),
        Column(name="died_in_hospital", kind=Kind.BOOLEAN, label="Died in hospital", group="Outcome"),
    )
)  # fmt: skip


def patients(rows: int = PATIENTS, seed: int = 0) -> pd.DataFrame:
    """The old have diabetes more often, and with it a glucose of 60 mg/dL more; one glucose in five is missing."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 96, rows)
    diabetes = random.random(rows) < np.where(age >= 60, 0.5, 0.1)
    glucose = np.clip(np.round(random.normal(100 + 60 * diabetes, 12)), 40, 400)
    frame = pd.DataFrame(
        {
            "age_years": age,
            "sex": random.choice(["F", "M"], rows, p=[0.6, 0.4]),
            "diabetes": diabetes,
            "glucose": np.where(random.random(rows) < 0.2, np.nan, glucose),
            "died_in_hospital": random.random(rows) < np.where(age >= 75, 0.2, 0.05),
        }
    )
    return conform(frame, SCHEMA)


@cache
def _trained() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cohort-studio-bundle-")) / NAME
    generator = DPCGAN()
    options = {"private": True, "epsilon": 6.0, "delta": 1e-5, "epochs": 3}
    report = generator.fit(patients(), SCHEMA, seed=1, options=options, progress=Silent())
    generator.save(folder / MODEL)
    write_json(folder / MODEL / FIT_REPORT, report.as_dict() | {"model_bytes": 1, "peak_memory_mb": 1.0})
    (folder / CARD).write_text("# Small ward\n\nSimulated patients of a ward.\n", encoding="utf-8")
    describe(folder, version=1)
    return folder


def describe(folder: Path, *, version: int) -> None:
    """Write the description of the bundle in ``folder``, with the sums of its files."""
    source = {
        "name": NAME, "version": version, "title": "Small ward (simulated)",
        "sentence": "Simulated patients of a ward with and without diabetes.", "source": "tests", "licence": "MIT",
        "citation": "none", "url": "https://example.org", "years": "2020", "populations": ["us"], "command": "pytest",
    }  # fmt: skip
    write_json(folder / SOURCE, source)
    seal(folder)


def compared(spec: CohortSpec) -> str:
    """A cohort of the shipped model in the workspace of the settings, drawn and compared without a worker; its id."""
    context = Context.open(settings())
    register_all(context.workspace, context.database, settings().shipped_models)
    (model,) = context.database.models()
    cohort = context.database.add_cohort(model_id=model.id, name="a cohort", spec=spec.as_json())
    steps = {generate: {"model_id": model.id, "spec": spec.as_json()}, compare: {"cohort_id": cohort.id}}
    for step, payload in steps.items():
        job = context.queue.submit(step.__name__, payload, subject=cohort.id)
        step(job, workspace=context.workspace, database=context.database, progress=Silent())
        context.queue.cancel(job.id)
    context.database.close()
    return cohort.id


def bundle_in(folder: Path) -> Path:
    """A copy of the bundle below ``folder``, which can then be named as where the shipped models lie."""
    return Path(shutil.copytree(_trained(), folder / NAME))

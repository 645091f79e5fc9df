"""The steps on a small table, with a generator that answers at once and remembers what it was asked."""

import json
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.core.errors import Cancelled, UserError
from engine.core.progress import Silent
from engine.core.workspace import Workspace, read_json
from engine.evaluation import report
from engine.evaluation.report import SECTIONS
from engine.generators.base import Capability, FitReport, Generator
from engine.jobs import comparing, steps
from engine.jobs.queue import Queue
from engine.jobs.records import JobRecord
from engine.schema.table import TableSchema, conform
from engine.storage.database import Database
from engine.storage.records import State
from engine.storage.tables import read_table, write_table
from tests.helpers.publisher import Publisher
from tests.helpers.simulated_mimic import write_folder


class Resampler(Generator):
    """Draws the rows it saw, again."""

    name, label, privacy = "resampler", "Resampler", "none"
    capabilities = frozenset[Capability]()
    fits: list[dict[str, Any]] = []  # noqa: RUF012
    loads = 0

    def fit(self, table, schema, *, seed, options, progress, checkpoint=None) -> FitReport:
        Resampler.fits.append({"table": table, "seed": seed, "options": options, "checkpoint": checkpoint})
        progress.update(0.5, "Half", loss=0.5)
        if options.get("fail"):
            raise ValueError("a cell")
        self.schema = TableSchema(columns=tuple(schema.features))
        self._rows = conform(table, self.schema)
        progress.update(1.0, "Whole", loss=0.25)
        return FitReport("resampler", len(table), 1, len(self.schema.columns), seed)

    def sample(self, rows, *, seed, conditions=None) -> pd.DataFrame:
        return self._rows.sample(rows, replace=True, random_state=seed).reset_index(drop=True)

    def save(self, folder: Path) -> None:
        write_table(folder / "reservoir.parquet", self._rows, self.schema)
        (folder / "manifest.json").write_text(json.dumps({"generator": "resampler"}))

    @classmethod
    def load(cls, folder: Path):
        cls.loads += 1
        made = cls()
        made._rows, made.schema = read_table(folder / "reservoir.parquet")
        return made


class Bench:
    """A workspace whose steps are called directly."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.database = Database.for_workspace(self.workspace)
        self.queue = Queue(self.database)

    def run(self, kind: str, payload: dict[str, Any], subject: str, progress: Any = None) -> JobRecord:
        job = self.queue.submit(kind, payload, subject)
        self.again(job, progress)
        return job

    def again(self, job: JobRecord, progress: Any = None) -> None:
        steps.STEPS[job.kind](job, workspace=self.workspace, database=self.database, progress=progress or Silent())

    def prepared(self) -> tuple[str, JobRecord]:
        record = self.database.add_dataset(name="patients.csv", source="csv", location="patients.csv")
        random = np.random.default_rng(5)
        path = self.workspace.dataset(record.id) / "upload"
        pd.DataFrame(
            {
                "patient": [f"p{number // 3:03d}" for number in range(300)],
                "age": random.integers(18, 90, 300),
                "sex": random.choice(["F", "M"], 300),
                "hemoglobin": random.normal(12, 2, 300).round(1),
            }
        ).to_csv(path, index=False)
        schema = {
            "columns": [
                {"name": "patient", "kind": "categorical", "role": "patient_key"},
                {"name": "age", "kind": "integer", "minimum": 0, "maximum": 120},
                {"name": "sex", "kind": "categorical", "categories": ["F", "M"]},
                {"name": "hemoglobin", "kind": "numeric", "minimum": 0, "maximum": 30},
            ]
        }
        payload = {"source": "csv", "path": str(path), "interpretation": None, "schema": schema}
        return record.id, self.run("prepare", payload, record.id)

    def trained(self, dataset: str, **options: Any) -> tuple[str, JobRecord]:
        model = self.database.add_model(dataset_id=dataset, generator="resampler", options=options, seed=3)
        payload = {"dataset_id": dataset, "generator": "resampler", "options": options, "seed": 3}
        return model.id, self.run("train", payload, model.id)

    def generated(self, model: str, **spec: Any) -> tuple[str, JobRecord]:
        cohort = self.database.add_cohort(model_id=model, name="c", spec=spec)
        return cohort.id, self.run("generate", {"model_id": model, "spec": spec}, cohort.id)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    registry = types.ModuleType("engine.generators.registry")
    registry.create = lambda name: Resampler()  # type: ignore[attr-defined]
    registry.load = Resampler.load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "engine.generators.registry", registry)
    Resampler.fits.clear()
    Resampler.loads = 0
    return Bench(tmp_path)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_file_becomes_a_data_set_split_by_patient(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    record = bench.database.dataset(dataset)
    assert (record.state, record.rows, record.patients, record.columns) == (State.READY, 300, 100, 3)
    folder = bench.workspace.dataset(dataset)
    assert {path.name for path in folder.iterdir()} == {
        "upload", "table.parquet", "schema.json", "report.json", "splits.json",
    }  # fmt: skip
    table, schema = read_table(folder / "table.parquet")
    assert schema.patient_key == "patient"
    split = read_json(folder / "splits.json")
    assert sorted(split["train"] + split["holdout"]) == list(range(300))
    inside, outside = (set(table["patient"].iloc[split[part]]) for part in ("train", "holdout"))
    assert not inside & outside and 15 < len(outside) < 45


def test_the_open_demo_is_fetched_before_it_is_prepared(bench: Bench, tmp_path: Path) -> None:
    published = tmp_path / "published"
    published.mkdir()
    write_folder(published, patients=30, seed=3)
    publisher = Publisher(published)
    publisher.list_files()
    folder = bench.workspace.downloads / "mimic-iii-demo"
    record = bench.database.add_dataset(name="demo", source="mimic3", location=str(folder))
    bench.run("prepare", {"source": "mimic3", "path": str(folder), "fetch": publisher.address}, record.id)
    publisher.server.shutdown()
    assert bench.database.dataset(record.id).state is State.READY
    assert bench.database.dataset(record.id).patients == 30


def test_preparing_again_replaces_nothing(bench: Bench) -> None:
    dataset, job = bench.prepared()
    folder = bench.workspace.dataset(dataset)
    before = stamps(folder)
    bench.again(job)
    # Killed after the files were in place, before the record said so.
    fingerprint = bench.database.dataset(dataset).fingerprint
    bench.database.update_dataset(dataset, state=State.PENDING, rows=None, fingerprint=None)
    (folder / "upload").unlink()
    bench.again(job)
    del before["upload"]
    assert stamps(folder) == before
    record = bench.database.dataset(dataset)
    assert (record.state, record.rows, record.fingerprint) == (State.READY, 300, fingerprint)


def test_training_sees_the_training_part_only(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    model, job = bench.trained(dataset, epochs=2)
    (fit,) = Resampler.fits
    table, _ = read_table(bench.workspace.dataset(dataset) / "table.parquet")
    held = table["patient"].iloc[read_json(bench.workspace.dataset(dataset) / "splits.json")["holdout"]]
    assert len(fit["table"]) == 300 - len(held) and not set(fit["table"]["patient"]) & set(held)
    assert len(held) > 0
    assert (fit["seed"], fit["options"], fit["checkpoint"]) == (3, {"epochs": 2}, bench.workspace.job(job.id))
    record = bench.database.model(model)
    assert record.state is State.READY and record.report is not None
    folder = bench.workspace.model(model)
    sizes = [(folder / name).stat().st_size for name in ("reservoir.parquet", "manifest.json")]
    assert record.report["model_bytes"] == sum(sizes)
    assert record.report["peak_memory_mb"] > 10
    assert record.report["rows"] == 300 - len(held)


def test_training_again_fits_and_replaces_nothing(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    model, job = bench.trained(dataset)
    before = stamps(bench.workspace.model(model))
    bench.again(job)
    bench.database.update_model(model, state=State.PENDING, report=None)
    bench.again(job)
    assert len(Resampler.fits) == 1
    assert stamps(bench.workspace.model(model)) == before
    assert bench.database.model(model).state is State.READY


def test_a_failed_or_cancelled_fit_leaves_no_model(bench: Bench) -> None:
    dataset, _ = bench.prepared()

    class Stop:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if "loss" in figures:
                raise Cancelled

    model = bench.database.add_model(dataset_id=dataset, generator="resampler", options={}, seed=3)
    payload = {"dataset_id": dataset, "generator": "resampler", "options": {}, "seed": 3}
    with pytest.raises(Cancelled):
        bench.run("train", payload, model.id, Stop())
    with pytest.raises(ValueError, match="a cell"):
        bench.run("train", payload | {"options": {"fail": 1}}, model.id)
    assert list(bench.workspace.model(model.id).iterdir()) == []
    assert [path.name for path in bench.workspace.model(model.id).parent.iterdir()] == [model.id]
    assert bench.database.model(model.id).state is State.PENDING


def test_a_model_deleted_during_its_training_does_not_come_back(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    model = bench.database.add_model(dataset_id=dataset, generator="resampler", seed=3)

    class Delete:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if "loss" in figures:
                bench.database.delete_model(model.id)

    payload = {"dataset_id": dataset, "generator": "resampler", "options": {}, "seed": 3}
    with pytest.raises(UserError, match="no model"):
        bench.run("train", payload, model.id, Delete())
    assert list(bench.workspace.model(model.id).iterdir()) == []


def test_a_cohort_obeys_and_is_told_with_its_origin(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    spec = {"patients": 50, "criteria": [{"column": "age", "minimum": 60}], "columns": ["age", "sex"]}
    cohort, job = bench.generated(model, **spec)
    record = bench.database.cohort(cohort)
    assert (record.state, record.rows, record.compliance) == (State.READY, 50, 1.0)
    assert record.report is not None and record.report["support_rows"] > 0
    folder = bench.workspace.cohort(cohort)
    frame, schema = read_table(folder / "cohort.parquet")
    assert list(frame.columns) == schema.names == ["age", "sex"]
    assert frame["age"].min() >= 60
    manifest = (folder / "manifest.json").read_text()
    assert str(bench.database.dataset(dataset).fingerprint) in manifest and model in manifest
    before = stamps(folder)
    bench.again(job)
    assert stamps(folder) == before


def test_a_second_request_does_not_load_the_model_again(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    first, _ = bench.generated(model, patients=5)
    second, _ = bench.generated(model, patients=5)
    assert Resampler.loads == 1
    parquet = [read_table(bench.workspace.cohort(cohort) / "cohort.parquet")[0] for cohort in (first, second)]
    pd.testing.assert_frame_equal(*parquet)
    other, _ = bench.trained(dataset)
    bench.generated(other, patients=5)
    assert Resampler.loads == 2


def published(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every state of the file that a reader of the comparison could have seen."""
    seen: list[dict[str, Any]] = []
    write = comparing.write_json

    def watched(path: Path, value: Any) -> None:
        write(path, value)
        seen.append(read_json(path))

    monkeypatch.setattr(comparing, "write_json", watched)
    return seen


def states(report: dict[str, Any]) -> dict[str, str]:
    return {name: one["state"] for name, one in report["sections"].items()}


def test_a_comparison_is_published_section_by_section(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = published(bench, monkeypatch)
    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    cohort, _ = bench.generated(model, patients=60)
    bench.run("compare", {"cohort_id": cohort}, cohort)
    assert read_json(bench.workspace.comparison(cohort)) == seen[-1]
    made = [sum(state == "done" for state in states(one).values()) for one in seen]
    assert made == list(range(1, len(SECTIONS) + 1))
    # Pictures come first, and what is not made has no key.
    assert [name for name, state in states(seen[1]).items() if state == "done"] == ["columns", "table_one"]
    assert "scores" not in seen[1] and {"columns", "table_one", "cards", "notes"} <= set(seen[1])
    assert (seen[-1]["synthetic_rows"], seen[-1]["reference"]["all_train_rows"] > 150) == (60, True)


def test_of_a_large_cohort_a_sample_is_compared_and_the_report_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST_SYNTHETIC_ROWS", 80)
    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    cohort, _ = bench.generated(model, patients=300)
    bench.run("compare", {"cohort_id": cohort}, cohort)
    found = read_json(bench.workspace.comparison(cohort))
    assert found["synthetic_rows"] == 80
    assert found["notes"][0].startswith("Compared are 80 of the cohort's 300 synthetic rows, drawn at random")
    bench.run("outcome", {"cohort_id": cohort, "outcome": "hemoglobin"}, cohort)
    analysed = read_json(bench.workspace.outcome(cohort, "hemoglobin"))
    told = [part["notes"] for part in (analysed["conclusion"], analysed["utility"]) if part and "notes" in part]
    assert told and all("80 of the cohort's 300" in notes[-1] for notes in told)


def test_a_failing_section_loses_no_other_and_is_told_without_its_text(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cell = "Smith, J."

    def fail(study: Any, progress: Any) -> dict[str, Any]:
        raise ValueError(cell)

    broken = [replace(one, build=fail) if one.name == "associations" else one for one in SECTIONS]
    monkeypatch.setattr(report, "SECTIONS", tuple(broken))
    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    cohort, _ = bench.generated(model, patients=60)
    bench.run("compare", {"cohort_id": cohort}, cohort)
    found = read_json(bench.workspace.comparison(cohort))
    failed = {name for name, state in states(found).items() if state == "failed"}
    assert failed == {"associations", "scores"}
    assert "ValueError" in found["sections"]["associations"]["reason"]
    assert "'associations', which failed" in found["sections"]["scores"]["reason"]
    assert found["cards"]["fidelity"]["value"] == "not assessable"
    assert {"detection", "privacy", "plausibility"} <= set(found)
    assert cell not in bench.workspace.comparison(cohort).read_text() + caplog.text
    assert "section associations" in caplog.text


def test_a_cancelled_comparison_keeps_what_it_made(bench: Bench) -> None:
    class Stop:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if "SDMetrics" in message:
                raise Cancelled

    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    cohort, _ = bench.generated(model, patients=60)
    with pytest.raises(Cancelled):
        bench.run("compare", {"cohort_id": cohort}, cohort, Stop())
    kept = states(read_json(bench.workspace.comparison(cohort)))
    assert [kept[name] for name in ("columns", "associations", "scores", "privacy")] == [
        "done", "done", "pending", "pending",
    ]  # fmt: skip
    bench.run("compare", {"cohort_id": cohort}, cohort)
    assert set(states(read_json(bench.workspace.comparison(cohort))).values()) == {"done"}


def test_an_outcome_is_analysed_into_a_file_of_its_own(bench: Bench) -> None:
    dataset, _ = bench.prepared()
    model, _ = bench.trained(dataset)
    cohort, _ = bench.generated(model, patients=100)
    bench.run("outcome", {"cohort_id": cohort, "outcome": "hemoglobin"}, cohort)
    found = read_json(bench.workspace.outcome(cohort, "hemoglobin"))
    assert (found["outcome"]["key"], found["outcome"]["kind"]) == ("hemoglobin", "continuous")
    assert found["conclusion"]["reason"] == "" and found["conclusion"]["sentence"].startswith("On hemoglobin")
    assert found["survival"] is None
    assert not bench.workspace.outcome(cohort, "age").exists()
    with pytest.raises(UserError, match="no outcome 'blood type'"):
        bench.run("outcome", {"cohort_id": cohort, "outcome": "blood type"}, cohort)


def test_what_is_not_ready_is_refused(bench: Bench) -> None:
    record = bench.database.add_dataset(name="d", source="csv", location="x")
    model = bench.database.add_model(dataset_id=record.id, generator="resampler")
    cohort = bench.database.add_cohort(model_id=model.id, name="c", spec={"patients": 1})
    with pytest.raises(UserError, match="'d' is not prepared"):
        payload = {"dataset_id": record.id, "generator": "resampler", "options": {}, "seed": 1}
        bench.run("train", payload, model.id)
    with pytest.raises(UserError, match="is not trained"):
        bench.run("generate", {"model_id": model.id, "spec": {"patients": 1}}, cohort.id)
    with pytest.raises(UserError, match="is not generated"):
        bench.run("compare", {"cohort_id": cohort.id}, cohort.id)

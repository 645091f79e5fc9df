"""What leaves holds nothing that was computed on real rows: a patient who alone has a value is in no file.

The whole way is the real one: a private training through its job, a cohort, every export; and without privacy, what is
left of the source in the dictionary, in the file's metadata and in the manifest.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from engine.core.progress import Silent
from engine.core.settings import settings
from engine.core.workspace import Workspace, write_json
from engine.export.formats import FORMATS, export
from engine.jobs import steps
from engine.jobs.queue import Queue
from engine.schema.inference import infer_schema
from engine.schema.table import conform
from engine.services.exports import Exports
from engine.services.studio import Studio
from engine.storage.database import Database
from engine.storage.records import State
from engine.storage.tables import write_table

ROWS = 500
ALONE = "Zyxomarkeritis"
LOWEST, HIGHEST = -87.03125, 9471.140625


def planted() -> pd.DataFrame:
    """Patients of whom one alone has a diagnosis, the lowest and the highest value."""
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "ward": random.choice(["north", "south", "east"], ROWS),
            "diagnosis": random.choice(["asthma", "gout"], ROWS),
            "marker": random.normal(50, 10, ROWS).round(1),
            "visits": random.integers(1, 9, ROWS),
        }
    )
    frame.loc[0, ["diagnosis", "marker"]] = [ALONE, LOWEST]
    frame.loc[1, "marker"] = HIGHEST
    return frame


class Ward:
    """A workspace over the planted table; its steps are called directly."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.database = Database.for_workspace(self.workspace)
        frame = planted()
        self.schema = infer_schema(frame)
        assert ALONE in (self.schema["diagnosis"].categories or ()) and self.schema["marker"].maximum == HIGHEST
        self.dataset = self.database.add_dataset(name="ward.csv", source="csv", location="ward.csv").id
        folder = self.workspace.dataset(self.dataset)
        write_table(folder / "table.parquet", conform(frame, self.schema), self.schema)
        write_json(folder / "splits.json", {"train": list(range(ROWS)), "holdout": []})
        self.database.update_dataset(
            self.dataset, state=State.READY, rows=ROWS, patients=ROWS, columns=4, fingerprint="ab" * 32
        )

    def run(self, kind: str, payload: dict[str, Any], subject: str) -> None:
        job = Queue(self.database).submit(kind, payload, subject)
        steps.STEPS[kind](job, workspace=self.workspace, database=self.database, progress=Silent())

    def cohort(self, options: dict[str, Any], spec: dict[str, Any]) -> str:
        model = self.database.add_model(dataset_id=self.dataset, generator="dp_cgan", options=options, seed=3).id
        payload = {"dataset_id": self.dataset, "generator": "dp_cgan", "options": options, "seed": 3}
        self.run("train", payload, model)
        cohort = self.database.add_cohort(model_id=model, dataset_id=self.dataset, name="a cohort", spec=spec).id
        self.run("generate", {"model_id": model, "spec": spec}, cohort)
        return cohort

    def files(self, cohort: str) -> dict[str, str]:
        """All texts of every export, by file."""
        exports = Exports(Studio(settings())._context)
        found = {}
        for format in FORMATS:
            path = self.workspace.root / f"out-{format}{FORMATS[format].extension}"
            exports.write(cohort, format, path)
            found[format] = texts(path)
        found["manifest beside"] = (self.workspace.root / "out-csv.csv.manifest.json").read_text("utf-8")
        return found


def texts(path: Path) -> str:
    """What a file holds, unpacked; of parquet also its schema, its metadata and the dictionaries of its columns."""
    if path.suffix in (".zip", ".xlsx"):
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        dictionaries = [
            str(chunk.dictionary.to_pylist())
            for column in table.columns
            for chunk in column.chunks
            if hasattr(chunk, "dictionary")
        ]
        metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        return "\n".join([table.to_pandas().to_csv(), json.dumps(metadata), *dictionaries])
    return path.read_text("utf-8")


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    monkeypatch.setenv("COHORT_STUDIO_WORKSPACE", str(tmp_path / "workspace"))
    settings.cache_clear()
    yield Ward(tmp_path / "workspace")
    settings.cache_clear()


def test_a_patient_of_a_private_model_is_in_no_export(ward: Ward) -> None:
    private = {"private": True, "epsilon": 3.0, "delta": 1e-6}
    # A criterion that hardly any patient meets: the cohort is marked as extrapolated by the model's noisy estimate.
    cohort = ward.cohort(private, {"patients": 80, "criteria": [{"column": "visits", "minimum": 8}]})
    for name, content in ward.files(cohort).items():
        assert ALONE not in content, name
        for value in (LOWEST, HIGHEST):
            assert not re.search(rf"(?<![\d.]){abs(value):g}|{abs(value)}", content), (name, value)
        # Counts of real patients, of the whole table too, and the digest of the table.
        assert str(ROWS) not in re.findall(r"(?<![\d.])\d+(?![\d.])", content if "parquet" not in name else ""), name
        assert "abababab" not in content, name
        assert "support" not in content, name
    told = json.loads(ward.files(cohort)["manifest beside"])
    assert told["privacy"]["epsilon"] <= 3.0 and told["privacy"]["unit"] == "patient"
    assert "fingerprint" not in told["source"]


def test_without_privacy_the_files_repeat_no_list_of_the_source(ward: Ward) -> None:
    # The rows of such a model are as confidential as the source; what was computed on the source stays behind anyway.
    cohort = ward.cohort(
        {"private": False}, {"patients": 60, "criteria": [{"column": "diagnosis", "any_of": ["gout"]}]}
    )
    for name, content in ward.files(cohort).items():
        assert ALONE not in content, name
        assert "asthma" not in content, name
        assert "abababab" not in content, name
        assert f"{HIGHEST}" not in content and f"{HIGHEST:g}" not in content, name
    assert json.loads(ward.files(cohort)["manifest beside"])["privacy"] == "none: treat as confidential"
    archive = zipfile.ZipFile(io.BytesIO((ward.workspace.root / "out-csv-archive.zip").read_bytes()))
    dictionary = pd.read_csv(io.BytesIO(archive.read("data_dictionary.csv")), index_col="name")
    assert dictionary.loc["diagnosis", "categories"] == "gout", "what the rows hold anyway"
    assert set(str(dictionary.loc["ward", "categories"]).split("; ")) <= {"north", "south", "east"}


def test_a_frame_with_unused_categories_leaves_without_them(tmp_path: Path) -> None:
    schema = infer_schema(planted())
    frame = conform(planted(), schema)
    path = export(frame[2:], schema, {}, format="parquet", path=tmp_path / "cohort.parquet")
    assert ALONE not in texts(path)
    assert ALONE in texts(export(frame, schema, {}, format="parquet", path=tmp_path / "all.parquet")), (
        "the test can see"
    )

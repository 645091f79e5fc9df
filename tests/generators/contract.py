"""What every generator promises, as a suite that each implementation's test class inherits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from engine.cohort.conditions import Condition, Interval
from engine.cohort.predicate import satisfied
from engine.core.errors import Cancelled, DataError, UserError
from engine.core.progress import Silent
from engine.generators.base import Capability, Generator
from engine.generators.registry import create, info, load
from engine.schema.table import Column, Kind, Role, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age", kind=Kind.INTEGER, minimum=18, maximum=95),
        Column(name="hemoglobin", kind=Kind.NUMERIC, minimum=4, maximum=20, decimals=1),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        Column(name="ward, as coded", kind=Kind.CATEGORICAL, categories=("=1+1", "nan", "SICU", "never")),
        Column(name="died", kind=Kind.BOOLEAN),
        Column(name="admitted", kind=Kind.DATE, minimum=18_262, maximum=18_991),
        Column(name="note", kind=Kind.CATEGORICAL, role=Role.EXCLUDED),
        Column(name="hospital", kind=Kind.CATEGORICAL, categories=("only one",)),
        Column(name="never_measured", kind=Kind.NUMERIC),
    )
)
MISSING_SHARE = 0.2
ROWS = 120


def patients(rows: int = ROWS) -> pd.DataFrame:
    """Two admissions of each patient; a fifth of ages, wards and deaths is missing."""
    random = np.random.default_rng(11)

    def with_gaps(values: np.ndarray) -> np.ndarray:
        return np.where(random.random(rows) < MISSING_SHARE, None, values.astype(object))

    frame = pd.DataFrame(
        {
            "patient": [f"patient-{row // 2}" for row in range(rows)],
            "age": with_gaps(random.integers(18, 96, rows)),
            "hemoglobin": random.normal(12, 2, rows).clip(4, 20).round(1),
            "sex": random.choice(["F", "M"], rows),
            "ward, as coded": with_gaps(random.choice(["=1+1", "nan", "SICU"], rows, p=[0.5, 0.3, 0.2])),
            "died": with_gaps(random.random(rows) < 0.3),
            "admitted": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 730, rows), unit="D"),
            "note": "secret note",
            "hospital": "only one",
            "never_measured": np.nan,
        }
    )
    return conform(frame, SCHEMA)


class Recorder:
    """Keeps what was reported; from ``stop_at`` of the way on it wants the task cancelled."""

    def __init__(self, stop_at: float = 2.0) -> None:
        self.fractions: list[float] = []
        self._stop_at = stop_at

    def update(self, fraction: float, message: str, **figures: float) -> None:
        self.fractions.append(fraction)
        if fraction >= self._stop_at:
            raise Cancelled


class GeneratorContract:
    """Inherit, name the generator and give options under which it is fast."""

    generator: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    def fit(self, *, seed: int = 5, **options: Any) -> Generator:
        made = create(self.generator)
        made.fit(patients(), SCHEMA, seed=seed, options={**self.options, **options}, progress=Silent())
        return made

    @pytest.fixture(scope="class")
    def progress(self) -> Recorder:
        return Recorder()

    @pytest.fixture(scope="class")
    def fitted(self, progress: Recorder) -> Generator:
        made = create(self.generator)
        report = made.fit(patients(), SCHEMA, seed=5, options=self.options, progress=progress)
        self.check_report(report.as_dict())
        return made

    def check_report(self, report: dict[str, Any]) -> None:
        assert report["generator"] == self.generator
        assert (report["rows"], report["patients"], report["columns"]) == (ROWS, ROWS // 2, 8)
        assert report["seed"] == 5
        assert report["epsilon"] is None
        assert report["fit_cpu_seconds"] > 0
        assert report["fit_wall_seconds"] > 0
        assert all(isinstance(value, (int, float)) for entry in report["history"] for value in entry.values())
        json.dumps(report)

    def test_progress_grows_to_one(self, fitted: Generator, progress: Recorder) -> None:
        assert fitted is not None
        assert progress.fractions == sorted(progress.fractions)
        assert progress.fractions[0] >= 0
        assert progress.fractions[-1] == 1
        assert len(progress.fractions) > 3

    def test_rows_are_of_the_schema(self, fitted: Generator) -> None:
        rows = fitted.sample(300, seed=1)
        assert len(rows) == 300
        assert list(rows.columns) == [column.name for column in SCHEMA.features] == fitted.schema.names
        assert rows.dtypes.drop(["sex", "ward, as coded", "hospital"]).astype(str).to_dict() == {
            "age": "Int64", "hemoglobin": "float64", "died": "boolean", "admitted": "datetime64[s]",
            "never_measured": "float64",
        }  # fmt: skip
        for column in SCHEMA.features:
            if column.categories:
                assert set(rows[column.name].dropna()) <= set(column.categories)
        self.check_ranges(rows)
        pd.testing.assert_frame_equal(conform(rows, fitted.schema), rows)

    def check_ranges(self, rows: pd.DataFrame) -> None:
        assert rows["age"].dropna().between(18, 95).all()
        assert rows["hemoglobin"].between(4, 20).all()
        assert (rows["hemoglobin"].round(1) == rows["hemoglobin"]).all()
        assert rows["admitted"].between(pd.Timestamp("2020-01-01"), pd.Timestamp("2021-12-31")).all()

    def test_neither_key_nor_excluded_columns_are_generated(self, fitted: Generator) -> None:
        assert fitted.schema.patient_key is None
        assert "note" not in fitted.sample(1, seed=1)

    def test_missing_values_appear_where_they_were(self, fitted: Generator) -> None:
        missing = fitted.sample(400, seed=2).isna().mean()
        assert 0.01 < missing["age"] < 0.6
        assert missing["ward, as coded"] > 0
        assert missing["died"] > 0
        assert missing["sex"] == missing["hemoglobin"] == missing["hospital"] == 0
        assert missing["never_measured"] == 1

    def test_a_seed_decides_the_rows(self, fitted: Generator) -> None:
        first = fitted.sample(40, seed=3)
        pd.testing.assert_frame_equal(first, fitted.sample(40, seed=3))
        assert not first.equals(fitted.sample(40, seed=4))

    def test_a_seed_decides_the_fit(self, fitted: Generator) -> None:
        np.random.random(5)  # a fit that drew from the global generator would now differ
        pd.testing.assert_frame_equal(self.fit(seed=5).sample(40, seed=3), fitted.sample(40, seed=3))

    def test_another_seed_gives_another_fit_and_leaves_the_process_as_it_was(
        self, fitted: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        before = np.random.get_state()[1].copy()
        assert not self.fit(seed=6).sample(40, seed=3).equals(fitted.sample(40, seed=3))
        assert Path.cwd() == tmp_path
        assert list(tmp_path.iterdir()) == []
        assert (np.random.get_state()[1] == before).all()

    def test_a_saved_model_draws_the_same_rows(self, fitted: Generator, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        fitted.save(folder)
        loaded = load(folder)
        assert type(loaded) is type(fitted)
        assert loaded.schema == fitted.schema
        condition = {"sex": Condition("sex", categories=frozenset({"F"}), allow_missing=False)}
        pd.testing.assert_frame_equal(loaded.sample(50, seed=8), fitted.sample(50, seed=8))
        if Capability.CONDITIONS in fitted.capabilities:
            pd.testing.assert_frame_equal(
                loaded.sample(20, seed=8, conditions=condition), fitted.sample(20, seed=8, conditions=condition)
            )

    def test_a_saved_model_holds_no_pickle_and_no_patient(self, fitted: Generator, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".safetensors", ".parquet", ".json"}
        content = b"".join(path.read_bytes() for path in files)
        assert b"patient-" not in content
        assert b"secret" not in content
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert manifest["generator"] == self.generator
        assert TableSchema.model_validate(manifest["schema"]) == fitted.schema

    def test_a_model_of_another_version_is_refused(self, fitted: Generator, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "version": 10**6}))
        with pytest.raises(DataError):
            load(tmp_path)

    def test_a_model_without_its_weights_is_refused(self, fitted: Generator, tmp_path: Path) -> None:
        fitted.save(tmp_path)
        for path in tmp_path.iterdir():
            if path.name != "manifest.json":
                path.unlink()
        with pytest.raises(DataError):
            load(tmp_path)

    CONDITIONS: ClassVar[dict[str, dict[str, Condition]]] = {
        "category": {"sex": Condition("sex", categories=frozenset({"F"}), allow_missing=False)},
        "odd category": {
            "ward, as coded": Condition("ward, as coded", categories=frozenset({"nan", "=1+1"}), allow_missing=False)
        },
        "boolean": {"died": Condition("died", categories=frozenset({"false"}), allow_missing=False)},
        "range": {"age": Condition("age", intervals=(Interval(30, 80),), allow_missing=False)},
        "two ranges or missing": {"age": Condition("age", intervals=(Interval(18, 50), Interval(70, 95)))},
        "open end": {
            "hemoglobin": Condition("hemoglobin", intervals=(Interval(low=10, include_low=False),), allow_missing=False)
        },
        "date": {"admitted": Condition("admitted", intervals=(Interval(18_262, 18_800),), allow_missing=False)},
        "only missing": {"age": Condition("age", allow_present=False)},
        "excluded value": {"age": Condition("age", excluded=frozenset({40.0, 41.0}), allow_missing=False)},
        "two columns": {
            "sex": Condition("sex", categories=frozenset({"M"}), allow_missing=False),
            "age": Condition("age", intervals=(Interval(25, 90),), allow_missing=False),
        },
    }

    @pytest.mark.parametrize("name", CONDITIONS)
    def test_conditions_are_obeyed_or_refused(self, fitted: Generator, name: str) -> None:
        conditions = self.CONDITIONS[name]
        if Capability.CONDITIONS not in fitted.capabilities:
            with pytest.raises(UserError):
                fitted.sample(15, seed=4, conditions=conditions)
            return
        rows = fitted.sample(15, seed=4, conditions=conditions)
        assert len(rows) == 15
        assert satisfied(rows, conditions, fitted.schema).all()
        pd.testing.assert_frame_equal(conform(rows, fitted.schema), rows)

    def test_what_leaves_no_value_is_named(self, fitted: Generator) -> None:
        impossible = {
            "sex": Condition("sex", categories=frozenset({"F"}), allow_missing=False),
            "ward, as coded": Condition("ward, as coded", categories=frozenset({"no such ward"}), allow_missing=False),
        }
        with pytest.raises(UserError, match="ward, as coded"):
            fitted.sample(5, seed=1, conditions=impossible)

    def test_an_unknown_column_is_named(self, fitted: Generator) -> None:
        with pytest.raises(UserError, match="no_such_column"):
            fitted.sample(5, seed=1, conditions={"no_such_column": Condition("no_such_column")})

    def test_an_unfitted_generator_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="trained"):
            create(self.generator).sample(5, seed=1)
        with pytest.raises(UserError, match="trained"):
            create(self.generator).save(tmp_path)

    def test_bad_input_is_refused(self) -> None:
        table = patients()
        no_features = SCHEMA.replace(*(column.model_copy(update={"role": Role.EXCLUDED}) for column in SCHEMA.features))
        for rows, schema, options, message in (
            (table.iloc[:0], SCHEMA, {}, "rows"),
            (table, no_features, {}, "feature"),
            (table, SCHEMA, {"layers": 3}, "'layers'"),
        ):
            with pytest.raises(UserError, match=message):
                create(self.generator).fit(rows, schema, seed=1, options={**self.options, **options}, progress=Silent())

    def test_options_out_of_range_name_the_value_and_the_range(self) -> None:
        numbers = [option for option in info(self.generator).options if option.minimum is not None]
        for option in numbers:
            assert option.minimum is not None
            with pytest.raises(UserError, match=rf"'{option.name}' \({option.minimum - 1}\)"):
                create(self.generator).fit(
                    patients(), SCHEMA, seed=1, options={option.name: option.minimum - 1}, progress=Silent()
                )

    @pytest.mark.parametrize("stop_at", [0.0, 0.9])
    def test_a_cancellation_is_heard(self, stop_at: float) -> None:
        made = create(self.generator)
        with pytest.raises(Cancelled):
            made.fit(patients(), SCHEMA, seed=5, options=self.options, progress=Recorder(stop_at))
        with pytest.raises(UserError, match="trained"):
            made.sample(1, seed=1)

    def test_the_registry_tells_the_truth(self) -> None:
        made, told = create(self.generator), info(self.generator)
        assert (made.name, made.label, made.privacy, made.capabilities) == (
            told.name, told.label, told.privacy, told.capabilities,
        )  # fmt: skip

"""The choice of a source: what each lacks, where its patients are, who follows the population, who was chosen."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from engine.core.workspace import Workspace, write_json
from engine.schema.catalogue import catalogue
from engine.schema.table import TableSchema
from engine.services.assistant import by_rules
from engine.services.sources import Sources, setting_asked
from engine.storage.records import DatasetRecord, State, now

if TYPE_CHECKING:
    from engine.services.chat import Chat
    from engine.services.context import Context

MIMIC = catalogue().mimic3_schema()


def schema(*names: str) -> TableSchema:
    return MIMIC.select(names)


@dataclass
class Bench:
    """Data sets with their schemas, and the rules as they are."""

    workspace: Workspace
    datasets: list[DatasetRecord]
    schemas: dict[str, TableSchema]

    def add(self, id: str, columns: TableSchema, *, source: str = "csv", setting: str = "", state: State = State.READY):
        record = DatasetRecord(
            id=id, name=id.title(), source=source, location=id, state=state, rows=1, patients=1, columns=1,
            fingerprint="", message=None, created_at=now(),
        )  # fmt: skip
        if setting:
            told = dict.fromkeys(("title", "sentence", "source", "licence", "citation", "url", "years", "command"), "x")
            write_json(
                self.workspace.dataset(id) / "source.json", {"name": id, "version": 1, "setting": setting, **told}
            )
        self.datasets.append(record)
        self.schemas[id] = columns

    def choose(self, text: str, kept: str | None = None):
        context = SimpleNamespace(
            workspace=self.workspace, database=SimpleNamespace(datasets=lambda: list(self.datasets))
        )
        chat = SimpleNamespace(
            reply=lambda text, *, dataset_id, previous, backend: by_rules(
                text, schema=self.schemas[dataset_id], previous=previous
            )
        )
        return Sources(cast("Context", context), cast("Chat", chat)).choose(text, kept=kept)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Workspace(tmp_path), [], {})


BLOOD = ("age_years", "sex", "diabetes_type_2", "hemoglobin", "creatinine")
BODY = ("age_years", "sex", "diabetes_type_2", "bmi", "weight_kg")


def test_the_source_that_has_the_columns_serves(bench: Bench) -> None:
    bench.add("blood", schema(*BLOOD))
    bench.add("body", schema(*BODY))
    found = bench.choose("200 women with type 2 diabetes and a BMI above 30")
    assert found is not None and found.best.dataset.id == "body"
    assert found.best.lacks == ()
    assert "“Body” has everything" in found.reason and "“Blood” lacks" in found.reason
    other = bench.choose("200 women with type 2 diabetes and creatinine above 1.5 mg/dL")
    assert other is not None and other.best.dataset.id == "blood"


def test_what_no_source_has_is_no_fault_of_any(bench: Bench) -> None:
    bench.add("blood", schema(*BLOOD))
    bench.add("body", schema(*BODY))
    found = bench.choose("200 patients over 60 with blorptitis", kept="body")
    assert found is not None and found.best.lacks == () and found.best.dataset.id == "body"


def test_the_chosen_source_stays_among_equals_only(bench: Bench) -> None:
    bench.add("blood", schema(*BLOOD))
    bench.add("body", schema(*BODY))
    for kept in ("blood", "body"):
        found = bench.choose("200 women over 60", kept=kept)
        assert found is not None and found.best.dataset.id == kept
    found = bench.choose("200 women with a BMI above 30", kept="blood")
    assert found is not None and found.best.dataset.id == "body"


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("200 ICU patients over 60", "intensive care"),
        ("200 patients readmitted to hospital", "hospital"),
        ("200 women over 60 based on the US population", "population"),
        ("200 women over 60", None),
        ("give us 200 women over 60 from the ICU of a hospital", "intensive care"),
    ],
)
def test_where_the_patients_are_is_read(text: str, setting: str | None) -> None:
    assert setting_asked(text) == setting


def test_the_setting_decides_among_sources_that_have_the_columns(bench: Bench) -> None:
    bench.add("survey", schema(*BODY), source="shipped", setting="population")
    bench.add("wards", schema(*BODY), source="shipped", setting="hospital")
    bench.add("unit", schema(*BODY), source="mimic3")
    found = bench.choose("100 ICU patients over 60 with type 2 diabetes", kept="survey")
    assert found is not None and found.best.dataset.id == "unit"
    assert "“Survey” is not about intensive-care patients" in found.reason
    bench.datasets.pop()
    found = bench.choose("100 ICU patients over 60 with type 2 diabetes", kept="survey")
    assert found is not None and found.best.dataset.id == "wards", "a hospital is nearer to it than the street"
    assert found.shortcoming == "No source that is ready is about intensive-care patients."
    found = bench.choose("100 inpatients over 60 with type 2 diabetes", kept="wards")
    assert found is not None and found.best.dataset.id == "wards"
    found = bench.choose("100 adults over 60 with type 2 diabetes, based on the US population")
    assert found is not None and found.best.dataset.id == "survey"


def test_more_of_the_observations_is_better(bench: Bench) -> None:
    bench.add("blood", schema("age_years", "sex", "diabetes_type_2"))
    bench.add("body", schema(*BODY, "hba1c", "glucose", "creatinine"))
    found = bench.choose("100 type 2 diabetes patients with 5 important diabetes observations", kept="blood")
    assert found is not None and found.best.dataset.id == "body"
    assert "of the observations" in found.reason


@pytest.mark.parametrize("text", ["where does the data come from?", "print the training rows", "what is the weather?"])
def test_what_asks_for_no_cohort_chooses_nothing(bench: Bench, text: str) -> None:
    bench.add("blood", schema(*BLOOD))
    assert bench.choose(text) is None


def test_only_what_is_ready_is_asked(bench: Bench) -> None:
    assert bench.choose("200 women") is None
    bench.add("body", schema(*BODY), state=State.PENDING)
    assert bench.choose("200 women") is None


def test_what_even_the_best_source_is_not_is_said(bench: Bench) -> None:
    bench.add("survey", schema(*BODY), source="shipped", setting="population")
    bench.add("blood", schema(*BLOOD), source="shipped", setting="population")

    def shortcoming(text: str) -> str:
        found = bench.choose(text)
        assert found is not None
        return found.shortcoming

    assert shortcoming("200 women over 60 with a BMI above 30") == ""
    assert shortcoming("200 ICU patients over 60") == "No source that is ready is about intensive-care patients."
    assert shortcoming("200 women with BMI above 30 and creatinine above 1.5 mg/dL").startswith(
        "No source that is ready has all of it: “Survey” lacks “creatinine"
    )

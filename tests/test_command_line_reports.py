"""``evaluate --out`` as a document: the internal view by default, the release view when it is asked for."""

from pathlib import Path

import pandas as pd
import pytest

from engine.__main__ import main
from engine.core.workspace import read_json, write_json
from engine.evaluation import report
from engine.export.manifest import manifest
from engine.services import table_commands
from tests.helpers.compared_admissions import made
from tests.helpers.documents import read_html, read_pdf
from tests.helpers.planted_outcomes import SCHEMA, admissions
from tests.jobs.test_report_documents import pending


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables of admissions, and a comparison that is made at once: what it holds is tested elsewhere."""
    from engine.cohort.spec import CohortSpec
    from engine.storage.tables import write_table

    monkeypatch.setattr(report, "compare", lambda *tables, **options: pending())
    write_table(tmp_path / "train.parquet", admissions(200, seed=1), SCHEMA)
    admissions(100, seed=2).to_parquet(tmp_path / "holdout.parquet")
    pd.DataFrame(made()).drop(columns="patient_id").to_csv(tmp_path / "cohort.csv", index=False)
    told = manifest(CohortSpec(), source={"name": "the ward"}, generator={"name": "dp_cgan"}, seed=7)
    write_json(tmp_path / "cohort.csv.manifest.json", told)
    return tmp_path


def evaluate(folder: Path, out: str, *options: str, cohort: Path | None = None) -> int:
    tables = [f"--{name}={folder}/{name}.parquet" for name in ("train", "holdout")]
    return main(
        ["evaluate", *tables, f"--synthetic={cohort or folder / 'cohort.csv'}", f"--out={folder}/{out}", *options]
    )


def test_the_extension_decides_and_the_view_is_internal(folder: Path) -> None:
    assert evaluate(folder, "report.html") == 0 and evaluate(folder, "report.pdf") == 0
    for words in (
        read_html((folder / "report.html").read_text("utf-8")).words,
        "".join(read_pdf((folder / "report.pdf").read_bytes())),
    ):
        assert "Internal: contains aggregates of real patients" in words
        assert "Compared with all real rows." in words and "the ward" in words and "800 patients" in words


def test_the_release_view_is_of_the_synthetic_rows(folder: Path) -> None:
    assert evaluate(folder, "report.html", "--view=release") == 0
    words = read_html((folder / "report.html").read_text("utf-8")).words
    assert "Internal" not in words and "Compared with" not in words
    assert "800 rows" in words and "the ward" in words and "No formal guarantee" in words


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_of_a_large_cohort_a_sample_is_compared_and_every_report_says_so(
    folder: Path, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def compare(_train: pd.DataFrame, _holdout: pd.DataFrame, synthetic: pd.DataFrame, *_rest, spec, **_options):
        compared.append((len(synthetic), synthetic.index.is_monotonic_increasing, spec.patients))
        return pending()

    monkeypatch.setattr(report, "compare", compare)
    monkeypatch.setattr(table_commands, "MOST_SYNTHETIC_ROWS", 120)
    if extension == "parquet":
        pd.read_csv(folder / "cohort.csv").to_parquet(folder / "cohort.parquet")
    cohort = folder / f"cohort.{extension}"
    for name, view in (("r.json", "internal"), ("internal.html", "internal"), ("release.html", "release")):
        assert evaluate(folder, name, f"--view={view}", cohort=cohort) == 0
    assert compared == [(120, True, 800)] * 3
    said = "120 of the cohort's 800 synthetic rows"
    assert said in read_json(folder / "r.json")["notes"][0]
    assert said in read_html((folder / "internal.html").read_text("utf-8")).words
    assert "120 of the cohort's 800 rows" in read_html((folder / "release.html").read_text("utf-8")).words


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other"}', "\x00"])
def test_a_manifest_that_is_none_is_told_and_another_programs_is_passed_over(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "manifest.json").write_text(text)
    assert evaluate(folder, "report.html") == 0
    own = folder / "cohort.csv.manifest.json"
    own.write_text(text)
    assert evaluate(folder, "report.html") == 2
    assert "cohort.csv.manifest.json" in capsys.readouterr().err
    own.unlink()
    assert evaluate(folder, "report.html") == 0
    assert "No manifest lies beside" in read_html((folder / "report.html").read_text("utf-8")).words


def test_a_table_that_is_no_parquet_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "holdout.parquet").write_text("a,b\n1,2\n")
    assert evaluate(folder, "report.html") == 2
    assert "not a readable parquet table (holdout.parquet)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "options", "words"),
    [("report.json", ["--view=release"], "the JSON holds aggregates of real patients"),
     ("report.docx", [], "must end in .html, .pdf or .json")],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_anything_is_computed(
    folder: Path, capsys: pytest.CaptureFixture[str], out: str, options: list[str], words: str
) -> None:
    assert evaluate(folder, out, *options) == 2
    assert words in capsys.readouterr().err
    assert not (folder / out).exists()

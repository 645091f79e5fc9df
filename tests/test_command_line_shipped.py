"""The command line takes the name of a model that ships where it takes a model's folder."""

import json
from pathlib import Path

import pandas as pd
import pytest

from engine.__main__ import main
from engine.core.settings import settings
from tests.helpers.small_bundle import NAME, SCHEMA, bundle_in


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One model ships."""
    bundle_in(tmp_path / "shipped")
    monkeypatch.setenv("COHORT_STUDIO_SHIPPED_MODELS", str(tmp_path / "shipped"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_generate_draws_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cohort.csv"
    assert main(["generate", "--model", NAME, "--patients", "40", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 40
    assert list(pd.read_csv(out, comment="#").columns) == SCHEMA.names
    manifest = next(path for path in tmp_path.iterdir() if "manifest" in path.name)
    assert json.loads(manifest.read_text())["source"] == {"model": NAME}


def test_parse_reads_against_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", "80 women with diabetes and a glucose above 150", "--source", NAME]) == 0
    spec = json.loads(capsys.readouterr().out)["spec"]
    assert {one["column"] for one in spec["criteria"]} == {"sex", "diabetes", "glucose"}


def test_train_has_nothing_to_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--table", NAME, "--out", str(tmp_path / "m"), "--no-privacy"]) == 2
    assert "ships as a trained model" in capsys.readouterr().err


def test_an_unknown_source_names_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parse", "80 women", "--source", "nowhere"]) == 2
    assert NAME in capsys.readouterr().err

"""The command line: the same steps as the dashboard's, one JSON object, and exit codes that scripts can trust."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.__main__ import main

ROOT = Path(__file__).resolve().parents[1]


def engine(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def told(result: subprocess.CompletedProcess[str]) -> dict:
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1, "exactly one line of JSON"
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ward's CSV with repeated patients, and a model of it."""
    folder = tmp_path_factory.mktemp("command-line")
    random = np.random.default_rng(5)
    rows = 240
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{number // 2:04}" for number in range(rows)],
            "age_years": random.integers(18, 91, rows),
            "sex": random.choice(["F", "M"], rows),
            "ward": random.choice(["medical", "surgical"], rows),
            "hemoglobin": np.round(random.normal(12, 2, rows), 1),
        }
    )
    frame.to_csv(folder / "ward.csv", index=False)
    trained = engine(
        "train", "--table", folder / "ward.csv", "--out", folder / "model", "--no-privacy", "--seed", "3",
        "--patient-key", "patient_id", "--option", "epochs=2", "--json",
    )  # fmt: skip
    report = told(trained)
    assert {"rows", "patients", "columns", "epsilon", "delta", "fit_cpu_seconds", "fit_wall_seconds",
            "peak_memory_mb", "model_bytes"} <= set(report)  # fmt: skip
    assert (report["rows"], report["patients"], report["columns"]) == (240, 120, 4)
    return folder


@pytest.mark.parametrize(
    ("patients", "words"),
    [
        ("0", "0 patients is not possible: ask for a whole number from 1 to 10,000,000"),
        ("-3", "-3 patients is not possible"),
        ("1.5", "1.5 patients is not possible"),
        ("10000001", "10,000,001 patients is not possible"),
        ("many", "'many' is no number"),
    ],
)
def test_an_impossible_number_of_patients_is_answered_with_the_limits(
    patients: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", "--model", str(tmp_path), f"--patients={patients}", "--out", str(tmp_path / "cohort.csv")]
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert code == 2 and words in capsys.readouterr().err


def test_prepare_writes_a_table_that_carries_its_schema(folder: Path) -> None:
    report = told(
        engine("prepare", "--source", "csv", "--path", folder / "ward.csv", "--out", folder / "ward.parquet",
               "--report", folder / "report.json", "--json")
    )  # fmt: skip
    assert (report["rows"], report["patients"]) == (240, 120)
    assert json.loads((folder / "report.json").read_text())["rows"] == 240
    turn = told(engine("parse", "50 women over 60", "--source", folder / "ward.parquet"))
    assert [criterion["column"] for criterion in turn["spec"]["criteria"]] == ["sex", "age_years"]


def test_generate_obeys_the_spec_and_reports_it(folder: Path) -> None:
    spec = {
        "patients": 80,
        "criteria": [{"column": "sex", "any_of": ["F"]}, {"column": "age_years", "minimum": 60}],
        "shares": [{"column": "ward", "category": "surgical", "share": 0.25}],
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    report = told(
        engine(
            "generate", "--model", folder / "model", "--spec", folder / "spec.json", "--out", folder / "c.csv", "--json"
        )
    )
    assert {"rows", "seconds", "rows_per_second", "compliance", "extrapolated", "support"} <= set(report)
    rows = pd.read_csv(folder / "c.csv")
    assert (report["rows"], report["compliance"]) == (80, 1.0)
    assert set(rows["sex"]) == {"F"}
    assert rows["age_years"].min() >= 60
    assert (rows["ward"] == "surgical").sum() == 20
    assert "patient_id" not in rows
    told(engine("export", "--cohort", folder / "c.csv", "--format", "excel", "--out", folder / "c.xlsx", "--json"))
    assert (folder / "c.xlsx").stat().st_size > 0
    assert not list((folder / "model").rglob("*.pkl"))


def test_evaluate_compares_with_the_real_tables(folder: Path) -> None:
    told(engine("generate", "--model", folder / "model", "--patients", "200", "--out", folder / "e.csv", "--json"))
    result = told(
        engine("evaluate", "--train", folder / "ward.csv", "--holdout", folder / "ward.csv", "--synthetic",
               folder / "e.csv", "--outcome", "sex", "--out", folder / "scores.json", "--json")
    )  # fmt: skip
    assert {one["state"] for one in result["sections"].values()} == {"done"}
    assert {"table_one", "detection", "conclusions", "privacy", "cards"} <= set(result)
    assert result["chosen_outcome"]["outcome"]["key"] == "sex"
    assert result["scores"]["figures"]["shapes"]["synthetic"]["value"] > 0.7
    assert json.loads((folder / "scores.json").read_text())["synthetic_rows"] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "--source", "mimic3", "--path", "{}/nowhere", "--out", "{}/t.parquet"], "nowhere"),
        (["prepare", "--source", "csv", "--path", "{}/ward.csv", "--out", "{}/t.csv"], "must end in .parquet"),
        (
            ["train", "--table", "{}/ward.csv", "--out", "{}/m", "--epsilon", "1"],
            "--epsilon (1) is given without --delta",
        ),
        (["train", "--table", "{}/ward.csv", "--out", "{}/m", "--delta", "1e-5"], "--delta (1e-05) is given without"),
        (
            ["train", "--table", "{}/ward.csv", "--out", "{}/m"],
            "--epsilon E --delta D for a formal guarantee, or --no-",
        ),
        (
            [
                "train",
                "--table",
                "{}/ward.csv",
                "--out",
                "{}/m",
                "--generator",
                "ctgan",
                "--epsilon",
                "1",
                "--delta",
                "1e-5",
            ],
            "ctgan gives no (epsilon, delta) guarantee, so --epsilon (1)",
        ),
        (["ledger", "--set-limit", "5"], "--set-limit (5) names no source"),
        (["train", "--table", "{}/ward.csv", "--out", "{}/m", "--no-privacy", "--option", "depth=3"], "'depth'"),
        (["train", "--table", "{}/ward.csv", "--out", "{}/m", "--no-privacy", "--patient-key", "mrn"], "'mrn'"),
        (["generate", "--model", "{}/nowhere", "--patients", "5", "--out", "{}/x.csv"], "holds no model"),
        (["generate", "--model", "{}/model", "--patients", "0", "--out", "{}/x.csv"], "patients"),
        (["generate", "--model", "{}/model", "--patients", "5", "--out", "{}/x.sas"], ".csv, .parquet or .xlsx"),
        (["generate", "--model", "{}/model", "--spec", "{}/missing.json", "--out", "{}/x.csv"], "missing.json"),
        (["parse", "ten women", "--backend", "oracle"], "'oracle'"),
        (["export", "--cohort", "{}/ward.csv", "--format", "sas", "--out", "{}/x.sas"], "'sas'"),
    ],
)
def test_a_users_mistake_exits_with_2_and_names_the_value(folder: Path, arguments: list[str], message: str) -> None:
    result = engine(*(part.format(folder) for part in arguments))
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_criterion_that_leaves_nothing_is_named(folder: Path) -> None:
    (folder / "impossible.json").write_text('{"patients": 5, "criteria": [{"column": "ward", "any_of": ["moon"]}]}')
    result = engine(
        "generate", "--model", folder / "model", "--spec", folder / "impossible.json", "--out", folder / "x.csv"
    )
    assert result.returncode == 2
    assert "'ward' has no category 'moon'" in result.stderr

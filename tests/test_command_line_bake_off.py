"""``python -m engine bake-off``: one table for several generators, paid from the ledger, and refusals that say why."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


def engine(workspace: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COHORT_STUDIO_WORKSPACE": str(workspace)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 300 admissions of 150 patients."""
    path = tmp_path_factory.mktemp("bake-off") / "ward.csv"
    random = np.random.default_rng(5)
    rows = 300
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{number // 2:04}" for number in range(rows)],
            "age_years": random.integers(18, 91, rows),
            "sex": random.choice(["F", "M"], rows),
            "died_in_hospital": random.choice(["no", "yes"], rows, p=[0.7, 0.3]),
        }
    )
    frame.to_csv(path, index=False)
    return path


def test_generators_share_one_table_and_the_private_one_pays(ward: Path, tmp_path: Path) -> None:
    out, workspace = tmp_path / "results.json", tmp_path / "workspace"
    asked = [
        "bake-off", "--table", ward, "--patient-key", "patient_id", "--out", out, "--generators", "gaussian_copula",
        "dp_cgan", "--epsilon", "3", "--delta", "1e-3", "--rows", "150", "--seed", "4",
    ]  # fmt: skip
    done = engine(workspace, *asked)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("generator") and lines[1].startswith("Real hold-out")
    assert lines[-2].startswith("Columns shuffled") and "internal: aggregates of real patients" in lines[-1]
    result = json.loads(out.read_text())
    assert [(line["key"], line["state"]) for line in result["contenders"]] == [
        ("gaussian_copula", "done"), ("dp_cgan", "done"), ("dp_cgan_eps3", "done"),
    ]  # fmt: skip
    assert result["outcome"]["key"] == "died_in_hospital"
    assert result["train_rows"] + result["holdout_rows"] == 300 and result["train_rows"] % 2 == 0, "split by patient"
    assert not out.with_name("results.json.checkpoint").exists()
    account = json.loads(engine(workspace, "ledger", "--json").stdout)
    assert account["spent"] == pytest.approx(3.0, rel=0.02)
    # What is finished is not done again; another bake-off does not go on in its file.
    again = engine(workspace, *asked, "--resume", "--json")
    assert json.loads(again.stdout)["contenders"] == result["contenders"]
    other = engine(workspace, *asked[:-1], "5", "--resume")
    assert other.returncode == 2 and "results.json is of another bake-off" in other.stderr
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("".join(ward.read_text().splitlines(keepends=True)[:-2]))
    moved = engine(workspace, *[fewer if one is ward else one for one in asked], "--resume")
    assert moved.returncode == 2 and "results.json is of another bake-off" in moved.stderr
    out.write_text("{")
    assert engine(workspace, *asked, "--resume").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epsilon", "3"], "--epsilon and --delta are given together"),
        (["--generators", "tvae", "--epsilon", "3", "--delta", "1e-5"], "none of these generators gives an"),
        (["--generators", "gan"], "no generator 'gan'"),
        (["--generators", "tvae", "tvae"], "tvae is there twice"),
        (["--generators", "tvae", "--outcome", "blood"], "no outcome 'blood'"),
        (["--generators", "tvae", "--rows", "3"], "rows (3) must lie between"),
        (["--generators", "tvae", "--limit-seconds", "inf"], "the time limit (inf s)"),
        (["--out", "results.csv"], "must end in .json"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    ward: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = tmp_path / "results.json"
    done = engine(tmp_path / "workspace", "bake-off", "--table", ward, "--out", out, *arguments)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert not out.exists()

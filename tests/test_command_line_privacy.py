"""Private trainings from a shell: nothing is assumed, everything is charged, and the ledger tells."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.core.settings import settings
from engine.core.workspace import read_json
from engine.privacy.accounting import events_from_json, quick_epsilon
from tests.helpers.prepared_workspace import patients
from tests.helpers.private_generator import INFO, Noisy

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ward's CSV of 300 patients, an empty workspace, and a private generator under the name dp_cgan."""
    monkeypatch.setenv("COHORT_STUDIO_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr("engine.services.budgets.info", lambda name: INFO)
    monkeypatch.setattr("engine.generators.registry.create", lambda name: Noisy())
    monkeypatch.setattr("engine.generators.registry.load", Noisy.load)
    settings.cache_clear()
    patients(300, seed=1).to_csv(tmp_path / "ward.csv", index=False)
    yield tmp_path  # type: ignore[misc]
    settings.cache_clear()


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str, fails: str | None = None) -> dict[str, Any]:
        code = main([part.replace("{}", str(folder)) for part in arguments] + ["--json"])
        shown = capsys.readouterr()
        if fails is not None:
            assert code == 2 and fails in shown.err, shown.err
            return {}
        assert code == 0, shown.err
        assert shown.out.count("\n") == 1
        return json.loads(shown.out)

    return call


TRAIN = ("train", "--table", "{}/ward.csv", "--out", "{}/model", "--patient-key", "patient_id")
PRIVATE = (*TRAIN, "--epsilon", "3", "--delta", "1e-3")


def test_a_private_training_is_charged_and_told(run: Run, folder: Path) -> None:
    report = run(*PRIVATE)
    assert report["epsilon"] == pytest.approx(3.0, rel=1e-3) and report["delta"] == 1e-3
    account = run("ledger", "--source", "ward.csv")
    assert {"limit", "spent", "remaining", "runs"} <= set(account)
    assert account["limit"] == 25.0 and account["spent"] == pytest.approx(3.0, rel=1e-3)
    assert account["remaining"] > 20
    (one,) = account["runs"]
    assert one["state"] == "finished" and one["spent"] == pytest.approx(3.0, rel=1e-3)
    run("generate", "--model", "{}/model", "--patients", "20", "--out", "{}/c.csv")
    assert run("ledger", "--source", "ward.csv")["spent"] == account["spent"], "drawing cohorts costs nothing"
    assert not (folder / "model.checkpoint").exists()


def test_the_ledger_lists_every_source(run: Run, folder: Path) -> None:
    assert run("ledger") == {"limit": 25.0, "spent": 0.0, "remaining": 25.0, "runs": [], "sources": []}
    run(*PRIVATE)
    alone = run("ledger")
    assert alone["spent"] == alone["sources"][0]["spent"]
    other = patients(40, seed=2)
    other["patient_id"] = [f"Q{number}" for number in range(40)]
    other.to_csv(folder / "other.csv", index=False)
    run("train", "--table", "{}/other.csv", "--out", "{}/m2", "--patient-key", "patient_id", "--epsilon", "1",
        "--delta", "1e-2")  # fmt: skip
    assert [one["source"] for one in run("ledger")["sources"]] == ["ward.csv", "other.csv"]


def test_a_file_with_known_patients_shares_their_budget(run: Run, folder: Path) -> None:
    run(*PRIVATE)
    patients(100, seed=8).to_csv(folder / "newer.csv", index=False)
    run("train", "--table", "{}/newer.csv", "--out", "{}/m2", "--patient-key", "patient_id", "--epsilon", "3",
        "--delta", "1e-3")  # fmt: skip
    account = run("ledger", "--source", "ward.csv")
    assert account["members"] == ["ward.csv", "newer.csv"]
    assert 4 < account["spent"] < 6
    run("ledger", "--source", "newer.csv", fails="no source 'newer.csv'")


def test_a_limit_is_set_and_then_holds(run: Run) -> None:
    run(*PRIVATE)
    assert run("ledger", "--source", "ward.csv", "--set-limit", "4")["limit"] == 4.0
    run(*PRIVATE, "--seed", "99", fails="epsilon 3 at delta 0.001 does not fit the privacy budget of 'ward.csv'")
    run("ledger", "--source", "ward.csv", "--set-limit", "-4", fails="epsilon (-4.0)")
    again = run(*PRIVATE)
    assert again["epsilon"] == pytest.approx(3.0, rel=1e-3)
    assert run("ledger", "--source", "ward.csv")["spent"] == pytest.approx(3.0, rel=1e-3), "the same release again"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--epsilon", "3"), "--epsilon (3) is given without --delta"),
        (("--delta", "1e-3"), "--delta (0.001) is given without --epsilon"),
        ((), "Give --epsilon E --delta D for a formal guarantee, or --no-privacy"),
        (("--epsilon", "3", "--delta", "1e-3", "--no-privacy"), "contradict each other"),
        (("--epsilon", "0", "--delta", "1e-3"), "epsilon (0.0) must be a positive"),
        (("--epsilon", "nan", "--delta", "1e-3"), "epsilon (nan)"),
        (("--epsilon", "3", "--delta", "1"), "delta (1.0) must be below 1"),
        (("--epsilon", "26", "--delta", "1e-3"), "at most epsilon 25 more fits"),
        (("--no-privacy", "--option", "epsilon=3"), "--option epsilon is set by flags"),
    ],
)
def test_nothing_of_a_budget_is_assumed(run: Run, folder: Path, flags: tuple[str, ...], message: str) -> None:
    run(*TRAIN, *flags, fails=message)
    assert not (folder / "model").exists()


def test_training_without_privacy_opens_no_ledger_and_its_manifest_says_so(run: Run, folder: Path) -> None:
    assert run(*TRAIN, "--no-privacy")["epsilon"] is None
    assert not (folder / "workspace").exists()
    run("generate", "--model", "{}/model", "--patients", "20", "--out", "{}/c.csv")
    assert read_json(folder / "model" / "fit.json")["epsilon"] is None


KILLED = """
import os, signal, sys
import engine.generators.registry as registry
import engine.services.budgets as budgets
from engine.__main__ import main
from tests.helpers.private_generator import INFO, Noisy
registry.create, budgets.info = (lambda name: Noisy()), (lambda name: INFO)
class Kill:
    def update(self, fraction, message, **figures):
        if message == "After measurement 1":
            os.kill(os.getpid(), int(sys.argv[1]))
import engine.__main__
engine.__main__.Console = Kill
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "begun again"])
def test_an_interrupted_training_goes_on_in_the_ledger(
    run: Run, folder: Path, how: signal.Signals, resume: bool
) -> None:
    command = [part.replace("{}", str(folder)) for part in PRIVATE]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(int(how)), *command], cwd=ROOT, env=os.environ, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == (-how if how is signal.SIGKILL else 1), done.stderr.decode()
    held = run("ledger", "--source", "ward.csv")
    if how is signal.SIGKILL:
        assert held["spent"] == pytest.approx(3.0, rel=1e-3)
    else:
        assert 0 < held["spent"] < 2.5
    run(*PRIVATE, *(["--resume"] if resume else []))
    account = run("ledger", "--source", "ward.csv")
    # The same key and inputs give the same noise, so what was measured before the interruption is not paid twice.
    assert account["spent"] == pytest.approx(3.0, rel=1e-3)
    assert len(account["runs"]) == (1 if resume else 2)
    assert all(one["state"] != "reserved" for one in account["runs"])


def test_the_account_in_words(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger"]) == 0
    assert "no source is registered yet" in capsys.readouterr().out
    run(*PRIVATE)
    assert main(["ledger"]) == 0
    shown = capsys.readouterr().out
    assert "ward.csv: epsilon 3.00 of 25 spent (at delta 0.001)" in shown
    assert "finished" in shown and "3.00 of 3 spent" in shown


def test_one_run_costs_what_its_events_say(run: Run, folder: Path) -> None:
    run(*PRIVATE)
    events = events_from_json(read_json(folder / "model" / "fit.json")["privacy"]["events"])
    assert quick_epsilon(events, 1e-3) == pytest.approx(3.0, rel=1e-3)

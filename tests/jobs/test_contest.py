"""Bake-offs in the worker: what is finished is kept, what fails ends no other, and private contenders pay."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.core.errors import Cancelled, UserError
from engine.core.progress import Silent
from engine.core.workspace import Workspace, read_json
from engine.evaluation.bake_off.yardstick import Yardstick
from engine.generators.base import FitReport
from engine.jobs import contest as contest_module
from engine.jobs import steps
from engine.jobs.budget import dataset_account, run_of
from engine.jobs.contenders import Contest
from engine.jobs.queue import LeaseLostError, Queue
from engine.jobs.records import JobRecord
from engine.jobs.reporting import StoppedError
from engine.privacy.accounts import Account, RunState
from engine.privacy.ledger import Ledger
from engine.storage.database import Database
from engine.storage.records import State
from tests.helpers.private_generator import Noisy

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = {"private": True, "epsilon": 3.0, "delta": 1e-3}
PLAIN = {"private": False}
SURE = ("dp_cgan", {**PLAIN, "epochs": 1})


class Copier(Noisy):
    """Draws the rows it saw, fails on request, and remembers its fits."""

    fits: list[str] = []  # noqa: RUF012
    raises: BaseException | None = None

    def fit(self, table, schema, *, seed, options, progress, checkpoint=None) -> FitReport:
        Copier.fits.append("private" if options.get("private") else "plain")
        assert list(table.index) == list(range(210)), "the training part of the split, and nothing else"
        progress.update(0.5, "Half", loss=0.5)
        if Copier.raises is not None and not options.get("private"):
            raise Copier.raises
        asked = {"private": False, **options}
        return super().fit(table, schema, seed=seed, options=asked, progress=progress, checkpoint=checkpoint)


class Kept(Copier):
    """A package of which only synthetic rows are kept."""

    name, label, capabilities = "gaussian_copula", "Kept", frozenset()

    def available(self, conditions=None) -> int:
        return 210


class Stop:
    """Raises ``error`` at the report whose message ends so."""

    def __init__(self, message: str, error: BaseException) -> None:
        self._message, self._error = message, error

    def update(self, fraction: float, message: str, **figures: float) -> None:
        assert not figures, "contenders share one job: their losses are no history"
        if message.endswith(self._message):
            raise self._error


class Bench:
    """A workspace with a data set of 300 patients; the step is called directly."""

    def __init__(self, root: Path) -> None:
        from tests.helpers.prepared_workspace import prepare

        self.workspace = Workspace(root)
        prepare(self.workspace)
        self.database = Database.for_workspace(self.workspace)
        self.queue = Queue(self.database)
        self.ledger = Ledger(self.database, self.workspace, epsilon_limit=25.0)
        (self.dataset,) = (record.id for record in self.database.datasets())

    def submit(self, *asked: tuple[str, dict[str, Any]], **changed: Any) -> JobRecord:
        given = {"rows": 200, "seed": 3, "outcome": "died_in_hospital", "limit_seconds": 60.0} | changed
        payload = {"dataset_id": self.dataset, **Contest.of(asked, **given).as_json()}
        return self.queue.submit("bake_off", payload, f"bakeoff{len(self.queue.jobs())}")

    def run(self, job: JobRecord, progress: Any = None) -> dict[str, Any]:
        steps.STEPS["bake_off"](
            job, workspace=self.workspace, database=self.database, progress=progress or Silent()
        )  # fmt: skip
        return self.result(job)

    def result(self, job: JobRecord) -> dict[str, Any]:
        return read_json(self.workspace.bake_off(job.subject))

    def state(self, job: JobRecord, key: str) -> RunState | None:
        run = self.ledger.run(run_of(job.id, key))
        return None if run is None else run.state

    @property
    def account(self) -> Account:
        return dataset_account(self.ledger, self.database, self.workspace, self.dataset)


def made(name: str) -> Noisy:
    return Kept() if name == "gaussian_copula" else Copier()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("engine.generators.registry.create", made)
    monkeypatch.setattr("engine.generators.registry.load", Noisy.load)
    monkeypatch.setattr(Copier, "fits", [])
    monkeypatch.setattr(Copier, "raises", None)
    monkeypatch.setattr(Noisy, "measured", [])
    return Bench(tmp_path / "workspace")


def unmeasured(replace: Any) -> list[int]:
    """Let the yardstick only note the sizes of the tables; ``replace``: as ``setattr``."""
    sizes: list[int] = []

    def figures(self: Yardstick, synthetic: pd.DataFrame, progress: Any = None) -> dict[str, Any]:
        sizes.append(len(synthetic))
        (progress or Silent()).update(1.0, "Measured")
        return {}

    replace(Yardstick, "figures", figures)
    replace(Yardstick, "ceiling", lambda self, progress=None: {})
    replace(Yardstick, "chosen_model", lambda self: None)
    return sizes


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the tables that were measured; their figures are not computed."""
    return unmeasured(monkeypatch.setattr)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {line["key"]: line["state"] for line in result["contenders"]}


def test_every_line_has_figures_costs_and_what_frames_them(bench: Bench) -> None:
    result = bench.run(bench.submit(SURE, ("gaussian_copula", {})))
    assert states(result) == {"dp_cgan": "done", "gaussian_copula": "done"}
    assert (result["internal"], result["train_rows"], result["holdout_rows"]) == (True, 210, 90)
    assert result["outcome"]["label"] == "Died in hospital" and result["outcome"]["score"] == "AUROC"
    for line in (result["ceiling"], *result["contenders"], result["floor"]):
        assert line["figures"]["quality"]["value"] is not None, line["key"]
    ours, package = result["contenders"]
    # A resampler's rows are the patients' rows.
    assert ours["figures"]["copies"]["text"] == "all"
    assert result["floor"]["figures"]["copies"]["value"] != 1.0
    assert ours["cost"]["peak_memory_mb"]["value"] > 50 and ours["cost"]["rows_per_second"]["value"] > 1_000
    assert package["cost"]["rows_per_second"]["text"] == "in the fit"
    assert package["label"] == "Gaussian copula" and ours["label"].endswith(", not private")
    assert result["asked"]["contenders"][1]["options"] == {"reservoir_rows": 200}


def test_finished_contenders_are_kept_when_the_worker_is_stopped(bench: Bench, measured: list[int]) -> None:
    job = bench.submit(("gaussian_copula", {}), SURE)
    with pytest.raises(StoppedError):
        bench.run(job, Stop("not private: Half", StoppedError()))
    assert states(bench.result(job)) == {"gaussian_copula": "done", "dp_cgan": "running"}
    first = bench.result(job)["contenders"][0]
    result = bench.run(job)
    assert states(result) == {"gaussian_copula": "done", "dp_cgan": "done"}
    assert result["contenders"][0] == first
    # One fit of the first, two begun of the second; the references were measured once.
    assert len(Copier.fits) == 3 and len(measured) == 3


def test_a_contender_that_was_fitted_is_not_fitted_again_to_be_measured(bench: Bench, measured: list[int]) -> None:
    job = bench.submit(SURE)
    with pytest.raises(LeaseLostError):
        bench.run(job, Stop("not private: Measured", LeaseLostError()))
    assert states(bench.run(job)) == {"dp_cgan": "done"}
    assert Copier.fits == ["plain"]


KILLED = """
import sys
from pathlib import Path
from tests.jobs.test_contest import Database, Queue, Workspace, made, os, signal, steps, unmeasured
import engine.generators.registry as registry
registry.create = made
unmeasured(setattr)
workspace = Workspace(Path(sys.argv[1]))
database = Database.for_workspace(workspace)
class Kill:
    def update(self, fraction, message, **figures):
        if message.endswith("After measurement 1"):
            os.kill(os.getpid(), signal.SIGKILL)
steps.STEPS["bake_off"](Queue(database).job(sys.argv[2]), workspace=workspace, database=database, progress=Kill())
"""


def test_a_killed_worker_loses_no_finished_contender_and_no_reservation(bench: Bench, measured: list[int]) -> None:
    job = bench.submit(SURE, ("dp_cgan", PRIVATE))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(bench.workspace.root), job.id], cwd=ROOT, env=os.environ,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    before = bench.result(job)
    assert states(before) == {"dp_cgan": "done", "dp_cgan_eps3": "running"}
    assert bench.state(job, "dp_cgan_eps3") is RunState.RESERVED
    assert bench.account.spent == pytest.approx(3.0, rel=1e-3), "all of it"
    result = bench.run(job)
    assert Copier.fits == ["private"]
    assert result["contenders"][0] == before["contenders"][0]
    assert bench.state(job, "dp_cgan_eps3") is RunState.FINISHED
    assert "Continued after an interruption" in result["contenders"][1]["notes"][0]
    assert len(bench.account.runs) == 1


def test_private_contenders_pay_like_a_training_and_together(bench: Bench, measured: list[int]) -> None:
    job = bench.submit(("dp_cgan", PRIVATE), ("dp_cgan", {**PRIVATE, "epsilon": 1.0}), SURE)
    result = bench.run(job)
    assert states(result) == {"dp_cgan_eps3": "done", "dp_cgan_eps1": "done", "dp_cgan": "done"}
    account = bench.account
    assert {run.run_id for run in account.runs} == {f"{job.id}-dp_cgan_eps3", f"{job.id}-dp_cgan_eps1"}
    assert 3.0 < account.spent < 4.0
    assert result["contenders"][0]["privacy"] == {"epsilon": pytest.approx(3.0, rel=1e-3), "delta": 1e-3}
    assert result["contenders"][2]["privacy"] is None
    # The training of the same model on the same rows is the same release.
    options = result["asked"]["contenders"][0]["options"]
    model = bench.database.add_model(dataset_id=bench.dataset, generator="dp_cgan", options=options, seed=3)
    payload = {"dataset_id": bench.dataset, "generator": "dp_cgan", "options": options, "seed": 3}
    trained = bench.queue.submit("train", payload, model.id)
    steps.train(trained, workspace=bench.workspace, database=bench.database, progress=Silent())
    assert bench.account.spent == account.spent


def test_what_does_not_fit_the_budget_is_refused_in_its_line(bench: Bench, measured: list[int]) -> None:
    bench.ledger.set_limit(bench.account.source, 3.5)
    result = bench.run(bench.submit(("dp_cgan", PRIVATE), ("dp_cgan", {**PRIVATE, "epsilon": 2.9}), SURE))
    assert states(result) == {"dp_cgan_eps3": "done", "dp_cgan_eps2.9": "failed", "dp_cgan": "done"}
    assert "does not fit the privacy budget" in result["contenders"][1]["reason"]
    assert Copier.fits == ["private", "plain"] and bench.account.spent <= 3.5


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("Smith, J."), "ValueError"),
        (MemoryError(), "memory was not enough"),
        (UserError("the table cannot be learned", remedy="Exclude a column."), "Exclude a column."),
    ],
    ids=["foreign", "memory", "ours"],
)
def test_a_failing_contender_ends_no_other_and_tells_no_cell(
    bench: Bench, measured: list[int], error: BaseException, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    Copier.raises = error
    job = bench.submit(SURE, ("dp_cgan", PRIVATE))
    result = bench.run(job)
    assert states(result) == {"dp_cgan": "failed", "dp_cgan_eps3": "done"}
    assert told in result["contenders"][0]["reason"]
    assert "Smith" not in bench.workspace.bake_off(job.subject).read_text() + caplog.text


def test_a_contender_past_its_time_says_so_and_what_it_measured_is_charged(
    bench: Bench, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(contest_module.time, "monotonic", lambda: float(next(clock)))
    job = bench.submit(("dp_cgan", PRIVATE), ("gaussian_copula", {}), limit_seconds=70.0)
    result = bench.run(job)
    assert states(result) == {"dp_cgan_eps3": "failed", "gaussian_copula": "done"}
    assert result["contenders"][0]["reason"] == "Its training took longer than the limit of 70 s."
    assert bench.state(job, "dp_cgan_eps3") is RunState.STOPPED
    assert 0 < bench.account.spent < 3.0


def test_a_cancelled_bake_off_keeps_its_lines_and_goes_on_when_tried_again(bench: Bench, measured: list[int]) -> None:
    job = bench.submit(("gaussian_copula", {}), ("dp_cgan", PRIVATE))
    with pytest.raises(Cancelled):
        bench.run(job, Stop("After measurement 1", Cancelled()))
    assert states(bench.result(job)) == {"gaussian_copula": "done", "dp_cgan_eps3": "running"}
    assert bench.state(job, "dp_cgan_eps3") is RunState.STOPPED
    assert states(bench.run(job)) == {"gaussian_copula": "done", "dp_cgan_eps3": "done"}
    assert Copier.fits == ["plain", "private", "private"]
    assert len(bench.account.runs) == 1 and bench.account.spent <= 3.001


def test_a_bake_off_cancelled_while_its_worker_was_dead_is_settled_when_looked_at(
    bench: Bench, measured: list[int]
) -> None:
    job = bench.submit(("dp_cgan", PRIVATE))
    with pytest.raises(StoppedError):
        bench.run(job, Stop("After measurement 1", StoppedError()))
    held = bench.ledger.account(bench.account.source).spent
    assert bench.state(job, "dp_cgan_eps3") is RunState.RESERVED
    bench.queue.cancel(job.id)
    assert 0 < bench.account.spent < held
    assert bench.state(job, "dp_cgan_eps3") is RunState.STOPPED


def test_a_finished_bake_off_that_runs_again_changes_nothing(bench: Bench, measured: list[int]) -> None:
    job = bench.submit(SURE, ("dp_cgan", PRIVATE))
    result = bench.run(job)
    assert bench.run(job) == result
    assert len(Copier.fits) == 2


@pytest.mark.parametrize(
    ("asked", "changed", "message"),
    [
        ([], {}, "no generator was chosen"),
        ([SURE, SURE], {}, "dp_cgan is there twice"),
        ([("gan", {})], {}, "no generator 'gan'"),
        ([SURE], {"rows": 10}, r"rows \(10\) must lie between 100"),
        ([SURE], {"rows": 10**9}, "must lie between"),
        ([SURE], {"limit_seconds": 0.0}, r"the time limit \(0 s\)"),
        ([SURE], {"limit_seconds": float("nan")}, r"the time limit \(nan s\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(asked: list[Any], changed: dict[str, Any], message: str) -> None:
    given = {"rows": 200, "seed": 3, "outcome": None, "limit_seconds": 60.0} | changed
    with pytest.raises(UserError, match=message):
        Contest.of(asked, **given)


def test_an_unknown_outcome_or_an_unprepared_data_set_ends_the_job(bench: Bench) -> None:
    with pytest.raises(UserError, match="no outcome 'blood type'"):
        bench.run(bench.submit(SURE, outcome="blood type"))
    record = bench.database.add_dataset(name="d", source="csv", location="x")
    assert record.state is State.PENDING
    bench.dataset = record.id
    with pytest.raises(UserError, match="'d' is not prepared"):
        bench.run(bench.submit(SURE))

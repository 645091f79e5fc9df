"""Private trainings in the worker: charged before they measure, settled in every ending, never refunded."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import Cancelled, InternalError, UserError
from engine.core.progress import Silent
from engine.core.workspace import Workspace, read_json
from engine.export.manifest import NO_PRIVACY
from engine.jobs import steps
from engine.jobs.budget import dataset_account
from engine.jobs.queue import LeaseLostError, Queue
from engine.jobs.records import JobRecord
from engine.jobs.reporting import StoppedError
from engine.privacy.accounts import Account, RunState
from engine.privacy.ledger import Ledger
from engine.storage.database import Database
from engine.storage.records import State
from tests.helpers.prepared_workspace import SCHEMA, patients
from tests.helpers.private_generator import Noisy

ROOT = Path(__file__).resolve().parents[2]
ASKED = {"private": True, "epsilon": 3.0, "delta": 1e-3}


class Stop:
    """Raises ``error`` at the report that says ``message``."""

    def __init__(self, message: str, error: BaseException) -> None:
        self._message, self._error = message, error

    def update(self, fraction: float, message: str, **figures: float) -> None:
        if message == self._message:
            raise self._error


class Bench:
    """A workspace with a data set of 300 patients; training steps are called directly."""

    def __init__(self, root: Path) -> None:
        from tests.helpers.prepared_workspace import prepare

        self.workspace = Workspace(root)
        prepare(self.workspace)
        self.database = Database.for_workspace(self.workspace)
        self.queue = Queue(self.database)
        self.ledger = Ledger(self.database, self.workspace, epsilon_limit=25.0)
        (self.dataset,) = (record.id for record in self.database.datasets())

    def submit(self, dataset: str | None = None, seed: int = 3, **options: Any) -> JobRecord:
        of = dataset or self.dataset
        asked = ASKED | options
        model = self.database.add_model(dataset_id=of, generator="dp_cgan", options=asked, seed=seed)
        payload = {"dataset_id": of, "generator": "dp_cgan", "options": asked, "seed": seed}
        return self.queue.submit("train", payload, model.id)

    def train(self, job: JobRecord | None = None, progress: Any = None, **options: Any) -> JobRecord:
        job = job or self.submit(**options)
        steps.train(job, workspace=self.workspace, database=self.database, progress=progress or Silent())
        return job

    @property
    def account(self) -> Account:
        return dataset_account(self.ledger, self.database, self.workspace, self.dataset)

    def state(self, job: JobRecord) -> RunState | None:
        run = self.ledger.run(job.id)
        return None if run is None else run.state


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("engine.generators.registry.create", lambda name: Noisy())
    monkeypatch.setattr("engine.generators.registry.load", Noisy.load)
    monkeypatch.setattr(Noisy, "measured", [])
    return Bench(tmp_path / "workspace")


def test_a_finished_training_is_charged_with_what_it_executed(bench: Bench) -> None:
    job = bench.train()
    account = bench.account
    assert account.spent == pytest.approx(3.0, rel=1e-3)
    assert account.runs[0].spent == pytest.approx(3.0, rel=1e-3)
    assert bench.state(job) is RunState.FINISHED
    report = bench.database.model(job.subject).report
    assert report is not None and report["epsilon"] == pytest.approx(3.0, rel=1e-3)
    assert len(report["privacy"]["events"]) == 2


def test_a_training_without_privacy_costs_nothing_and_must_say_so(bench: Bench) -> None:
    bench.train(private=False, epsilon=None, delta=None)
    assert bench.account.runs == ()
    for options, message in (
        ({"private": None}, "not told whether to be private"),
        ({"epsilon": None}, "no epsilon"),
        ({"delta": None}, "no delta"),
        ({"epsilon": -1.0}, r"epsilon \(-1.0\)"),
        ({"delta": 1.0}, r"delta \(1.0\)"),
    ):
        with pytest.raises(UserError, match=message):
            bench.train(**options)
    assert bench.account.runs == ()


def test_what_does_not_fit_measures_nothing(bench: Bench) -> None:
    bench.ledger.set_limit(bench.account.source, 4.0)
    bench.train()
    measured = len(Noisy.measured)
    with pytest.raises(UserError, match=r"does not fit the privacy budget of 'ward.csv'"):
        bench.train(seed=4)
    assert len(Noisy.measured) == measured


@pytest.mark.parametrize(
    ("at", "state", "events"),
    [
        ("Before measurement 1", RunState.RELEASED, 0),
        ("After measurement 1", RunState.STOPPED, 1),
        ("After measurement 2", RunState.STOPPED, 2),
    ],
)
@pytest.mark.parametrize("error", [Cancelled(), ValueError("a cell"), MemoryError()], ids=lambda error: repr(error))
def test_a_cancelled_or_failed_training_is_charged_with_what_it_executed(
    bench: Bench, at: str, state: RunState, events: int, error: BaseException
) -> None:
    job = bench.submit()
    with pytest.raises(type(error)):
        bench.train(job, Stop(at, error))
    assert bench.state(job) is state
    run = bench.ledger.run(job.id)
    assert run is not None and len(run.events) == events
    assert (bench.account.spent > 0) == (events > 0)


@pytest.mark.parametrize("error", [StoppedError(), LeaseLostError()], ids=["stopped", "lease lost"])
def test_a_training_that_goes_on_elsewhere_keeps_its_reservation(bench: Bench, error: BaseException) -> None:
    job = bench.submit()
    with pytest.raises(type(error)):
        bench.train(job, Stop("After measurement 1", error))
    assert bench.state(job) is RunState.RESERVED
    bench.train(job)
    assert bench.state(job) is RunState.FINISHED
    assert len(bench.account.runs) == 1
    assert bench.account.runs[0].spent == pytest.approx(3.0, rel=1e-3)


def test_a_cancelled_training_that_is_tried_again_pays_once(bench: Bench) -> None:
    job = bench.submit()
    with pytest.raises(Cancelled):
        bench.train(job, Stop("After measurement 1", Cancelled()))
    part = bench.account.spent
    bench.train(job)
    assert part < bench.account.spent <= 3.0
    assert len(bench.account.runs) == 1


def test_the_same_training_again_is_the_same_release(bench: Bench) -> None:
    bench.ledger.set_limit(bench.account.source, 3.5)
    bench.train()
    once = bench.account.spent
    bench.train()
    assert bench.account.spent == once
    assert len(bench.account.runs) == 2
    with pytest.raises(UserError, match="does not fit"):
        bench.train(seed=99)


def test_a_fit_that_spends_more_than_asked_is_charged_and_not_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Noisy, "noise_factor", 0.5)
    job = bench.submit()
    with pytest.raises(InternalError, match=r"spent epsilon 7\.\d+ of 3"):
        bench.train(job)
    assert bench.account.spent > 6
    assert bench.database.model(job.subject).state is State.PENDING
    assert list(bench.workspace.model(job.subject).iterdir()) == []


def test_a_fit_that_admits_to_less_than_it_spent_is_not_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Noisy, "claims", 0.9)
    with pytest.raises(InternalError, match=r"reports epsilon 2\.\d+.*its events cost"):
        bench.train()
    assert bench.account.spent > 2.9


def test_a_damaged_record_keeps_the_whole_reservation(bench: Bench) -> None:
    job = bench.submit()

    class Damage:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if message == "After measurement 1":
                (bench.workspace.job(job.id) / "privacy.json").write_text("{")
                raise Cancelled

    with pytest.raises(Cancelled):
        bench.train(job, Damage())
    assert bench.state(job) is RunState.RESERVED


def test_a_job_given_up_while_its_worker_was_dead_is_settled_when_looked_at(bench: Bench) -> None:
    job = bench.submit()
    with pytest.raises(StoppedError):
        bench.train(job, Stop("After measurement 1", StoppedError()))
    held = bench.ledger.account(bench.account.source).spent
    bench.queue.cancel(job.id)
    assert 0 < bench.account.spent < held
    assert bench.state(job) is RunState.STOPPED


def test_an_upload_that_shares_patients_shares_the_budget(bench: Bench) -> None:
    from engine.core.workspace import write_json
    from engine.storage.tables import write_table

    bench.train()
    other = bench.database.add_dataset(name="newer.csv", source="csv", location="newer.csv")
    folder = bench.workspace.dataset(other.id)
    write_table(folder / "table.parquet", patients(40, seed=9), SCHEMA)
    write_json(folder / "splits.json", {"train": list(range(30)), "holdout": list(range(30, 40))})
    bench.database.update_dataset(other.id, state=State.READY, rows=40, patients=40, columns=4, fingerprint="1" * 64)
    bench.train(dataset=other.id)
    account = bench.account
    assert account.members == ("ward.csv", "newer.csv")
    assert len(account.runs) == 2 and account.spent > 4


def test_the_manifest_of_a_cohort_states_the_guarantee(bench: Bench) -> None:
    def manifest_of(job: JobRecord) -> Any:
        spec = {"patients": 20}
        cohort = bench.database.add_cohort(model_id=job.subject, name="c", spec=spec)
        made = bench.queue.submit("generate", {"model_id": job.subject, "spec": spec}, cohort.id)
        steps.generate(made, workspace=bench.workspace, database=bench.database, progress=Silent())
        return read_json(bench.workspace.cohort(cohort.id) / "manifest.json")["privacy"]

    told = manifest_of(bench.train())
    assert told["epsilon"] == pytest.approx(3.0, rel=1e-3)
    assert (told["delta"], told["unit"], told["neighbours"]) == (1e-3, "patient", "add or remove one patient")
    assert manifest_of(bench.train(private=False, epsilon=None, delta=None)) == NO_PRIVACY
    before = bench.account.spent
    assert before == bench.account.spent, "drawing cohorts costs nothing"


KILLED = """
import sys
from pathlib import Path
from tests.jobs.test_private_training import Bench, Noisy, os, signal, steps
import engine.generators.registry as registry
registry.create = lambda name: Noisy()
from engine.core.workspace import Workspace
from engine.jobs.queue import Queue
from engine.storage.database import Database
workspace = Workspace(Path(sys.argv[1]))
database = Database.for_workspace(workspace)
class Kill:
    def update(self, fraction, message, **figures):
        if message == "After measurement 1":
            os.kill(os.getpid(), signal.SIGKILL)
steps.train(Queue(database).job(sys.argv[2]), workspace=workspace, database=database, progress=Kill())
"""


def test_a_killed_worker_stays_charged_until_the_next_attempt_settles(bench: Bench) -> None:
    job = bench.submit()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(bench.workspace.root), job.id], cwd=ROOT, env=os.environ,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert bench.state(job) is RunState.RESERVED
    assert bench.account.spent == pytest.approx(3.0, rel=1e-3), "all of it"
    bench.train(job)
    assert bench.state(job) is RunState.FINISHED
    assert len(bench.account.runs) == 1

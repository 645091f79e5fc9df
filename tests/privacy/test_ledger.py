"""The ledger: reserved before, settled after, composed over runs, refused beyond the limit, and never refunded."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.core.errors import InternalError, UserError
from engine.core.workspace import Workspace
from engine.privacy import accounting
from engine.privacy.accounting import Gaussian, PoissonGaussian, Threshold, epsilon, gaussian_mu
from engine.privacy.accounts import RunState, proposed_delta
from engine.privacy.ledger import Ledger
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from engine.storage.database import Database
from engine.storage.ledger_tables import privacy_decisions

ROOT = Path(__file__).resolve().parents[2]
DELTA = 1e-5
SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age", kind=Kind.NUMERIC),
        Column(name="sex", kind=Kind.CATEGORICAL),
    )
)


def ward(
    first: int, patients: int, *, prefix: str = "P", key: bool = True, older: float = 0.0
) -> tuple[pd.DataFrame, TableSchema]:
    """``patients`` patients from number ``first``; a patient's age and sex follow from the number."""
    numbers = np.arange(first, first + patients)
    frame = pd.DataFrame(
        {
            "patient": [f"{prefix}{number}" for number in numbers],
            "age": 20 + numbers % 70 + numbers / 1e6 + older,
            "sex": np.where(numbers % 2, "F", "M"),
        }
    )
    schema = SCHEMA if key else TableSchema(columns=SCHEMA.columns[1:])
    return conform(frame[schema.names], schema), schema


class Books:
    """A workspace with a ledger and a source of 10,000 patients, whose delta is 1e-5."""

    def __init__(self, root: Path, limit: float = 10.0) -> None:
        self.workspace = Workspace(root)
        self.database = Database.for_workspace(self.workspace)
        self.ledger = Ledger(self.database, self.workspace, epsilon_limit=limit)
        self.source = self.enter("d1", 0, 10_000)

    def enter(self, reference: str, first: int, patients: int, **options) -> str:
        table, schema = ward(first, patients, **options)
        return self.ledger.register(
            kind="dataset", reference=reference, name=f"{reference}.csv", table=table, schema=schema
        ).source

    def reserve(self, run: str, at: float, delta: float = DELTA, **options) -> None:
        self.ledger.reserve(self.source, run, epsilon=at, delta=delta, label="dp_cgan", **options)

    @property
    def spent(self) -> float:
        return self.ledger.account(self.source).spent

    def state(self, run: str) -> RunState:
        found = self.ledger.run(run)
        assert found is not None
        return found.state


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "workspace")


def half(at: float) -> Gaussian:
    """One of the two equal measurements that together cost ``at``."""
    return Gaussian(2**0.5 / gaussian_mu(epsilon=at, delta=DELTA))


def test_a_reservation_is_charged_in_full_and_settled_with_what_was_executed(books: Books) -> None:
    assert books.spent == 0.0
    books.reserve("r1", 3.0)
    assert books.spent == pytest.approx(3.0, rel=1e-4)
    books.ledger.settle("r1", [half(3.0)], identity="a")
    assert books.spent == pytest.approx(epsilon([half(3.0)], DELTA).epsilon)
    assert books.spent < 2.2
    assert books.state("r1") is RunState.STOPPED
    assert books.ledger.account(books.source).runs[0].spent == pytest.approx(books.spent)


def test_reserving_the_same_run_again_changes_nothing(books: Books) -> None:
    books.reserve("r1", 3.0)
    books.reserve("r1", 3.0)
    assert books.spent == pytest.approx(3.0, rel=1e-4)
    assert len(books.ledger.account(books.source).runs) == 1
    with pytest.raises(UserError, match="epsilon 3 and delta 1e-05, not 4 and 1e-05"):
        books.reserve("r1", 4.0)


def test_runs_are_composed_and_not_summed(books: Books) -> None:
    for number in range(5):
        books.reserve(f"r{number}", 1.388)
    assert books.spent == pytest.approx(3.42, abs=0.01)


def test_what_does_not_fit_is_refused_with_what_would(books: Books) -> None:
    books.reserve("r1", 8.0)
    with pytest.raises(UserError) as caught:
        books.reserve("r2", 7.0)
    text = str(caught.value)
    assert "epsilon 7 at delta 1e-05 does not fit" in text and "'d1.csv'" in text and "8.00 of 10 is spent" in text
    assert "drawing cohorts costs nothing" in text
    largest = float(text.split("at most epsilon ")[1].split(" ")[0])
    assert 3 < largest < 7
    with pytest.raises(UserError, match="does not fit"):
        books.reserve("r2", largest + 0.02)
    books.reserve("r3", largest)
    assert 9.9 < books.spent <= 10.0
    assert books.ledger.account(books.source).remaining < 0.2


def test_the_whole_limit_can_be_spent_in_one_run_and_then_nothing_more(books: Books) -> None:
    assert books.ledger.account(books.source).remaining == 10.0
    books.reserve("r1", 10.0)
    assert books.ledger.account(books.source).remaining == 0.0
    with pytest.raises(UserError, match="nothing more fits"):
        books.reserve("r2", 0.5)


def test_nothing_executed_is_released(books: Books) -> None:
    books.reserve("r1", 3.0)
    books.ledger.settle("r1", [], identity=None)
    assert books.spent == 0.0
    assert books.state("r1") is RunState.RELEASED


def test_settling_never_lowers_below_what_was_executed(books: Books) -> None:
    two = [half(3.0), half(3.0)]
    books.reserve("r1", 3.0)
    books.ledger.executed("r1", two, identity="a")
    assert books.spent == pytest.approx(3.0, rel=1e-4)
    for less in ([], two[:1]):
        books.ledger.settle("r1", less, identity="a")
        assert books.spent == pytest.approx(3.0, rel=1e-3)
    books.ledger.settle("r1", two, identity="a")
    assert books.spent == pytest.approx(3.0, rel=1e-3)


def test_a_resumed_run_pays_once_for_what_it_repeats(books: Books) -> None:
    books.reserve("r1", 3.0)
    books.ledger.settle("r1", [half(3.0)], identity="a")
    books.reserve("r1", 3.0)
    assert books.spent == pytest.approx(3.0, rel=1e-4)
    books.ledger.settle("r1", [half(3.0), half(3.0)], identity="a", finished=True)
    assert books.spent == pytest.approx(3.0, rel=1e-3)
    books.reserve("r1", 3.0)
    assert books.state("r1") is RunState.FINISHED, "what is finished would only repeat its own release"


def test_a_run_begun_anew_with_other_noise_pays_for_both(books: Books) -> None:
    books.reserve("r1", 3.0)
    books.ledger.settle("r1", [half(3.0)], identity="a")
    books.reserve("r1", 3.0)
    books.ledger.settle("r1", [half(3.0), half(3.0)], identity="b", finished=True)
    assert books.spent == pytest.approx(epsilon([half(3.0)] * 3, DELTA).epsilon)


def test_steps_of_a_longer_training_continue_the_shorter(books: Books) -> None:
    steps = PoissonGaussian(1.2, 0.01, 200)
    books.reserve("r1", 3.0)
    books.ledger.executed("r1", [Gaussian(9.0, 4), steps], identity="a")
    longer = [Gaussian(9.0, 4), PoissonGaussian(1.2, 0.01, 400)]
    books.ledger.settle("r1", longer, identity="a", finished=True)
    assert books.spent == pytest.approx(epsilon(longer, DELTA).epsilon)


def test_the_same_release_is_charged_once(books: Books) -> None:
    events = [half(4.0), half(4.0)]
    books.reserve("r1", 4.0)
    books.ledger.settle("r1", events, identity="same", finished=True)
    before = books.spent
    books.reserve("r2", 4.0, identity="same")
    assert books.spent == before
    books.ledger.settle("r2", events, identity="same", finished=True)
    assert books.spent == before
    books.reserve("r3", 4.0)
    books.ledger.settle("r3", events, identity="another seed", finished=True)
    assert books.spent == pytest.approx(epsilon(events * 2, DELTA).epsilon)


def test_a_repeated_release_fits_into_a_full_budget_but_not_under_a_false_name(books: Books) -> None:
    books.reserve("r1", 10.0)
    books.ledger.settle("r1", [half(10.0), half(10.0)], identity="same", finished=True)
    books.reserve("r2", 10.0, identity="same")
    books.ledger.settle("r2", [half(10.0), half(10.0)], identity="not what was said", finished=True)
    assert books.spent > 14, "what was executed is charged, even beyond the limit"
    with pytest.raises(UserError, match="nothing more fits"):
        books.reserve("r3", 0.1)


def test_an_interrupted_release_and_its_repetition_are_one(books: Books) -> None:
    books.reserve("r1", 4.0)
    books.ledger.settle("r1", [half(4.0)], identity="same")
    books.reserve("r2", 4.0, identity="same")
    assert books.spent == pytest.approx(4.0, rel=1e-4)
    books.ledger.settle("r2", [half(4.0), half(4.0)], identity="same", finished=True)
    assert books.spent == pytest.approx(4.0, rel=1e-3)


def test_thresholds_add_to_the_accounts_delta(books: Books) -> None:
    for number in range(3):
        books.reserve(f"r{number}", 1.0)
        books.ledger.settle(f"r{number}", [Gaussian(6.0), Threshold(4e-6)], identity=str(number), finished=True)
    account = books.ledger.account(books.source)
    assert account.delta == pytest.approx(1e-5 + 3 * 4e-6)
    assert account.spent == pytest.approx(epsilon([Gaussian(6.0, 3)], DELTA).epsilon)
    assert account.runs[0].spent == pytest.approx(epsilon([Gaussian(6.0), Threshold(4e-6)], DELTA).epsilon)


def test_a_limit_is_a_recorded_decision(books: Books) -> None:
    books.reserve("r1", 6.0)
    lowered = books.ledger.set_limit(books.source, 5.0)
    assert (lowered.limit, lowered.remaining) == (5.0, 0.0)
    with pytest.raises(UserError, match=r"6\.00 of 5 is spent, and nothing more fits"):
        books.reserve("r2", 1.0)
    books.ledger.set_limit(books.source, 12.0)
    books.reserve("r2", 1.0)
    with books.database.reading() as connection:
        rows = connection.execute(privacy_decisions.select()).all()
    assert [(row.before, row.after) for row in rows] == [(10.0, 5.0), (5.0, 12.0)]
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="epsilon"):
            books.ledger.set_limit(books.source, bad)


def test_the_default_limit_follows_the_setting(books: Books) -> None:
    books.reserve("r1", 3.0)
    stricter = Ledger(books.database, books.workspace, epsilon_limit=4.0).account(books.source)
    assert stricter.limit == 4.0 and 0 < stricter.remaining < 2.5
    assert Ledger(books.database, books.workspace).account(books.source).limit == 25.0


def test_an_outlook_is_what_a_reservation_then_does(books: Books) -> None:
    books.reserve("r1", 3.0)
    after, largest = books.ledger.outlook(books.source, epsilon=3.0, delta=DELTA)
    assert largest == books.ledger.account(books.source).remaining
    books.reserve("r2", 3.0)
    assert books.spent == pytest.approx(after, rel=1e-3)


def test_sampled_runs_are_composed_too(books: Books) -> None:
    steps = PoissonGaussian(0.8, 0.02, 200)
    books.reserve("r1", 4.0)
    books.ledger.settle("r1", [steps], identity="a", finished=True)
    assert books.spent == pytest.approx(epsilon([steps], DELTA).epsilon)
    remaining = books.ledger.account(books.source).remaining
    assert 10.0 - books.spent < remaining < 10.0
    with pytest.raises(UserError, match=rf"at most epsilon {remaining:g} more fits"):
        books.reserve("r2", 9.95)
    books.reserve("r2", remaining - 0.01)
    assert books.spent <= 10.0


def test_unknown_runs_and_sources(books: Books) -> None:
    with pytest.raises(InternalError, match="never reserved"):
        books.ledger.settle("r9", [], identity=None)
    with pytest.raises(UserError, match=r"no source 'x'.*'d1.csv'"):
        books.ledger.find("x")
    assert books.ledger.find("d1.csv") == books.ledger.find(books.source) == books.source
    books.reserve("r1", 1.0)
    with pytest.raises(InternalError, match="no measurement"):
        books.ledger.settle("r1", [], identity="a", finished=True)
    for bad in ({"at": 0.0}, {"at": -1.0}, {"at": 1.0, "delta": 0.0}, {"at": 1.0, "delta": 1.0}):
        with pytest.raises(UserError, match=r"\((0|-1|1)\.0\)"):
            books.reserve("r2", **bad)


def test_accountants_that_disagree_let_nothing_begin(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    real = accounting.epsilon
    monkeypatch.setattr(
        "engine.privacy.second_accountant.second_epsilon",
        lambda events, *, delta, about: about * (0.9 if len(events) and events[0].count > 1 else 1.0),
    )
    books.reserve("r1", 1.0)
    with pytest.raises(InternalError, match="disagree"):
        books.reserve("r2", 1.0)
    assert books.ledger.run("r2") is None
    assert accounting.epsilon is real


# -- overlap -----------------------------------------------------------------------------------------------------------


def test_uploads_that_share_a_patient_share_the_budget(books: Books) -> None:
    books.reserve("r1", 3.0)
    assert books.enter("d2", 9_999, 100, older=0.5) == books.source, "by the key, although no row is the same"
    account = books.ledger.account(books.source)
    assert account.members == ("d1.csv", "d2.csv")
    assert account.spent == pytest.approx(3.0, rel=1e-4)
    other = books.enter("d3", 100_000, 300)
    assert other != books.source
    assert books.ledger.account(other).spent == 0.0
    assert books.ledger.account(other).base_delta == 1e-3


def test_padding_and_number_formats_do_not_hide_a_patient(books: Books) -> None:
    first = books.enter("d2", 70_000, 10, prefix="00")
    table, schema = ward(70_005, 10, prefix="", older=0.5)
    table["patient"] = (table["patient"].astype(str) + ".0").astype("category")
    again = books.ledger.register(kind="dataset", reference="d3", name="n", table=table, schema=schema)
    assert (again.source, again.shared) == (first, 5)


def test_other_patients_who_are_alike_are_other_patients(books: Books) -> None:
    assert books.enter("d2", 0, 50, prefix="Q") != books.source


def test_rows_tell_where_a_table_names_no_patients(books: Books) -> None:
    assert books.enter("d2", 9_980, 50, key=False) == books.source
    alone = books.enter("d3", 200_000, 50, key=False)
    assert alone != books.source
    assert books.enter("d4", 200_030, 50, key=False) == alone


def test_a_table_that_bridges_two_sources_merges_them(books: Books) -> None:
    second = books.enter("d2", 12_000, 300)
    books.ledger.set_limit(second, 4.0)
    books.ledger.reserve(second, "r2", epsilon=3.0, delta=DELTA, label="dp_cgan")
    books.reserve("r1", 3.0)
    table, schema = ward(9_990, 2_100)
    joined = books.ledger.register(kind="dataset", reference="d3", name="all", table=table, schema=schema)
    assert (joined.source, joined.merged) == (books.source, ("d2.csv",))
    account = books.ledger.account(books.source)
    assert account.limit == 4.0
    assert {run.run_id for run in account.runs} == {"r1", "r2"}
    assert account.spent == pytest.approx(epsilon([Gaussian(1 / gaussian_mu(epsilon=3, delta=DELTA))] * 2, DELTA).ours)
    with pytest.raises(UserError, match="no such source"):
        books.ledger.account(second)
    books.ledger.settle("r2", [], identity=None)
    assert books.spent == pytest.approx(3.0, rel=1e-4)


def test_entering_a_table_again_changes_nothing(books: Books) -> None:
    before = books.ledger.account(books.source)
    assert books.enter("d1", 0, 10_000) == books.source
    assert books.ledger.account(books.source) == before


def test_a_changed_file_under_the_same_name_is_looked_at_anew(books: Books) -> None:
    def enter(first: int) -> str:
        table, schema = ward(first, 20)
        return books.ledger.register(kind="table", reference="a.csv", name="a.csv", table=table, schema=schema).source

    first = enter(300_000)
    assert enter(300_000) == first
    second = enter(400_000)
    assert second != first
    assert books.ledger.account(second).name == "a.csv (2)"


def test_what_is_kept_of_patients_is_keyed_and_private(books: Books) -> None:
    kept = list((books.workspace.root / "ledger").iterdir())
    assert [path.stat().st_mode & 0o777 for path in (*kept, books.workspace.secret_key)] == [0o600] * (len(kept) + 1)
    other = Books(books.workspace.root.parent / "other")
    mine, theirs = (np.load(next(iter(one.workspace.ledger.iterdir()))) for one in (books, other))
    assert len(np.intersect1d(mine["patients"], theirs["patients"])) == 0, "the hashes depend on the secret"
    content = b"".join(path.read_bytes() for path in kept)
    assert b"P9999" not in content


def test_a_lost_or_open_secret_is_noticed(books: Books) -> None:
    books.workspace.secret_key.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        books.enter("d2", 0, 10)
    books.workspace.secret_key.unlink()
    with pytest.raises(UserError, match="not the one"):
        books.enter("d2", 0, 10)


@pytest.mark.parametrize(
    ("patients", "delta"), [(1, 0.1), (9, 0.1), (10, 0.01), (99, 0.01), (100, 1e-3), (300, 1e-3), (46_520, 1e-5)]
)
def test_the_proposed_delta_is_below_one_over_the_patients(patients: int, delta: float) -> None:
    assert proposed_delta(patients) == delta
    assert delta * patients < 1 <= delta * patients * 10


# -- processes that die or run at once ---------------------------------------------------------------------------------

SCRIPT = """
import os, sys, time
from pathlib import Path
from engine.core.workspace import Workspace
from engine.privacy.ledger import Ledger
from engine.storage.database import Database
workspace = Workspace(Path(sys.argv[1]))
ledger = Ledger(Database.for_workspace(workspace), workspace, epsilon_limit=10.0)
while not (workspace.root / "go").exists():
    time.sleep(0.01)
ledger.reserve(sys.argv[2], sys.argv[3], epsilon=6.0, delta=1e-5, label="x")
(workspace.root / f"reserved-{sys.argv[3]}").touch()
if len(sys.argv) > 4:
    time.sleep(60)
"""


def start(books: Books, run: str, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT, str(books.workspace.root), books.source, run, *more]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE)


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_process_killed_after_its_reservation_stays_charged(books: Books) -> None:
    (books.workspace.root / "go").touch()
    process = start(books, "r1", "wait")
    wait_for((books.workspace.root / "reserved-r1").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert books.spent == pytest.approx(6.0, rel=1e-4)
    with pytest.raises(UserError, match="does not fit"):
        books.reserve("r2", 9.0)
    books.reserve("r1", 6.0)
    books.ledger.settle("r1", [half(6.0)], identity="a")
    assert 0 < books.spent < 6.0


def test_two_processes_cannot_both_have_the_last_budget(books: Books) -> None:
    books.ledger.set_limit(books.source, 7.0)
    running = [start(books, f"r{number}") for number in range(3)]
    (books.workspace.root / "go").touch()
    errors = [process.communicate(timeout=120)[1].decode() for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1], errors
    assert sum("does not fit the privacy budget" in error for error in errors) == 2
    assert books.spent == pytest.approx(6.0, rel=1e-4)

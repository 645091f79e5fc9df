"""A workspace of an earlier version keeps everything and gains what is new."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from engine.core.errors import InternalError, UserError
from engine.core.workspace import Workspace
from engine.jobs.queue import Queue
from engine.privacy.ledger import Ledger
from engine.storage import ledger_tables, migrations, records
from engine.storage.conversations import ConversationStore
from engine.storage.database import Database
from engine.storage.records import State

ROOT = Path(__file__).resolve().parents[2]
LEFT_BY = {version: Path(__file__).with_name(f"version_{version}.sql") for version in (1, 2)}


def left_by(version: int, folder: Path) -> Workspace:
    made = Workspace(folder / "workspace")
    with sqlite3.connect(made.database) as connection:
        connection.executescript(LEFT_BY[version].read_text(encoding="utf-8"))
    return made


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A workspace that an earlier version left."""
    return left_by(request.param, tmp_path)


def tables(database: Database) -> dict[str, list[str]]:
    with database.reading() as connection:
        found = inspect(connection)
        return {name: sorted(column["name"] for column in found.get_columns(name)) for name in found.get_table_names()}


def test_every_earlier_version_has_its_workspace() -> None:
    assert set(LEFT_BY) == set(migrations.STEPS) == set(range(1, records.SCHEMA_VERSION))


def test_an_earlier_version_is_brought_forward_with_all_that_it_held(workspace: Workspace, tmp_path: Path) -> None:
    database = Database.for_workspace(workspace)
    assert database.dataset("aaaaaaaaaaaa").name == "ward.csv"
    assert database.model("bbbbbbbbbbbb").options == {"epochs": 3, "private": False}
    assert database.cohort("cccccccccccc").state is State.READY
    assert database.cohort("cccccccccccc").conversation_id is None
    assert Queue(database).job("dddddddddddd").figures == [{"fraction": 0.5, "loss": 1.0}]
    with database.reading() as connection:
        assert connection.execute(select(records.schema_version.c.version)).scalars().all() == [records.SCHEMA_VERSION]
    assert tables(database) == tables(Database.for_workspace(Workspace(tmp_path / "new")))


def test_the_first_version_gains_an_empty_ledger(tmp_path: Path) -> None:
    workspace = left_by(1, tmp_path)
    assert Ledger(Database.for_workspace(workspace), workspace).accounts() == []


def test_the_second_version_keeps_its_ledger_and_gains_conversations(tmp_path: Path) -> None:
    database = Database.for_workspace(left_by(2, tmp_path))
    with database.reading() as connection:
        assert connection.execute(select(ledger_tables.sources.c.name, ledger_tables.sources.c.spent)).all() == [
            ("Ward", 0.5)
        ]
    store = ConversationStore(database)
    begun = store.add(dataset_id="aaaaaaaaaaaa", form={"patients": 50})
    database.update_cohort("cccccccccccc", conversation_id=begun.id)
    assert database.cohort("cccccccccccc").conversation_id == begun.id
    with pytest.raises(InternalError):
        database.update_cohort("cccccccccccc", conversation_id="nosuchoneatall")


def test_a_job_of_an_earlier_version_is_still_worked_off(workspace: Workspace) -> None:
    leased = Queue(Database.for_workspace(workspace)).lease("me")
    assert leased is not None and leased.id == "dddddddddddd" and leased.attempt == 2


def test_opening_twice_changes_nothing_more(workspace: Workspace) -> None:
    Database.for_workspace(workspace).close()
    database = Database.for_workspace(workspace)
    assert database.dataset("aaaaaaaaaaaa").rows == 300


def test_a_failing_migration_leaves_the_workspace_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = left_by(1, tmp_path)

    def fail(connection) -> None:
        ledger_tables.sources.create(connection)
        raise RuntimeError("power cut")

    monkeypatch.setitem(migrations.STEPS, 1, fail)
    with pytest.raises(RuntimeError, match="power cut"):
        Database.for_workspace(workspace)
    with sqlite3.connect(workspace.database) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'sources'").fetchall() == []
    monkeypatch.undo()
    assert Database.for_workspace(workspace).dataset("aaaaaaaaaaaa").rows == 300


def test_a_version_that_no_way_leads_from_is_refused_and_left_alone(workspace: Workspace) -> None:
    with sqlite3.connect(workspace.database) as connection:
        connection.execute("UPDATE schema_version SET version = 0")
    with pytest.raises(UserError, match="an older Cohort Studio"):
        Database.for_workspace(workspace)
    with sqlite3.connect(workspace.database) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'conversations'").fetchall() == []


def test_processes_that_open_it_at_once_agree(workspace: Workspace) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.core.workspace import Workspace\n"
        "from engine.storage.database import Database\n"
        "Database.for_workspace(Workspace(Path(sys.argv[1]))).add_dataset(name='x', source='csv', location='x')\n"
    )
    command = [sys.executable, "-c", script, str(workspace.root)]
    running = [subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert len(Database.for_workspace(workspace).datasets()) == 4

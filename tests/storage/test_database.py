import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from engine.core.errors import InternalError, UserError
from engine.core.workspace import Workspace
from engine.storage import records
from engine.storage.connection import absolute_url
from engine.storage.database import Database
from engine.storage.records import State, new_id

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def database(workspace: Workspace) -> Database:
    return Database.for_workspace(workspace)


def filled(database: Database) -> tuple[str, str, str]:
    dataset = database.add_dataset(name="Demo", source="mimic3", location="/data/demo")
    model = database.add_model(dataset_id=dataset.id, generator="dp_cgan", options={"epochs": 3}, seed=11)
    cohort = database.add_cohort(model_id=model.id, name="Women over 60", spec={"patients": 5})
    return dataset.id, model.id, cohort.id


def test_what_is_added_is_read_back_after_a_restart(workspace: Workspace, database: Database) -> None:
    dataset, model, cohort = filled(database)
    database.close()
    again = Database.for_workspace(workspace)
    assert again.dataset(dataset).name == "Demo"
    assert again.dataset(dataset).state is State.PENDING
    assert again.model(model).options == {"epochs": 3}
    assert again.model(model).seed == 11
    assert again.cohort(cohort).spec == {"patients": 5}
    assert again.cohort(cohort).dataset_id == dataset
    assert again.cohort(cohort).report is None


def test_lists_are_newest_first_and_filtered(database: Database) -> None:
    first, model, cohort = filled(database)
    second, other_model, other_cohort = filled(database)
    assert [record.id for record in database.datasets()] == [second, first]
    assert [record.id for record in database.models()] == [other_model, model]
    assert [record.id for record in database.models(first)] == [model]
    assert [record.id for record in database.cohorts(other_model)] == [other_cohort]
    assert [record.id for record in database.cohorts(dataset_id=first)] == [cohort]


def test_update_changes_what_is_named_and_nothing_else(database: Database) -> None:
    dataset, model, cohort = filled(database)
    other = filled(database)[0]
    changed = database.update_dataset(dataset, state=State.READY, rows=129, patients=100, columns=60, fingerprint="ab")
    assert (changed.rows, changed.patients, changed.columns, changed.state) == (129, 100, 60, State.READY)
    assert changed.name == "Demo"
    assert database.dataset(other).rows is None
    assert database.update_model(model, report={"loss": [1.5]}).report == {"loss": [1.5]}
    assert database.update_cohort(cohort, seconds=0.25, compliance=1.0).seconds == 0.25
    assert database.update_cohort(cohort).compliance == 1.0


@pytest.mark.parametrize("field", ["colour", "created_at", "number"])
def test_fields_that_cannot_be_changed(database: Database, field: str) -> None:
    dataset, _, _ = filled(database)
    with pytest.raises(ValueError, match=field):
        database.update_dataset(dataset, **{field: 1})


def test_unknown_ids_are_the_users_error_and_do_not_echo_markup(database: Database) -> None:
    with pytest.raises(UserError, match="no data set abc"):
        database.dataset("abc")
    with pytest.raises(UserError, match="no model"):
        database.update_model("abc", seed=1)
    with pytest.raises(UserError) as caught:
        database.cohort("<script>")
    assert "<" not in str(caught.value)
    with pytest.raises(UserError, match="no model"):
        database.add_cohort(model_id="abc", name="x", spec={})


def test_deleting_refuses_while_others_depend_on_it(database: Database) -> None:
    dataset, model, cohort = filled(database)
    with pytest.raises(UserError, match="1 models depend"):
        database.delete_dataset(dataset)
    with pytest.raises(UserError, match="1 cohorts depend"):
        database.delete_model(model)
    database.delete_cohort(cohort)
    database.delete_model(model)
    database.delete_dataset(dataset)
    assert database.datasets() == []


def test_ids_are_twelve_lowercase_letters_and_digits_and_differ() -> None:
    ids = {new_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(len(id) == 12 and id.isalnum() and id == id.lower() and id.isascii() for id in ids)


def test_times_are_utc_with_their_zone(database: Database) -> None:
    dataset, _, _ = filled(database)
    created = database.dataset(dataset).created_at
    assert created.utcoffset() == timedelta(0)
    assert abs((datetime.now(UTC) - created).total_seconds()) < 30


def test_times_of_other_zones_are_converted_and_naive_ones_refused(database: Database) -> None:
    column = records.UtcDateTime()
    noon = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    stored = column.process_bind_param(noon, None)  # type: ignore[arg-type]
    assert stored == datetime(2024, 7, 1, 10)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        column.process_bind_param(datetime(2024, 7, 1), None)  # type: ignore[arg-type]  # noqa: DTZ001


def test_the_file_is_private_and_durable(workspace: Workspace, database: Database) -> None:
    filled(database)
    for name in ("cohort_studio.db", "cohort_studio.db-wal", "cohort_studio.db-shm"):
        assert stat.S_IMODE((workspace.root / name).stat().st_mode) == 0o600
    with database.reading() as connection:
        pragma = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                  for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")}  # fmt: skip
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}


def test_a_write_transaction_locks_from_its_start_and_readers_do_not_wait(database: Database) -> None:
    dataset, _, _ = filled(database)
    other = sqlite3.connect(database.url.removeprefix("sqlite:///"), timeout=0)
    with database.writing():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert database.dataset(dataset).name == "Demo"
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as connection:
        connection.execute(insert(records.schema_version).values(version=99))
        raise RuntimeError
    with database.reading() as connection:
        assert connection.execute(select(records.schema_version.c.version)).scalars().all() == [records.SCHEMA_VERSION]


@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (99, "a newer")])
def test_a_database_of_another_version_is_refused_and_left_alone(
    workspace: Workspace, database: Database, version: int, age: str
) -> None:
    filled(database)
    with database.writing() as connection:
        connection.execute(records.schema_version.update().values(version=version))
    database.close()
    with pytest.raises(
        UserError, match=f"made by {age} Cohort Studio.*tables {version}, here {records.SCHEMA_VERSION}"
    ):
        Database.for_workspace(workspace)


def test_tables_without_a_version_are_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE models (id)")
    with pytest.raises(UserError, match="tables without a version"):
        Database(f"sqlite:///{tmp_path / 'x.db'}")


def test_other_files_and_addresses_are_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("a letter, not a database " * 100)
    with pytest.raises(UserError, match=r"not a readable database.*COHORT_STUDIO_WORKSPACE"):
        Database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(UserError, match="cannot be read") as caught:
        Database("nonsense secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(UserError, match="driver") as caught:
        Database("mysql+nosuchdriver://me:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_failing_database_is_told_without_parameters(database: Database) -> None:
    with pytest.raises(InternalError) as caught, database.writing() as connection:
        connection.execute(insert(records.datasets).values(id="Zaphod"))
    assert "Zaphod" not in str(caught.value)
    assert "Zaphod" not in str(caught.value.__cause__)


def test_an_address_relative_to_the_folder_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_url("sqlite:///studio.db") == f"sqlite:///{tmp_path.resolve()}/studio.db"
    assert absolute_url("sqlite://") == "sqlite://"
    assert absolute_url("postgresql://me:secret@host/db") == "postgresql://me:secret@host/db"


def test_processes_that_open_a_new_workspace_at_once_agree(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.core.workspace import Workspace\n"
        "from engine.storage.database import Database\n"
        "database = Database.for_workspace(Workspace(Path(sys.argv[1])))\n"
        "for number in range(20): database.add_dataset(name=str(number), source='csv', location='x')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "w")]
    running = [subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE) for _ in range(4)]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert len(Database.for_workspace(Workspace(tmp_path / "w")).datasets()) == 80

"""What exists in the workspace and how far it is. SQLite by default, any SQLAlchemy address by setting."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Self

from sqlalchemy import Connection, Row, Table, delete, func, insert, inspect, select, update

from engine.core.errors import UserError
from engine.core.workspace import Workspace
from engine.storage import conversation_tables, migrations, records
from engine.storage.connection import absolute_url, connect, explained, for_reading, shown, unfit
from engine.storage.records import SHIPPED, CohortRecord, DatasetRecord, ModelRecord, State, new_id, now


class Database:
    """The records of one workspace. Safe to share between threads; every call is one transaction.

    Raises:
        UserError: the address is no SQLAlchemy address, or what is there was not made by this version.
    """

    def __init__(self, url: str) -> None:
        self.url = absolute_url(url)
        self._place = shown(self.url)
        self._engine = connect(self.url)
        self._reader = for_reading(self._engine)
        self._open()

    @classmethod
    def for_workspace(cls, workspace: Workspace, url: str | None = None) -> Self:
        """The database at ``url``, by default the workspace's own SQLite file."""
        return cls(url or f"sqlite:///{workspace.database.resolve()}")

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # -- transactions, for this module and the job queue -------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; it waits for nobody.

        Raises:
            InternalError: the database failed.
        """
        with explained(self._place), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start, so that what it read is still true when it writes.

        Raises:
            InternalError: the database failed or stayed locked for 5 seconds.
        """
        with explained(self._place), self._engine.begin() as connection:
            yield connection

    def _open(self) -> None:
        with self.writing() as connection:
            tables = set(inspect(connection).get_table_names())
            if records.schema_version.name not in tables:
                if tables & set(records.metadata.tables):
                    raise unfit(self._place, "has tables without a version")
                records.metadata.create_all(connection)
                connection.execute(insert(records.schema_version).values(version=records.SCHEMA_VERSION))
                return
            found = connection.execute(select(func.max(records.schema_version.c.version))).scalar()
            if found == records.SCHEMA_VERSION or (found is not None and self._upgraded(connection, found)):
                return
        age = "a newer" if found is not None and found > records.SCHEMA_VERSION else "an older"
        raise unfit(self._place, f"was made by {age} Cohort Studio (tables {found}, here {records.SCHEMA_VERSION})")

    def _upgraded(self, connection: Connection, found: int) -> bool:
        return found < records.SCHEMA_VERSION and migrations.upgrade(connection, found)

    # -- data sets -----------------------------------------------------------------------------------------------------

    def add_dataset(
        self,
        *,
        name: str,
        source: str,
        location: str,
        id: str | None = None,
        state: State = State.PENDING,
        rows: int | None = None,
        patients: int | None = None,
        columns: int | None = None,
        fingerprint: str | None = None,
        message: str | None = None,
    ) -> DatasetRecord:
        """Register a data set from ``source`` ("mimic3", "csv" or "shipped"); ``id`` where its folder already is."""
        values = {
            "id": id or new_id(), "name": name, "source": source, "location": location, "state": state, "rows": rows,
            "patients": patients, "columns": columns, "fingerprint": fingerprint, "message": message,
        }  # fmt: skip
        return _dataset(self._add(records.datasets, values))

    def dataset(self, id: str) -> DatasetRecord:
        """The data set.

        Raises:
            UserError: there is none of this id.
        """
        return _dataset(self._get(records.datasets, "data set", id))

    def datasets(self) -> list[DatasetRecord]:
        """All data sets, the newest first."""
        return [_dataset(row) for row in self._all(records.datasets, {})]

    def update_dataset(self, id: str, **changes: Any) -> DatasetRecord:
        """Change fields.

        Raises:
            UserError: there is none of this id.
            ValueError: there is no such field.
        """
        return _dataset(self._update(records.datasets, "data set", id, changes))

    def delete_dataset(self, id: str) -> None:
        """Forget a data set and what was said about it (its files stay).

        Raises:
            UserError: models were trained on it: those must be deleted first, so that no file is left without a record;
                or it ships with the product.
        """
        _refuse_shipped(self.datasets(), id)
        with self.writing() as connection:
            _refuse_while_used(connection, records.models, "dataset_id", id, "models", "data set")
            _refuse_while_used(connection, records.cohorts, "dataset_id", id, "cohorts", "data set")
            conversations, exchanges = conversation_tables.conversations, conversation_tables.exchanges
            said = select(conversations.c.id).where(conversations.c.dataset_id == id)
            connection.execute(delete(exchanges).where(exchanges.c.conversation_id.in_(said)))
            connection.execute(delete(conversations).where(conversations.c.dataset_id == id))
            connection.execute(delete(records.datasets).where(records.datasets.c.id == id))

    # -- models --------------------------------------------------------------------------------------------------------

    def add_model(
        self,
        *,
        dataset_id: str,
        generator: str,
        options: Mapping[str, Any] | None = None,
        seed: int = 7,
        id: str | None = None,
        state: State = State.PENDING,
        report: dict[str, Any] | None = None,
    ) -> ModelRecord:
        """Register a generator that is trained on the data set."""
        self.dataset(dataset_id)
        values = {
            "id": id or new_id(), "dataset_id": dataset_id, "generator": generator, "options": dict(options or {}),
            "seed": seed, "state": state, "report": report,
        }  # fmt: skip
        return _model(self._add(records.models, values))

    def model(self, id: str) -> ModelRecord:
        """The model.

        Raises:
            UserError: there is none of this id.
        """
        return _model(self._get(records.models, "model", id))

    def models(self, dataset_id: str | None = None) -> list[ModelRecord]:
        """All models, or those of one data set, the newest first."""
        return [_model(row) for row in self._all(records.models, {"dataset_id": dataset_id})]

    def update_model(self, id: str, **changes: Any) -> ModelRecord:
        """Change fields.

        Raises:
            UserError: there is none of this id.
            ValueError: there is no such field.
        """
        return _model(self._update(records.models, "model", id, changes))

    def delete_model(self, id: str, *, is_replaced: bool = False) -> None:
        """Forget a model (its files stay).

        Raises:
            UserError: cohorts were drawn from it: those must be deleted first; or it ships with the product, unless
                ``is_replaced`` by a newer version.
        """
        if not is_replaced:
            _refuse_shipped(self.datasets(), *(model.dataset_id for model in self.models() if model.id == id))
        with self.writing() as connection:
            _refuse_while_used(connection, records.cohorts, "model_id", id, "cohorts", "model")
            connection.execute(delete(records.models).where(records.models.c.id == id))

    # -- cohorts -------------------------------------------------------------------------------------------------------

    def add_cohort(
        self,
        *,
        model_id: str,
        name: str,
        spec: Mapping[str, Any],
        dataset_id: str | None = None,
        conversation_id: str | None = None,
        id: str | None = None,
        state: State = State.PENDING,
        rows: int | None = None,
        seconds: float | None = None,
        compliance: float | None = None,
        report: dict[str, Any] | None = None,
    ) -> CohortRecord:
        """Register a cohort that is drawn from the model; ``spec`` as ``CohortSpec.as_json`` gives it."""
        model = self.model(model_id)
        values = {
            "id": id or new_id(), "model_id": model_id, "dataset_id": dataset_id or model.dataset_id, "name": name,
            "spec": dict(spec), "state": state, "rows": rows, "seconds": seconds, "compliance": compliance,
            "report": report, "conversation_id": conversation_id,
        }  # fmt: skip
        return _cohort(self._add(records.cohorts, values))

    def cohort(self, id: str) -> CohortRecord:
        """The cohort.

        Raises:
            UserError: there is none of this id.
        """
        return _cohort(self._get(records.cohorts, "cohort", id))

    def cohorts(self, model_id: str | None = None, dataset_id: str | None = None) -> list[CohortRecord]:
        """All cohorts, or those of one model or data set, the newest first."""
        return [_cohort(row) for row in self._all(records.cohorts, {"model_id": model_id, "dataset_id": dataset_id})]

    def update_cohort(self, id: str, **changes: Any) -> CohortRecord:
        """Change fields.

        Raises:
            UserError: there is none of this id.
            ValueError: there is no such field.
        """
        return _cohort(self._update(records.cohorts, "cohort", id, changes))

    def delete_cohort(self, id: str) -> None:
        """Forget a cohort (its files stay)."""
        with self.writing() as connection:
            connection.execute(delete(records.cohorts).where(records.cohorts.c.id == id))

    # -- what the three have in common ---------------------------------------------------------------------------------

    def _add(self, table: Table, values: dict[str, Any]) -> Row:
        with self.writing() as connection:
            connection.execute(insert(table).values(**values, created_at=now()))
            return connection.execute(select(table).where(table.c.id == values["id"])).one()

    def _get(self, table: Table, noun: str, id: str) -> Row:
        with self.reading() as connection:
            row = connection.execute(select(table).where(table.c.id == id)).one_or_none()
        return _known(row, noun, id)

    def _all(self, table: Table, equal: Mapping[str, Any]) -> list[Row]:
        query = select(table).order_by(table.c.number.desc())
        for name, value in equal.items():
            if value is not None:
                query = query.where(table.c[name] == value)
        with self.reading() as connection:
            return list(connection.execute(query).all())

    def _update(self, table: Table, noun: str, id: str, changes: Mapping[str, Any]) -> Row:
        unknown = sorted(set(changes) - set(table.c.keys()) | set(changes) & {"id", "number", "created_at"})
        if unknown:
            raise ValueError(f"a {noun} has no changeable field {', '.join(unknown)}")
        with self.writing() as connection:
            if changes:
                connection.execute(update(table).where(table.c.id == id).values(**changes))
            row = connection.execute(select(table).where(table.c.id == id)).one_or_none()
        return _known(row, noun, id)


def _refuse_shipped(known: list[DatasetRecord], *ids: str) -> None:
    for record in known:
        if record.id in ids and record.source == SHIPPED:
            raise UserError(
                f"{record.name!r} ships with the product and stays", remedy="Delete the cohorts that you do not need."
            )


def _refuse_while_used(connection: Connection, table: Table, column: str, id: str, users: str, noun: str) -> None:
    count = connection.execute(select(func.count()).select_from(table).where(table.c[column] == id)).scalar_one()
    if count:
        raise UserError(f"{count} {users} depend on this {noun}", where=id, remedy=f"Delete the {users} first.")


def _known(row: Row | None, noun: str, id: str) -> Row:
    if row is None:
        shown = id if id.isalnum() and len(id) <= 40 else "the id given"
        raise UserError(f"there is no {noun} {shown}", remedy=f"It may have been deleted; choose another {noun}.")
    return row


def _values(row: Row, record: type) -> dict[str, Any]:
    values = row._mapping
    out = {field.name: values[field.name] for field in fields(record)}
    out["state"] = State(out["state"])
    return out


def _dataset(row: Row) -> DatasetRecord:
    return DatasetRecord(**_values(row, DatasetRecord))


def _model(row: Row) -> ModelRecord:
    return ModelRecord(**_values(row, ModelRecord))


def _cohort(row: Row) -> CohortRecord:
    return CohortRecord(**_values(row, CohortRecord))

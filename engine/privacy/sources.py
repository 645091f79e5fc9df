"""The registered sources: which tables hold the same patients and therefore share one budget."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Row, delete, insert, select, update

from engine.core.workspace import Workspace
from engine.privacy.accounts import proposed_delta
from engine.privacy.overlap import Fingerprint
from engine.storage.database import Database
from engine.storage.ledger_tables import privacy_decisions, privacy_runs, source_members, sources
from engine.storage.records import new_id, now, schema_version

if TYPE_CHECKING:
    import pandas as pd

    from engine.schema.table import TableSchema


@dataclass(frozen=True)
class Membership:
    """Where a table belongs.

    Attributes:
        source: id of its source.
        source_name: the source's name.
        shared: patients (or rows, where none are named) that were registered before; 0 for a new source.
        merged: names of sources that this table showed to be the same patients, now part of its source.
    """

    source: str
    source_name: str
    shared: int
    merged: tuple[str, ...] = ()


def lock(connection: Connection) -> None:
    """Let no other writer of the ledger in until the transaction ends."""
    # SQLite locked at the transaction's start already; other databases need a row to hold on to.
    connection.execute(select(schema_version).with_for_update()).all()


def register(
    database: Database,
    workspace: Workspace,
    *,
    kind: str,
    reference: str,
    name: str,
    table: "pd.DataFrame",
    schema: "TableSchema",
) -> Membership:
    """Enter a table under the source whose patients it shares, or as a new source; entering it again changes nothing.

    Sources that the table shows to be one are merged: their runs are composed from here on, and the stricter of their
    limits holds.

    Args:
        database: with the ledger's tables.
        workspace: where the keyed hashes are kept.
        kind: ``"dataset"`` or ``"table"``.
        reference: the data set's id, or the file's name.
        name: for a new source.
        table: conformed to ``schema``.
        schema: with the patient key where there is one.

    Raises:
        UserError: the secret key or the ledger's hashes are damaged.
    """
    print_ = Fingerprint.of(table, schema, workspace)
    digest = print_.digest
    with database.reading() as connection:
        if (known := _entered(connection, kind, reference, digest)) is not None:
            return known
    member = new_id()
    # First the file, then the record: a record without its file would recognise nobody.
    print_.save(workspace.ledger / f"{member}.npz")
    with database.writing() as connection:
        lock(connection)
        if (known := _entered(connection, kind, reference, digest)) is not None:
            return known
        touched, shared = _overlapping(connection, workspace, print_)
        if touched:
            home, *others = touched
            _merge(connection, home, others)
        else:
            home, others = _new_source(connection, name, print_.people), []
        delta = min(home.delta, proposed_delta(print_.people), *(other.delta for other in others))
        connection.execute(
            update(sources).where(sources.c.id == home.id).values(
                delta=delta, version=home.version + 1, **({} if delta == home.delta and not others else _UNKNOWN)
            )
        )  # fmt: skip
        connection.execute(
            insert(source_members).values(
                id=member, source_id=home.id, kind=kind, reference=reference, name=name, digest=digest,
                patients=print_.people, shared=shared, created_at=now(),
            )
        )  # fmt: skip
        return Membership(home.id, home.name, shared, tuple(other.name for other in others))


def source_of(database: Database, *, kind: str, reference: str) -> Membership | None:
    """Where a registered table belongs; None where it is not registered."""
    with database.reading() as connection:
        return _entered(connection, kind, reference, None)


_UNKNOWN = {"spent": None, "remaining": None, "figures_for": None}


def _entered(connection: Connection, kind: str, reference: str, digest: str | None) -> Membership | None:
    """The membership of the table; a file of the same name with other patients is not the same table."""
    query = (
        select(source_members.c.shared, sources.c.id, sources.c.name)
        .join(sources, sources.c.id == source_members.c.source_id)
        .where(source_members.c.kind == kind, source_members.c.reference == reference)
        .order_by(source_members.c.number.desc())
    )
    if digest is not None:
        query = query.where(source_members.c.digest == digest)
    row = connection.execute(query).first()
    return None if row is None else Membership(row.id, row.name, row.shared)


def _overlapping(connection: Connection, workspace: Workspace, print_: Fingerprint) -> tuple[list[Row], int]:
    """The sources that share patients, the oldest first, and the most patients shared with one member."""
    found: set[str] = set()
    most = 0
    for row in connection.execute(select(source_members.c.id, source_members.c.source_id)):
        shared = print_.shared(Fingerprint.load(workspace.ledger / f"{row.id}.npz"))
        if shared:
            found.add(row.source_id)
            most = max(most, shared)
    query = select(sources).where(sources.c.id.in_(found)).order_by(sources.c.number)
    return list(connection.execute(query)), most


def _merge(connection: Connection, home: Row, others: list[Row]) -> None:
    limits = [one.epsilon_limit for one in (home, *others) if one.epsilon_limit is not None]
    connection.execute(
        update(sources).where(sources.c.id == home.id).values(epsilon_limit=min(limits) if limits else None)
    )
    for other in others:
        for table in (source_members, privacy_runs, privacy_decisions):
            connection.execute(update(table).where(table.c.source_id == other.id).values(source_id=home.id))
        connection.execute(delete(sources).where(sources.c.id == other.id))


def _new_source(connection: Connection, name: str, people: int) -> Row:
    taken = set(connection.execute(select(sources.c.name)).scalars())
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    values = {"id": new_id(), "name": free, "delta": proposed_delta(people), "version": 0, "created_at": now()}
    connection.execute(insert(sources).values(**values))
    return connection.execute(select(sources).where(sources.c.id == values["id"])).one()

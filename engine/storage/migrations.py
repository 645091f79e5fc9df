"""How a database of an earlier version becomes one of this version: one function for each step, in one transaction."""

from collections.abc import Callable

from sqlalchemy import Connection, update

from engine.storage import conversation_tables, ledger_tables, records


def _add_ledger(connection: Connection) -> None:
    """Version 2 added the privacy ledger; nothing else changed."""
    added = [
        ledger_tables.sources, ledger_tables.source_members, ledger_tables.privacy_runs,
        ledger_tables.privacy_decisions,
    ]  # fmt: skip
    records.metadata.create_all(connection, tables=added)


def _add_conversations(connection: Connection) -> None:
    """Version 3 added conversations, and to each cohort the one that it was asked for in."""
    added = [conversation_tables.conversations, conversation_tables.exchanges]
    records.metadata.create_all(connection, tables=added)
    connection.exec_driver_sql(
        "ALTER TABLE cohorts ADD COLUMN conversation_id VARCHAR(12) REFERENCES conversations (id)"
    )


STEPS: dict[int, Callable[[Connection], None]] = {1: _add_ledger, 2: _add_conversations}
"""The step that leads away from each version."""


def upgrade(connection: Connection, found: int) -> bool:
    """Bring the tables from version ``found`` to this one's; False, with nothing changed, where no way leads here."""
    if not all(version in STEPS for version in range(found, records.SCHEMA_VERSION)):
        return False
    for version in range(found, records.SCHEMA_VERSION):
        STEPS[version](connection)
    connection.execute(update(records.schema_version).values(version=records.SCHEMA_VERSION))
    return True

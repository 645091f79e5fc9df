"""Conversations as the database keeps them. They belong to a data set and go when it is deleted."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from engine.core.errors import UserError
from engine.storage import records
from engine.storage.conversation_tables import conversations, exchanges
from engine.storage.database import Database
from engine.storage.records import new_id, now


class Outcome(StrEnum):
    """What became of a proposal."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    UNDONE = "undone"
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True)
class ConversationRecord:
    """A conversation about one data set. ``form`` is the request in the form, as ``CohortSpec.as_json`` gives it."""

    id: str
    dataset_id: str
    title: str
    form: dict[str, Any]
    revision: int
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class ExchangeRecord:
    """A request and its answer; ``text`` is None where it was not kept, ``outcome`` where nothing could be applied."""

    position: int
    text: str | None
    turn: dict[str, Any] | None
    error: str | None
    before: dict[str, Any]
    outcome: Outcome | None
    created_at: datetime


class ConversationStore:
    """The conversations of one workspace. Every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *, dataset_id: str, form: Mapping[str, Any]) -> ConversationRecord:
        """Begin a conversation about the data set.

        Raises:
            UserError: there is no such data set.
        """
        self._database.dataset(dataset_id)
        id, moment = new_id(), now()
        values = {
            "id": id, "dataset_id": dataset_id, "title": "", "form": dict(form), "revision": 0, "created_at": moment,
            "changed_at": moment,
        }  # fmt: skip
        with self._database.writing() as connection:
            connection.execute(insert(conversations).values(**values))
            return _found(connection, id)

    def get(self, id: str) -> ConversationRecord:
        """The conversation.

        Raises:
            UserError: there is none of this id.
        """
        with self._database.reading() as connection:
            return _found(connection, id)

    def of_dataset(self, dataset_id: str) -> list[ConversationRecord]:
        """Those of the data set, the last changed first."""
        query = select(conversations).where(conversations.c.dataset_id == dataset_id)
        order = conversations.c.changed_at.desc(), conversations.c.number.desc()
        with self._database.reading() as connection:
            return [_conversation(row) for row in connection.execute(query.order_by(*order))]

    def counts(self, dataset_id: str) -> dict[str, int]:
        """Exchanges by conversation of the data set; those without any are left out."""
        query = (
            select(exchanges.c.conversation_id, func.count())
            .join(conversations, conversations.c.id == exchanges.c.conversation_id)
            .where(conversations.c.dataset_id == dataset_id)
            .group_by(exchanges.c.conversation_id)
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def exchanges(self, id: str) -> list[ExchangeRecord]:
        """What was said, in order."""
        query = select(exchanges).where(exchanges.c.conversation_id == id).order_by(exchanges.c.position)
        with self._database.reading() as connection:
            return [_exchange(row) for row in connection.execute(query)]

    def append(
        self,
        id: str,
        *,
        text: str | None,
        turn: Mapping[str, Any] | None,
        before: Mapping[str, Any],
        error: str | None = None,
        outcome: Outcome | None = None,
        form: Mapping[str, Any] | None = None,
    ) -> ExchangeRecord:
        """Add what was said and answered; ``form`` where the answer changed the form. Tabs may append at once.

        Raises:
            UserError: the conversation was deleted meanwhile.
        """
        with self._database.writing() as connection:
            record = _found(connection, id)
            last = select(func.max(exchanges.c.position)).where(exchanges.c.conversation_id == id)
            position = (connection.execute(last).scalar() or 0) + 1
            values = {
                "conversation_id": id, "position": position, "text": text, "turn": None if turn is None else dict(turn),
                "error": error, "before": dict(before), "outcome": outcome, "created_at": now(),
            }  # fmt: skip
            connection.execute(insert(exchanges).values(**values))
            _touch(connection, record, title=record.title or text or "", form=record.form if form is None else form)
            return _at(connection, id, position)

    def answer(
        self,
        id: str,
        position: int,
        *,
        text: str | None,
        turn: Mapping[str, Any] | None,
        error: str | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        """Put the answer to what was asked at ``position``; a ``text`` of None takes back what was kept of it.

        Raises:
            UserError: the conversation was deleted meanwhile.
        """
        with self._database.writing() as connection:
            record, asked = _found(connection, id), _at(connection, id, position)
            here = (exchanges.c.conversation_id == id) & (exchanges.c.position == position)
            values = {"text": text, "turn": None if turn is None else dict(turn), "error": error, "outcome": outcome}
            connection.execute(update(exchanges).where(here).values(**values))
            _touch(connection, record, title="" if text is None and record.title == asked.text else record.title)

    def settle(
        self,
        id: str,
        position: int,
        outcome: Outcome,
        *,
        before: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
    ) -> ConversationRecord:
        """Say what became of a proposal; ``before`` and ``form`` where the form was changed by it.

        Raises:
            UserError: there is no such proposal.
        """
        with self._database.writing() as connection:
            record, exchange = _found(connection, id), _at(connection, id, position)
            here = (exchanges.c.conversation_id == id) & (exchanges.c.position == position)
            changed = {"outcome": outcome, "before": dict(exchange.before if before is None else before)}
            connection.execute(update(exchanges).where(here).values(**changed))
            _touch(connection, record, form=record.form if form is None else form)
            return _found(connection, id)

    def keep_form(self, id: str, form: Mapping[str, Any]) -> ConversationRecord:
        """Keep what the form says now.

        Raises:
            UserError: there is none of this id.
        """
        with self._database.writing() as connection:
            record = _found(connection, id)
            if record.form != form:
                _touch(connection, record, form=form)
            return _found(connection, id)

    def delete(self, id: str) -> None:
        """Forget the conversation; its cohorts stay."""
        with self._database.writing() as connection:
            cohorts = records.cohorts
            connection.execute(update(cohorts).where(cohorts.c.conversation_id == id).values(conversation_id=None))
            connection.execute(delete(exchanges).where(exchanges.c.conversation_id == id))
            connection.execute(delete(conversations).where(conversations.c.id == id))


def _touch(connection: Connection, record: ConversationRecord, **changes: Any) -> None:
    values = {"revision": record.revision + 1, "changed_at": now(), **changes}
    connection.execute(update(conversations).where(conversations.c.id == record.id).values(**values))


def _found(connection: Connection, id: str) -> ConversationRecord:
    row = connection.execute(select(conversations).where(conversations.c.id == id)).one_or_none()
    if row is None:
        raise UserError("this conversation is no longer kept", remedy="Begin a new one, or open another.")
    return _conversation(row)


def _at(connection: Connection, id: str, position: int) -> ExchangeRecord:
    here = (exchanges.c.conversation_id == id) & (exchanges.c.position == position)
    row = connection.execute(select(exchanges).where(here)).one_or_none()
    if row is None:
        raise UserError(f"this conversation has no request {position}", remedy="Open it again.")
    return _exchange(row)


def _conversation(row: Row) -> ConversationRecord:
    return ConversationRecord(**{field.name: row._mapping[field.name] for field in fields(ConversationRecord)})


def _exchange(row: Row) -> ExchangeRecord:
    values: dict[str, Any] = {field.name: row._mapping[field.name] for field in fields(ExchangeRecord)}
    values["outcome"] = None if values["outcome"] is None else Outcome(values["outcome"])
    return ExchangeRecord(**values)

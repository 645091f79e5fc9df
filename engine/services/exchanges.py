"""A conversation as the pages read it: typed, and readable whatever version wrote it."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Turn
from engine.storage.conversations import ConversationRecord, ExchangeRecord, Outcome
from engine.storage.records import CohortRecord

_UNREADABLE = "This answer was written by another version of Cohort Studio and cannot be shown."


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. ``before`` is what ``turn.spec`` is compared with; ``text`` is None where not kept."""

    position: int
    text: str | None
    turn: Turn | None
    error: str
    before: CohortSpec
    outcome: Outcome | None
    at: datetime


@dataclass(frozen=True)
class Conversation:
    """A conversation with all that was said. ``form`` is the request in the form."""

    id: str
    dataset_id: str
    title: str
    form: CohortSpec
    revision: int
    exchanges: tuple[Exchange, ...]

    @property
    def last_proposal(self) -> Exchange | None:
        """The newest exchange that proposes something."""
        return next((one for one in reversed(self.exchanges) if one.outcome is not None), None)

    @property
    def last_applied(self) -> Exchange | None:
        """What "undo" takes back."""
        return next((one for one in reversed(self.exchanges) if one.outcome is Outcome.APPLIED), None)


@dataclass(frozen=True)
class Summary:
    """A line in the list of earlier conversations."""

    id: str
    title: str
    changed_at: datetime
    requests: int
    cohorts: tuple[CohortRecord, ...]


def conversation(record: ConversationRecord, said: list[ExchangeRecord]) -> Conversation:
    """The conversation of a record and its exchanges."""
    try:
        form = CohortSpec.model_validate(record.form)
    except ValidationError:
        form = CohortSpec()
    exchanges = tuple(exchange(one) for one in said)
    return Conversation(record.id, record.dataset_id, record.title, form, record.revision, exchanges)


def exchange(record: ExchangeRecord) -> Exchange:
    """The exchange of a record; what another version wrote and this one cannot read becomes its ``error``."""
    try:
        turn = None if record.turn is None else Turn.model_validate(record.turn)
        before, error, outcome = CohortSpec.model_validate(record.before), record.error or "", record.outcome
    except ValidationError:
        turn, before, error, outcome = None, CohortSpec(), _UNREADABLE, None
    return Exchange(record.position, record.text, turn, error, before, outcome, record.created_at)

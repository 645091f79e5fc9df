"""Who answers a request: safety and knowledge first, then the chosen backend, checked against the rules.

What must not be processed, questions and advice never reach a model: the rules refuse or answer them. Everything else
is read twice, by the chosen backend and by the rules (under 100 ms); both readings pass one validator. Where they
agree the backend's turn stands. Where they differ the difference is told, one reading is proposed, and the other is
one click away. Where the backend is absent, fails or is slow, the rules answer and the turn says why.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread

from engine.cohort.spec import CohortSpec
from engine.conversation.backend import Backend, BackendState
from engine.conversation.comparison import differences
from engine.conversation.contract import Action, BackendName, Turn, Understood, Warning
from engine.conversation.knowledge import answers
from engine.conversation.knowledge.records import KnowledgeContext
from engine.conversation.rules import parser, safety
from engine.conversation.rules.wording import phrase, share_phrase
from engine.conversation.validator import validated
from engine.core.errors import CohortStudioError
from engine.schema.table import TableSchema

NAMES: dict[BackendName, str] = {"rules": "rules", "llama": "language model", "endpoint": "endpoint"}
_STATES = {
    "off": "is not set up", "absent": "is not on this machine", "downloading": "is still being downloaded",
    "loading": "is still being loaded", "failed": "could not be loaded",
}  # fmt: skip
_MOST_DIFFERENCES = 4
"""How many are told in a notice; the specs themselves show the rest."""
_LOOK_SECONDS = 0.05
_GRACE_SECONDS = 0.5
"""A backend that is told to end may still hand over what it has."""
_READY = BackendState("ready")
_log = logging.getLogger(__name__)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Conductor:
    """Answers requests with one chosen backend and the rules."""

    name: BackendName = "rules"
    backend: Backend | None = None
    """None for the rules, and for a backend that is not there."""
    state: BackendState = _READY
    seconds: float = 30.0
    """How long the backend may take before the rules answer instead."""

    def reply(
        self,
        text: str,
        *,
        schema: TableSchema,
        previous: CohortSpec | None = None,
        stop: Event | None = None,
        tell: Tell | None = None,
        context: KnowledgeContext | None = None,
    ) -> Turn:
        """What ``text`` is understood as; a backend that fails makes no difference but a notice.

        Args:
            text: what the person typed.
            schema: the source's columns.
            previous: the spec that a follow-up changes.
            stop: set by another thread to be content with the rules' turn.
            tell: called in this thread with pieces of the backend's explanation.
            context: what the caller can add to answers; no backend gets it.
        """
        started = time.perf_counter()
        turn = self._reply(text, schema, previous, stop, tell, context)
        turn = turn.model_copy(update={"seconds": round(time.perf_counter() - started, 4)})
        _log.info(
            "%s answered in %.3f s: %s%s", turn.backend, turn.seconds, turn.intent, " (notice)" * bool(turn.notice)
        )
        return turn

    def _reply(
        self,
        text: str,
        schema: TableSchema,
        previous: CohortSpec | None,
        stop: Event | None,
        tell: Tell | None,
        context: KnowledgeContext | None,
    ) -> Turn:
        ruled = parser.parse(text, schema=schema, previous=previous, context=context)
        ruled = validated(ruled, text=text, schema=schema)
        if self.name == "rules" or _is_settled(text, ruled):
            return ruled
        name = NAMES[self.name]
        if self.backend is None or self.state.state != "ready":
            why = f"The {name} {_STATES.get(self.state.state, 'is not there')}"
            return _noticed(ruled, f"{why}, so the rules read this.", self.state.detail)
        try:
            read = self._ask(self.backend, text, schema, previous, stop, tell)
            read = validated(read, text=text, schema=schema).model_copy(update={"backend": self.name})
        except CohortStudioError as error:
            return _noticed(ruled, f"The {name} gave no usable answer, so the rules read this.", str(error))
        return _settle(ruled, read, text, schema)

    def _ask(
        self,
        backend: Backend,
        text: str,
        schema: TableSchema,
        previous: CohortSpec | None,
        stop: Event | None,
        tell: Tell | None,
    ) -> Turn:
        """The backend's turn, from a thread of its own: one that hangs holds nobody up."""
        ending, told, result = Event(), SimpleQueue[str | None](), Future[Turn]()

        def work() -> None:
            try:
                write = told.put if tell is not None else None
                turn = backend.parse(text, schema=schema, previous=previous, stop=ending, tell=write)
                result.set_result(turn)
            except BaseException as error:  # for the thread that waits
                result.set_exception(error)
            finally:
                told.put(None)

        Thread(target=work, name=f"request to the {self.name} backend", daemon=True).start()
        until, why = time.monotonic() + self.seconds, ""
        while not _pass_on(told, tell):
            stopped = stop is not None and stop.is_set()
            if why and time.monotonic() >= until:
                raise CohortStudioError(why)
            if not why and (stopped or time.monotonic() >= until):
                why = "it was stopped" if stopped else f"it took longer than {self.seconds:g} seconds"
                until = time.monotonic() + _GRACE_SECONDS
                ending.set()
        try:
            return result.result()
        except CohortStudioError as error:
            if why:
                raise CohortStudioError(why) from error
            raise
        except Exception as error:
            _log.exception("the backend %s broke", self.name)
            raise CohortStudioError(f"it broke unexpectedly ({type(error).__name__})") from error


def _pass_on(told: "SimpleQueue[str | None]", tell: Tell | None) -> bool:
    """Hand on one piece of what was written, waiting a moment for it; whether the end (None) has come instead.

    One only: between two pieces the caller looks for a wish to stop and at the time.
    """
    try:
        piece = told.get(timeout=_LOOK_SECONDS)
    except Empty:
        return False
    if piece is not None and tell is not None:
        tell(piece)
    return piece is None


def _is_settled(text: str, ruled: Turn) -> bool:
    """Whether the rules' turn must stand: what a model never gets to see."""
    unsafe = safety.personal_data(text) or safety.asks_for_real_rows(text) or safety.asks_for_advice(text)
    answered = ruled.intent in ("question", "refuse", "out_of_scope")
    unanswerable = ruled.spec is None and answers.is_question(text)
    return bool(unsafe) or answered or unanswerable or len(text) > parser.MAX_CHARACTERS or not text.strip()


def _noticed(turn: Turn, notice: str, reason: str = "") -> Turn:
    parts = (turn.notice, notice, f"Reason: {reason}" if reason else "")
    return turn.model_copy(update={"notice": " ".join(part for part in parts if part)})


def _settle(ruled: Turn, read: Turn, text: str, schema: TableSchema) -> Turn:
    """One turn of two readings: agree, accept; differ, say so and let the person choose."""
    name = NAMES[read.backend]
    if ruled.ranked and ruled.spec is not None and read.spec is not None:
        # The ranking comes from guidelines and the source; a model's choice of columns has no source.
        read = read.model_copy(update={"spec": read.spec.model_copy(update={"columns": ruled.spec.columns})})
    if read.spec is None:
        if ruled.spec is None:
            return _noticed(ruled, f"The {name} found nothing to propose either.")
        reasons = " ".join(warning.message for warning in read.warnings)
        return _noticed(ruled, f"The {name} proposes nothing here; this is the rules' reading.", reasons)
    if ruled.spec is None:
        if ruled.intent == "unclear":
            notice = f"The rules could not read this; it is the {name}'s reading alone. Check it before you apply it."
            return _noticed(_accounted(read, ruled, text, schema), notice)
        notice = f"The rules found that this cannot be met; the {name} read it in another way."
        return _offering(_noticed(ruled, notice), read.spec, name)
    found = [one.told("rules", name) for one in differences(ruled.spec, read.spec, schema)]
    if not found:
        return ruled.model_copy(update={"backend": read.backend})
    shown = "; ".join(found[:_MOST_DIFFERENCES])
    more = len(found) - _MOST_DIFFERENCES
    shown += f"; and {more} more" if more > 0 else ""
    if ruled.not_understood:
        notice = f"The rules and the {name} differ: {shown}. Proposed is the {name}'s reading: the rules lack words."
        return _offering(_noticed(_accounted(read, ruled, text, schema), notice), ruled.spec, "rules")
    notice = f"The rules and the {name} differ: {shown}. Proposed is the rules' reading, which leaves no word out."
    return _offering(_noticed(ruled, notice), read.spec, name)


def _offering(turn: Turn, other: CohortSpec, name: str) -> Turn:
    """``turn`` with the other reading as a way out."""
    owner = f"{name}'" if name.endswith("s") else f"{name}'s"
    message = "There are two readings of this request; check which one is meant."
    ways = (Action(label=f"Use the {owner} reading", spec=other),)
    warning = Warning(code="invalid", message=message, actions=ways)
    return turn.model_copy(update={"warnings": (*turn.warnings, warning)})


def _accounted(read: Turn, ruled: Turn, text: str, schema: TableSchema) -> Turn:
    """``read`` with an account of the words, which a backend need not give: the rules' own where both read the same.

    What only the backend read stands for the one stretch that the rules could not read, or else for the whole text.
    """
    spec, name = read.spec or CohortSpec(), NAMES[read.backend]
    same = tuple(
        entry
        for entry in ruled.understood
        if (entry.criterion is None or entry.criterion in spec.criteria)
        and (entry.share is None or entry.share in spec.shares)
    )
    before = ruled.spec or CohortSpec()
    (only,) = ruled.not_understood if len(ruled.not_understood) == 1 else (text,)
    note = f"read by the {name}"
    further = [
        *(Understood(text=only, criterion=one, meaning=phrase(one, schema), note=note)
          for one in spec.criteria if one not in before.criteria),
        *(Understood(text=only, share=one, meaning=share_phrase(one, schema), note=note)
          for one in spec.shares if one not in before.shares),
    ]  # fmt: skip
    told = read.understood or (*same, *further)
    spans = " ".join(entry.text.lower() for entry in told if entry.text != text)
    lost = (words for words in ruled.not_understood if words.lower() not in spans)
    unread = tuple(dict.fromkeys((*lost, *read.not_understood)))
    return read.model_copy(update={"understood": told, "not_understood": unread})

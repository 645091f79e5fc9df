"""The dialogue about a cohort: what was said, what it would change, what was applied, and the way back.

A conversation holds the request in the form beside its exchanges, so that it can be reopened as it was left. A text
that names a person is never stored.
"""

from threading import RLock

from engine.cohort.spec import CohortSpec
from engine.conversation.changes import Change, changes, within
from engine.conversation.contract import Answer, Turn, Understood
from engine.conversation.rules import safety
from engine.conversation.validator import validated
from engine.core.errors import UserError
from engine.schema.table import TableSchema
from engine.services.chat import Chat
from engine.services.commands_in_text import is_start_over, is_undo
from engine.services.context import Context
from engine.services.exchanges import Conversation, Exchange, Summary, conversation, exchange
from engine.services.replies import Reply
from engine.storage.conversations import ConversationStore, Outcome
from engine.storage.sources import schema_of

_EMPTY = CohortSpec()
_UNANSWERED = "This was not answered, because Cohort Studio ended or failed meanwhile. Ask again."


class Conversations:
    """Conversations with the assistant, kept with their data set."""

    def __init__(self, context: Context, chat: Chat) -> None:
        self._context = context
        self._chat = chat
        self._store = ConversationStore(context.database)
        self._replies: dict[str, Reply] = {}
        self._awaited: dict[str, int] = {}
        """Conversation → position of the request whose answer is on its way."""
        self._lost: dict[str, str] = {}
        self._starting = RLock()

    # -- reading -------------------------------------------------------------------------------------------------------

    def revision(self, id: str) -> int:
        """Counts the changes of a conversation.

        Raises:
            UserError: it was deleted.
        """
        return self._store.get(id).revision

    def open(self, id: str) -> Conversation:
        """The conversation as it was left, without the request whose answer is on its way.

        Raises:
            UserError: it was deleted.
        """
        awaited = self._awaited.get(id)
        record, said = self._store.get(id), self._store.exchanges(id)
        return conversation(record, [one for one in said if one.position != awaited])

    def all(self, dataset_id: str) -> list[Summary]:
        """Those of a data set in which something was said, the last changed first."""
        counts = self._store.counts(dataset_id)
        cohorts = self._context.database.cohorts(dataset_id=dataset_id)
        return [
            Summary(
                record.id, record.title, record.changed_at, counts[record.id],
                tuple(cohort for cohort in cohorts if cohort.conversation_id == record.id),
            )
            for record in self._store.of_dataset(dataset_id)
            if record.id in counts
        ]  # fmt: skip

    def title(self, id: str) -> str:
        """Its first request.

        Raises:
            UserError: it was deleted.
        """
        return self._store.get(id).title

    def changes(self, before: CohortSpec, after: CohortSpec, schema: TableSchema) -> tuple[Change, ...]:
        """What applying ``after`` changes, in words."""
        return changes(before, after, schema)

    # -- talking -------------------------------------------------------------------------------------------------------

    def say(self, text: str, *, dataset_id: str, conversation_id: str | None, form: CohortSpec) -> str:
        """Begin to answer ``text``; returns the conversation's id.

        ``undo`` and ``start over`` change the form at once. Everything else ends as an exchange that proposes.

        Raises:
            UserError: the data set or the conversation is gone, or an answer is still on its way.
        """
        id = conversation_id or self._store.add(dataset_id=dataset_id, form=form.as_json()).id
        if is_undo(text):
            self._undo_said(id, text)
        elif is_start_over(text):
            self._start_over(id, text, form)
        else:
            self._ask(id, text, dataset_id, form)
        return id

    def reply(self, id: str) -> Reply | None:
        """The answer that is on its way, None when everything is answered."""
        with self._starting:  # or a tab that saw the last answer done would drop the next one of another tab
            found = self._replies.get(id)
            if found is not None and found.is_done:
                del self._replies[id]
                if found.lost:
                    self._lost[id] = found.lost
                return None
            return found

    def lost(self, id: str) -> str | None:
        """Why the last answer could not be kept, in words; told once, None where nothing was lost."""
        return self._lost.pop(id, None)

    def take(self, id: str, position: int, warning: int, action: int, *, form: CohortSpec) -> None:
        """Propose what a button of a warning offers.

        Raises:
            UserError: there is no such button.
        """
        said = self._at(id, position)
        try:
            offered = (said.turn or Turn(intent="unclear")).warnings[warning].actions[action]
        except IndexError as error:
            raise UserError("this offer is no longer there", remedy="Say what you need instead.") from error
        self._propose(id, offered.label, offered.spec, form)

    def propose_again(self, id: str, position: int, *, form: CohortSpec) -> None:
        """Bring an earlier proposal forward, compared with the form as it is now.

        Raises:
            UserError: nothing was proposed there.
        """
        said = self._at(id, position)
        if said.turn is None or said.turn.spec is None:
            raise UserError("nothing was proposed there", remedy="Choose another proposal.")
        self._propose(id, said.text or "an earlier proposal", said.turn.spec, form)

    # -- the form ------------------------------------------------------------------------------------------------------

    def apply(self, id: str, position: int, *, form: CohortSpec) -> None:
        """Put a proposal into the form, which says ``form`` where the person looks at it.

        Raises:
            UserError: nothing was proposed there, or the form was edited elsewhere meanwhile; those edits stay.
        """
        said = self._at(id, position)
        if said.turn is None or said.turn.spec is None:
            raise UserError("nothing was proposed there", remedy="Choose another proposal.")
        if said.outcome is not Outcome.APPLIED:
            if self.open(id).form != form:
                raise UserError(
                    "the form was edited in another tab meanwhile, so nothing was applied",
                    remedy="The form shows those edits now; apply again to replace them.",
                )
            new = said.turn.spec.as_json()
            self._store.settle(id, position, Outcome.APPLIED, before=form.as_json(), form=new)

    def undo(self, id: str, position: int) -> None:
        """Take an applied proposal back: the form is as before it.

        Edits made since go with it; they are said, and can be applied again.

        Raises:
            UserError: there is no such exchange.
        """
        said = self._at(id, position)
        if said.outcome is Outcome.APPLIED and (edited := self._take_back(id, said)) is not None:
            self._tell_undone(id, "Undo", said, edited)

    def keep_form(self, id: str, form: CohortSpec) -> int:
        """Keep what the form says now; returns the revision.

        Raises:
            UserError: the conversation was deleted.
        """
        return self._store.keep_form(id, form.as_json()).revision

    def delete(self, id: str) -> None:
        """Forget a conversation; its cohorts stay."""
        with self._starting:
            reply = self._replies.pop(id, None)
            self._awaited.pop(id, None)
        if reply is not None:
            reply.stop()
        self._store.delete(id)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _ask(self, id: str, text: str, dataset_id: str, form: CohortSpec) -> None:
        with self._starting:
            if self.reply(id) is not None:
                raise UserError("an answer is still on its way", remedy="Wait for it or stop it.")
            base = _continued(self.open(id), form)
            previous = within(base, self._schema(dataset_id)) if base is not None else None
            named = safety.personal_data(text) is not None
            asked = self._store.append(
                id, text=None if named else text, turn=None, error=_UNANSWERED, before=form.as_json()
            )

            def ask(reply: Reply) -> Turn:
                return self._chat.reply(
                    text, dataset_id=dataset_id, previous=previous, stop=reply.stopping, tell=reply.tell
                )

            def keep(turn: Turn | None, problem: str) -> None:
                self._awaited.pop(id, None)  # before: who reads in between sees it unanswered, and a change soon after
                personal = named or _is_personal(turn)
                self._store.answer(
                    id, asked.position, text=None if personal else text,
                    turn=None if turn is None else _without_text(turn, personal), error=problem or None,
                    outcome=Outcome.PROPOSED if turn is not None and turn.spec is not None else None,
                )  # fmt: skip

            self._awaited[id] = asked.position
            self._replies[id] = Reply(text, ask, keep)

    def _undo_said(self, id: str, text: str) -> None:
        before = self.open(id)
        last, applied = before.last_proposal, before.last_applied
        if last is not None and last.outcome is Outcome.PROPOSED:
            self._store.settle(id, last.position, Outcome.DROPPED)
            said = "The proposal is dropped; the form stays as it is."
        elif applied is not None:
            self._tell_undone(id, text, applied, self._take_back(id, applied))
            return
        else:
            said = "Nothing was applied in this conversation, so there is nothing to undo."
        turn = Turn(intent="refine", answer=Answer(text=said))
        self._store.append(id, text=text, turn=turn.as_json(), before=before.form.as_json())

    def _take_back(self, id: str, applied: Exchange) -> CohortSpec | None:
        """Undo ``applied``; returns the form until now, where it was edited since and would be lost."""
        form = self.open(id).form
        self._store.settle(id, applied.position, Outcome.UNDONE, form=applied.before.as_json())
        known = (applied.before, applied.turn.spec if applied.turn is not None else None)
        return None if form in known else form

    def _tell_undone(self, id: str, text: str, applied: Exchange, edited: CohortSpec | None) -> None:
        of = f"“{applied.text}”" if applied.text else f"request {applied.position}"
        said = f"Undone: the form is again as it was before {of}."
        if edited is not None:
            said += " It had been edited since, and those edits are undone too; apply this to have them back."
        turn = Turn(intent="refine", spec=edited, answer=Answer(text=said))
        outcome = Outcome.UNDONE if edited is not None else None
        self._store.append(id, text=text, turn=turn.as_json(), before=applied.before.as_json(), outcome=outcome)

    def _start_over(self, id: str, text: str, form: CohortSpec) -> None:
        last = self.open(id).last_proposal
        if last is not None and last.outcome is Outcome.PROPOSED:
            self._store.settle(id, last.position, Outcome.DROPPED)
        turn = Turn(intent="generate", spec=_EMPTY, understood=(Understood(text=text, meaning="an empty form"),))
        new = _EMPTY.as_json()
        self._store.append(id, text=text, turn=turn.as_json(), before=form.as_json(), outcome=Outcome.APPLIED, form=new)

    def _propose(self, id: str, label: str, spec: CohortSpec, form: CohortSpec) -> None:
        schema = self._schema(self._store.get(id).dataset_id)
        turn = validated(Turn(intent="refine", spec=within(spec, schema)), text=label, schema=schema)
        outcome = Outcome.PROPOSED if turn.spec is not None else None
        self._store.append(id, text=label, turn=turn.as_json(), before=form.as_json(), outcome=outcome)

    def _at(self, id: str, position: int) -> Exchange:
        found = next((one for one in self._store.exchanges(id) if one.position == position), None)
        if found is None:
            raise UserError(f"this conversation has no request {position}", remedy="Open it again.")
        return exchange(found)

    def _schema(self, dataset_id: str) -> TableSchema:
        return schema_of(self._context.workspace.dataset(dataset_id)).released()


def _continued(so_far: Conversation, form: CohortSpec) -> CohortSpec | None:
    """What a follow-up refers to: the proposal that still waits, or else the form; None where nobody touched it."""
    last, applied = so_far.last_proposal, so_far.last_applied
    waits = last is not None and last.outcome is Outcome.PROPOSED and last.before == form
    if last is not None and last.turn is not None and last.turn.spec is not None and waits:
        return last.turn.spec
    untouched = form == _EMPTY and (applied is None or is_start_over(applied.text or ""))
    return None if untouched else form


def _is_personal(turn: Turn | None) -> bool:
    return turn is not None and any(warning.code == "personal_data" for warning in turn.warnings)


def _without_text(turn: Turn, personal: bool) -> dict:
    kept = turn.model_copy(update={"understood": (), "not_understood": ()}) if personal else turn
    return kept.as_json()

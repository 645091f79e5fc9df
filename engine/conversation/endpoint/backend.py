"""The endpoint as a backend: a server's model drafts the request, the draft is checked, then explained."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName, Turn
from engine.conversation.endpoint.answer import answer_schema, read_answer
from engine.conversation.endpoint.client import EndpointClient
from engine.conversation.language_model.prompt import has_public_categories, messages
from engine.conversation.rules import safety
from engine.conversation.rules.wording import describe
from engine.core.errors import CohortStudioError, UserError
from engine.schema.table import TableSchema

_ANSWER_TOKENS = 1500
_EXPLANATION_TOKENS = 120
_EXPLANATION_CHARACTERS = 600
_EXPLAIN = (
    "Say in one or two short sentences of plain text what cohort was asked for. Repeat only what is written below; "
    "give no advice and add no facts."
)


@dataclass
class Endpoint:
    """Reads requests with the model behind ``client``; what is sent (see ``answer``) holds no cell of a table."""

    client: EndpointClient
    name: BackendName = "endpoint"

    def parse(
        self,
        text: str,
        *,
        schema: TableSchema,
        previous: CohortSpec | None = None,
        stop: Event | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Turn:
        """See :class:`engine.conversation.backend.Backend`; nothing is sent of a text that holds personal data."""
        found = safety.personal_data(text)
        if found is not None:
            what = f"the text seems to hold {found}, so nothing was sent"
            raise UserError(what, remedy="Describe patients without it.")
        named = [column for column in schema.columns if safety.personal_data(column.name) is not None]
        if named:  # the heading of an uploaded table names a person
            schema = TableSchema(columns=tuple(column for column in schema.columns if column not in named))
        answers = answer_schema(text, schema=schema, previous=previous)
        asked = messages(text, schema=schema, previous=previous)
        content = self.client.complete(asked, max_tokens=_ANSWER_TOKENS, json_schema=answers, stop=stop)
        turn = read_answer(content, answers=answers, schema=schema)
        if tell is not None and turn.spec is not None:
            self._explain(describe(_without_cells(turn.spec, schema), schema), tell, stop)
        return turn.model_copy(update={"backend": self.name})

    def _explain(self, sentence: str, tell: Callable[[str], None], stop: Event | None) -> None:
        """Let the model tell its reading; what was read stands, whether or not this succeeds."""
        said = 0

        def pass_on(piece: str) -> None:
            nonlocal said
            shown = "".join(sign for sign in piece if sign.isprintable() or sign == "\n")
            shown = shown[: max(0, _EXPLANATION_CHARACTERS - said)]
            said += len(shown)
            if shown:
                tell(shown)

        asked = [{"role": "system", "content": _EXPLAIN}, {"role": "user", "content": sentence}]
        try:
            self.client.stream(asked, max_tokens=_EXPLANATION_TOKENS, tell=pass_on, stop=stop)
        except CohortStudioError:
            return


def _without_cells(spec: CohortSpec, schema: TableSchema) -> CohortSpec:
    """``spec`` without demands on columns whose categories were read from a table."""
    own = {one.name for one in schema.columns if not has_public_categories(one)}
    kept = {
        "criteria": tuple(one for one in spec.criteria if one.column not in own),
        "shares": tuple(one for one in spec.shares if one.column not in own),
    }
    return spec.model_copy(update=kept)

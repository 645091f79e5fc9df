"""The endpoint as a backend: a server's model fills in a form, its answer is read, then it may explain it."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName, Turn
from engine.conversation.endpoint import form
from engine.conversation.endpoint.client import EndpointClient
from engine.conversation.rules import safety
from engine.conversation.rules.parser import parse
from engine.conversation.rules.wording import describe
from engine.core.errors import CohortStudioError, UserError
from engine.schema.table import TableSchema

_FORM_TOKENS = 1500
_EXPLANATION_TOKENS = 120
_EXPLANATION_CHARACTERS = 600
_EXPLAIN = (
    "Say in one or two short sentences of plain text what cohort was asked for. Repeat only what is written below; "
    "give no advice and add no facts."
)


@dataclass(frozen=True)
class Endpoint:
    """Reads requests with the model behind ``client``. What is sent holds no cell of any table (see ``form``)."""

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
            raise UserError(
                f"the text seems to hold {found}, so nothing was sent", remedy="Describe patients without it."
            )
        ruled = parse(text, schema=schema, previous=previous)
        asked = form.messages(text, schema=schema, previous=previous)
        content = self.client.complete(
            asked, max_tokens=_FORM_TOKENS, json_schema=form.json_schema(schema), stop=stop
        )  # fmt: skip
        turn = form.read(content, text=text, schema=schema, previous=previous, ruled=ruled)
        if tell is not None and turn.spec is not None:
            self._explain(describe(form.sendable(turn.spec, schema), schema), tell, stop)
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

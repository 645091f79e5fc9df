"""From what a person types to a CohortSpec that the form shows."""

from collections.abc import Callable
from threading import Event

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName, Turn
from engine.services.assistant import Assistant
from engine.services.context import Context
from engine.storage.tables import read_schema


class Chat:
    """Understands requests against one data set's columns; it never sees a patient's row."""

    def __init__(self, context: Context, assistant: Assistant) -> None:
        self._context = context
        self._assistant = assistant

    def reply(
        self,
        text: str,
        *,
        dataset_id: str,
        previous: CohortSpec | None,
        stop: Event | None = None,
        tell: Callable[[str], None] | None = None,
        backend: BackendName | None = None,
    ) -> Turn:
        """What was understood of ``text``, given the spec so far, by the chosen backend or by ``backend``.

        ``stop`` makes it be content with the rules' turn; ``tell`` gets pieces of a model's explanation.
        """
        schema = read_schema(self._context.workspace.dataset(dataset_id) / "table.parquet")
        return self._assistant.reply(text, schema=schema, previous=previous, stop=stop, tell=tell, backend=backend)

"""From what a person types to a CohortSpec that the form shows."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName, Turn
from engine.conversation.knowledge.records import KnowledgeContext
from engine.core.workspace import read_json
from engine.services.assistant import Assistant
from engine.services.associations import TableAssociations
from engine.services.context import Context
from engine.storage.records import State
from engine.storage.sources import schema_of


class Chat:
    """Understands requests against one data set's columns; of its rows it sees associations of columns at most."""

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
        schema = schema_of(self._context.workspace.dataset(dataset_id)).released()
        return self._assistant.reply(
            text, schema=schema, previous=previous, stop=stop, tell=tell, backend=backend,
            context=self.knowledge(dataset_id),
        )  # fmt: skip

    def knowledge(self, dataset_id: str) -> KnowledgeContext:
        """What answers may quote beside the cards: the reports of the data set and of its newest model and cohort."""
        workspace, database = self._context.workspace, self._context.database
        folder = workspace.dataset(dataset_id)
        cohort = next((one for one in database.cohorts(dataset_id=dataset_id) if one.state is State.READY), None)
        if cohort is not None:
            model = database.model(cohort.model_id)
        else:
            model = next((one for one in database.models(dataset_id) if one.state is State.READY), None)
        return KnowledgeContext(
            manifest=_record(workspace.cohort(cohort.id) / "manifest.json") if cohort is not None else None,
            model_report=model.report if model is not None else None,
            preparation_report=_record(folder / "report.json"),
            dataset=database.dataset(dataset_id).name,
            associations=TableAssociations(folder, small_cell_minimum=self._context.settings.small_cell_minimum),
        )


def _record(path: Path) -> dict[str, Any] | None:
    return read_json(path) if path.is_file() else None

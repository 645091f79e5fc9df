"""The one object that pages hold: a facade per use case over one open workspace."""

from functools import cached_property

from engine.core.settings import Settings
from engine.services.assistant import Assistant
from engine.services.bake_off import BakeOffs
from engine.services.chat import Chat
from engine.services.cohorts import Cohorts
from engine.services.comparison import Comparison
from engine.services.context import Context
from engine.services.conversations import Conversations
from engine.services.datasets import Datasets
from engine.services.exports import Exports
from engine.services.fine_tuning import FineTuning
from engine.services.reports import Reports
from engine.services.shipped import register_all
from engine.services.sources import Sources
from engine.services.training import Training
from engine.services.work import Work


class Studio:
    """Opens the workspace and hands out its services."""

    def __init__(self, settings: Settings) -> None:
        self._context = Context.open(settings)

    def start(self) -> "Studio":
        """Have the models that ship ready, and watch over the worker for as long as this process lives."""
        register_all(self._context.workspace, self._context.database)
        self._context.supervisor.watch()
        return self

    @property
    def small_cell_minimum(self) -> int:
        """Counts of real patients below this are not shown."""
        return self._context.settings.small_cell_minimum

    @cached_property
    def datasets(self) -> Datasets:
        """Sources: MIMIC-III folders and uploaded tables."""
        return Datasets(self._context)

    @cached_property
    def training(self) -> Training:
        """Generators and their training."""
        return Training(self._context)

    @cached_property
    def cohorts(self) -> Cohorts:
        """Support of a request, generation, stored cohorts."""
        return Cohorts(self._context)

    @cached_property
    def assistant(self) -> Assistant:
        """Who reads requests."""
        return Assistant(self._context.workspace)

    @cached_property
    def fine_tuning(self) -> FineTuning:
        """Adapters of the language model."""
        return FineTuning(self._context)

    @cached_property
    def chat(self) -> Chat:
        """From text to a CohortSpec."""
        return Chat(self._context, self.assistant)

    @cached_property
    def sources(self) -> Sources:
        """Which data set can serve a request."""
        return Sources(self._context, self.chat)

    @cached_property
    def conversations(self) -> Conversations:
        """What was said about a cohort, what was applied, and the way back."""
        return Conversations(self._context, self.chat)

    @cached_property
    def comparison(self) -> Comparison:
        """Real beside synthetic."""
        return Comparison(self._context)

    @cached_property
    def bake_offs(self) -> BakeOffs:
        """Generators beside each other."""
        return BakeOffs(self._context)

    @cached_property
    def reports(self) -> Reports:
        """Comparisons as documents."""
        return Reports(self._context)

    @cached_property
    def exports(self) -> Exports:
        """Files to take away."""
        return Exports(self._context)

    @cached_property
    def work(self) -> Work:
        """Running and past jobs."""
        return Work(self._context)

"""What understands a request: the interface of the rules, a local language model and an endpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Literal, Protocol

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName, Turn
from engine.schema.table import TableSchema


class Backend(Protocol):
    """Reads a request as a :class:`Turn`. Its turn is checked again by whoever asked: a model is never trusted."""

    name: BackendName

    def parse(
        self,
        text: str,
        *,
        schema: TableSchema,
        previous: CohortSpec | None = None,
        stop: Event | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Turn:
        """What ``text`` asks for in terms of the columns of ``schema``; a follow-up edits ``previous``.

        Args:
            text: what the person typed.
            schema: the source's columns; no cell of it is needed or seen.
            previous: the spec that a follow-up changes.
            stop: set by another thread to end the work early.
            tell: called with pieces of explanation as they are written; never with JSON.

        Raises:
            CohortStudioError: the backend failed or was stopped; says why and what to do.
        """
        ...


@dataclass(frozen=True)
class BackendState:
    """How far a backend is, for the settings page."""

    state: Literal["off", "absent", "downloading", "loading", "ready", "failed"]
    detail: str = ""
    """In words: why it failed, what is missing, what it runs on."""
    memory_mb: float | None = None
    load_seconds: float | None = None

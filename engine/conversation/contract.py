"""The contract between a person's sentence and the product: one :class:`Turn` per request, whatever backend read it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.cohort.spec import CohortSpec, Criterion, Share

Intent = Literal["generate", "refine", "question", "refuse", "out_of_scope", "unclear"]
WarningCode = Literal["infeasible", "invalid", "personal_data", "extrapolated", "large"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Understood(_Record):
    """A stretch of the text, exactly as typed, and what it became."""

    text: str
    criterion: Criterion | None = None
    share: Share | None = None
    meaning: str
    """In words, for a chip."""
    note: str = ""
    """What the reader should know about the reading: a corrected spelling, a converted unit."""


class Warning(_Record):
    """Something to know before the request is applied."""

    code: WarningCode
    message: str


class Source(_Record):
    """Where an answer's text stands."""

    title: str
    section: str


class Answer(_Record):
    """The answer to a question, with its sources."""

    text: str
    sources: tuple[Source, ...] = ()


class Turn(_Record):
    """What a request was understood to be.

    ``spec`` is what applying the turn makes of the cohort; None where there is nothing to apply. ``answer`` also
    carries the reply to refused, unclear and out-of-scope requests.
    """

    intent: Intent
    spec: CohortSpec | None = None
    understood: tuple[Understood, ...] = ()
    not_understood: tuple[str, ...] = ()
    warnings: tuple[Warning, ...] = ()
    answer: Answer | None = None
    backend: Literal["rules", "llama", "endpoint"] = "rules"
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The turn as JSON values, without the fields of criteria that were not asked for."""
        turn = self.model_dump(mode="json")
        turn["spec"] = self.spec.as_json() if self.spec else None
        for entry, shown in zip(self.understood, turn["understood"], strict=True):
            if entry.criterion is not None:
                shown["criterion"] = CohortSpec(criteria=(entry.criterion,)).as_json()["criteria"][0]
        return turn

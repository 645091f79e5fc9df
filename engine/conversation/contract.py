"""The contract between a person's sentence and the product: one :class:`Turn` per request, whatever backend read it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.cohort.spec import CohortSpec, Criterion, Share

Intent = Literal["generate", "refine", "question", "refuse", "out_of_scope", "unclear"]
WarningCode = Literal["infeasible", "invalid", "personal_data", "extrapolated", "large"]
BackendName = Literal["rules", "llama", "endpoint"]


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


class Action(_Record):
    """A way out of a warning that one click takes: what its button says, and the spec that it leads to."""

    label: str
    spec: CohortSpec


class Warning(_Record):
    """Something to know before the request is applied."""

    code: WarningCode
    message: str
    actions: tuple[Action, ...] = ()


class Source(_Record):
    """Where an answer's text stands."""

    title: str
    section: str


class Answer(_Record):
    """The answer to a question, with its sources."""

    text: str
    sources: tuple[Source, ...] = ()


class RankedColumn(_Record):
    """One column of an answer to "the most important observations of a disease", with why it is there."""

    column: str
    reason: str
    basis: Literal["guideline", "association", "cohort"]
    """Whether a guideline speaks of it, the source's own data connect it with the disease, or it says who the patients
    are: age, sex, and what the cohort is defined by.
    """
    source: Source


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
    ranked: tuple[RankedColumn, ...] = ()
    """The columns chosen for "important observations", the most important first."""
    backend: BackendName = "rules"
    """Who read the request."""
    notice: str = ""
    """What the reader should know about the backend: why another one answered, where two of them differ."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The turn as JSON values, without the fields of criteria that were not asked for."""
        turn = self.model_dump(mode="json")
        turn["spec"] = self.spec.as_json() if self.spec else None
        for entry, shown in zip(self.understood, turn["understood"], strict=True):
            if entry.criterion is not None:
                shown["criterion"] = CohortSpec(criteria=(entry.criterion,)).as_json()["criteria"][0]
        for warning, shown in zip(self.warnings, turn["warnings"], strict=True):
            shown["actions"] = [{"label": part.label, "spec": part.spec.as_json()} for part in warning.actions]
        return turn

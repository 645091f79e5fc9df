"""The contract that every generator keeps; ``tests/generators/contract.py`` holds them to it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from engine.cohort.conditions import Condition
from engine.core.progress import Progress
from engine.schema.table import TableSchema


class Capability(StrEnum):
    """What a generator can do by itself; what it cannot, :mod:`engine.sampling` does by rejection."""

    CONDITIONS = "conditions"
    """``sample`` obeys conditions by construction."""
    RESUME = "resume"
    """``fit`` continues from its checkpoint with the result of an uninterrupted run."""
    DIFFERENTIAL_PRIVACY = "differential_privacy"
    """``fit`` can give an (epsilon, delta) guarantee."""


@dataclass(frozen=True)
class FitReport:
    """What a fit used and reached. Seconds, megabytes and bytes; epsilon None means no formal privacy."""

    generator: str
    rows: int
    patients: int
    columns: int
    seed: int
    epsilon: float | None = None
    delta: float | None = None
    fit_cpu_seconds: float = 0.0
    fit_wall_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    privacy: dict[str, Any] = field(default_factory=dict)
    """Of a private fit: events, identity, unit, neighbours, both accountants; empty without formal privacy."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


class Generator(ABC):
    """Learns a patient table, then draws synthetic rows.

    Life: ``fit`` → ``save``; ``load`` → ``sample`` as often as wanted. A fitted generator never reads real rows again.
    """

    name: ClassVar[str]
    """As on the command line."""
    label: ClassVar[str]
    """As on the screen."""
    privacy: ClassVar[str]
    """One sentence for the screen: which guarantee, or "no formal privacy"."""
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    schema: TableSchema
    """The features, as generated. Set by ``fit`` and ``load``."""

    @abstractmethod
    def fit(
        self,
        table: pd.DataFrame,
        schema: TableSchema,
        *,
        seed: int,
        options: Mapping[str, Any],
        progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:
        """Learn ``table`` (conformed to ``schema``; the patient key groups rows and is not learned).

        ``options`` are the generator's own (``epochs``, ``epsilon``, …); an unknown one is an error. Where
        ``checkpoint`` (a folder) holds the state of an interrupted fit with the same inputs, it is continued.

        Raises:
            UserError: the table cannot be learned (no rows, no features) or an option is out of range.
            Cancelled: from ``progress``.
        """

    @abstractmethod
    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        """``rows`` synthetic rows conformed to ``self.schema``; the same seed gives the same rows.

        Raises:
            UserError: ``conditions`` is given and the generator lacks ``Capability.CONDITIONS``, or leaves no value.
        """

    def available(self, conditions: Mapping[str, Condition] | None = None) -> int | None:
        """How many rows ``sample`` can give under ``conditions``; None where there is no limit."""
        return None

    def support(self, conditions: Mapping[str, Condition]) -> float | None:
        """About how many of the patients it learned from satisfy ``conditions``, as the model has it; None if unknown.

        Post-processing of the model: it reads no patient.
        """
        return None

    def statement(self) -> dict[str, Any]:
        """The privacy guarantee of the fitted model as JSON values; empty without formal privacy."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` as safetensors, parquet and JSON; never a pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote.

        Raises:
            DataError: the folder holds no such model, or one of a version that cannot be read.
        """

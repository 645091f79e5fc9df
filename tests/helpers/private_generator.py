"""A small generator that keeps the contract of private fits: two noisy measurements, each announced before."""

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from engine.core.workspace import write_json
from engine.generators.base import Capability, FitReport, Generator
from engine.generators.options import GeneratorInfo, Option
from engine.privacy.accounting import Gaussian, epsilon, gaussian_mu
from engine.schema.table import TableSchema, conform
from engine.storage.tables import read_table, write_table

INFO = GeneratorInfo(
    "dp_cgan",
    "Noisy",
    "(ε, δ)-differential privacy when asked for.",
    (
        Option("private", "Differentially private", "boolean", False),
        Option("epsilon", "ε", "number", None, 0.01, 100),
        Option("delta", "δ", "number", None, 0, 1),
    ),
    frozenset({Capability.DIFFERENTIAL_PRIVACY}),
)


class PrivateReport(FitReport):
    """A fit report with the privacy record, whether or not the base class has the field by now."""

    def __init__(self, record: dict[str, Any], **values: Any) -> None:
        super().__init__(**values)
        object.__setattr__(self, "record", record)

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"privacy": self.record}  # type: ignore[attr-defined]


class Noisy(Generator):
    """Measures twice and draws the rows it saw."""

    name, label, privacy = INFO.name, INFO.label, INFO.privacy
    capabilities = INFO.capabilities
    noise_factor: ClassVar[float] = 1.0
    """Below 1, the fit spends more than it was given."""
    claims: ClassVar[float] = 1.0
    """The share of its epsilon that it admits to."""
    measured: ClassVar[list[str]] = []

    def fit(self, table, schema, *, seed, options, progress, checkpoint=None) -> FitReport:
        events: list[Gaussian] = []
        spent, identity = None, None
        if options["private"]:
            noise = type(self).noise_factor * 2**0.5 / gaussian_mu(epsilon=options["epsilon"], delta=options["delta"])
            identity = self.privacy_identity(table, schema, seed=seed, options=options)
            for number in (1, 2):
                progress.update(number / 3, f"Before measurement {number}", epsilon=number / 2)
                events.append(Gaussian(noise))
                write_json(
                    checkpoint / "privacy.json",
                    {"events": [event.as_json() for event in events], "identity": identity},
                )
                Noisy.measured.append(f"{identity}-{number}")
                progress.update(number / 3, f"After measurement {number}", epsilon=number / 2)
            spent = type(self).claims * epsilon(events, options["delta"]).epsilon
        self.schema = TableSchema(columns=tuple(schema.features))
        self._rows = conform(table, self.schema)
        record = {
            "events": [event.as_json() for event in events], "identity": identity,
            "neighbours": "add or remove one patient",
        }  # fmt: skip
        return PrivateReport(
            record, generator=self.name, rows=len(table), patients=len(table), columns=len(self.schema.columns),
            seed=seed, epsilon=spent, delta=options["delta"] if options["private"] else None,
        )  # fmt: skip

    def privacy_identity(self, table, schema, *, seed, options) -> str:
        content = table.to_csv() + json.dumps([seed, dict(options)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def sample(self, rows, *, seed, conditions=None) -> pd.DataFrame:
        return self._rows.sample(rows, replace=True, random_state=seed).reset_index(drop=True)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / "reservoir.parquet", self._rows, self.schema)
        (folder / "manifest.json").write_text(json.dumps({"generator": self.name}))

    @classmethod
    def load(cls, folder: Path):
        made = cls()
        made._rows, made.schema = read_table(folder / "reservoir.parquet")
        return made

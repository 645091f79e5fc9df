"""What the network learns from: a table's rows, or rows that the critic's chains drew from private measurements."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from engine.core.errors import DataError, UserError
from engine.core.progress import Progress
from engine.core.settings import settings
from engine.core.workspace import Workspace, read_json, write_json
from engine.generators.dp_cgan.budget import Budget, bins_for, cells_for
from engine.generators.dp_cgan.critic import Critic, fit_critic
from engine.generators.dp_cgan.pairs import count_pairs, measure_pairs
from engine.generators.dp_cgan.structure import Nesting, find_nestings
from engine.generators.encoding import Encoding, check_learnable
from engine.generators.private_encoding import learn_privately
from engine.privacy.events import Event, Threshold, events_from_json
from engine.privacy.keys import derived_key
from engine.privacy.measurement import Measurer
from engine.privacy.noise import SAMPLER_DELTA, NoiseStream
from engine.privacy.summary import Pair, PrivateSummary
from engine.schema.table import TableSchema

RECORD = "privacy.json"
"""In a private fit's checkpoint folder: what was measured so far."""
_ALGORITHM = 2
"""Part of the noise's key; raise it when measurements change, so that no noise is shared between versions."""
_CHAIN_ROWS = 30_000
_CHAIN_CELLS = 900_000
"""Rows times columns that the network learns from at most."""
_SWEEPS_BETWEEN = 4
_MOST_LEVELS = 600
"""Levels of all columns up to which rows without formal privacy get a critic; beyond, it costs too much."""
_STEPS = 100
_CHAINS = 3_000


@dataclass(frozen=True)
class Material:
    """Rows to learn from, and what is known beside them.

    Attributes:
        encoding: of the columns; of a private fit, measured.
        levels: int32 (rows, columns) in the schema's order, no level negative.
        groups: int64 (rows,); rows of one group are held back from training together.
        nestings: columns that are coarser versions of others.
        critic: of the pairs; None for tables of very many levels without formal privacy.
        patients: how many patients were learned from; of a private fit, noisy.
        summary: of a private fit, what was measured.
    """

    encoding: Encoding
    levels: np.ndarray
    groups: np.ndarray
    nestings: list[Nesting]
    patients: float
    critic: Critic | None = None
    summary: PrivateSummary | None = None


def of_rows(table: pd.DataFrame, schema: TableSchema, *, seed: int, progress: Progress) -> Material:
    """The rows themselves, and a critic of their pairs that refines rare cohorts; no formal privacy."""
    encoding, levels = Encoding.learn(table, schema)
    groups, sizes = patient_numbers(table, schema), encoding.sizes
    nestings = find_nestings(levels, sizes)
    critic = None
    if len(sizes) > 1 and sum(sizes) <= _MOST_LEVELS:
        pairs = list(combinations(range(len(sizes)), 2))
        critic, _ = fit_critic(
            [code.counts / code.counts.sum() for code in encoding.columns], count_pairs(levels, sizes, pairs),
            ordered=[code.bins is not None for code in encoding.columns], patients=float(len(levels)), seed=seed,
            progress=progress, steps=_STEPS, chains=_CHAINS,
        )  # fmt: skip
        for nesting in nestings:
            critic.forbid(nesting.coarse, nesting.fine, nesting.allowed)
    return Material(encoding, levels, groups, nestings, float(groups.max() + 1), critic)


def patient_numbers(table: pd.DataFrame, schema: TableSchema) -> np.ndarray:
    """A number for each row that names its patient, int64 ``(rows,)``; rows without a key are patients of their own."""
    key = schema.patient_key
    return pd.factorize(table[key], use_na_sentinel=False)[0] if key else np.arange(len(table))


@dataclass
class PrivateFit:
    """The private side of one fit: its budget, its noise, and the record of what was measured.

    Attributes:
        budget: what may be spent.
        identity: names the release: a keyed digest of every input, so that it tells nothing of the table.
        stream: the noise, keyed by the same inputs.
        folder: where the record is kept; None keeps none.
        earlier: events of an earlier attempt whose noise was another (the workspace's secret was lost in between).
        events: what was measured.
    """

    budget: Budget
    identity: str
    stream: NoiseStream
    folder: Path | None
    earlier: list[Event] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @classmethod
    def begin(
        cls, table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any], folder: Path | None
    ) -> "PrivateFit":
        """The fit of ``table`` with resolved ``options``.

        Raises:
            UserError: epsilon or delta is missing or out of range.
        """
        for name in ("epsilon", "delta"):
            if options[name] is None:
                raise UserError(
                    f"a private fit needs {name}", remedy="Give both epsilon and delta; nothing is assumed."
                )
        budget = Budget.of(epsilon=options["epsilon"], delta=options["delta"], gradient_share=options["gradient_share"])
        identity = identity_of(table, schema, seed=seed, options=options)
        workspace = Workspace(settings().workspace)
        key = hmac.digest(derived_key(workspace, "noise"), identity.encode(), hashlib.sha256)
        fit = cls(budget, identity, NoiseStream(key), folder)
        if folder is not None and (folder / RECORD).exists():
            record = read_json(folder / RECORD)
            earlier = list(events_from_json(record["events"]))
            # Of the same release, what was measured before it; of another one, everything.
            fit.earlier = earlier[: record.get("earlier", 0)] if record["identity"] == identity else earlier
        return fit

    def announce(self, events: Sequence[Event]) -> None:
        """Write down what is about to be measured, with everything before it."""
        self.events = list(events)
        if self.folder is not None:
            told = [event.as_json() for event in (*self.earlier, *self.events)]
            record = {"events": told, "identity": self.identity, "earlier": len(self.earlier)}
            write_json(self.folder / RECORD, record)

    def one_row_each(self, table: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
        """One row of each patient, drawn by the patient's name alone: other patients have no say in it.

        Raises:
            DataError: rows without a patient key.
        """
        if schema.patient_key is None:
            return table
        unnamed = int(table[schema.patient_key].isna().sum())
        if unnamed:
            raise DataError(
                f"{unnamed} rows have no {schema.patient_key}, so their patients cannot be told apart",
                remedy="A private fit needs every row's patient.",
            )
        numbers = patient_numbers(table, schema)
        names = table[schema.patient_key].astype(str).groupby(numbers).first().tolist()
        order = np.argsort(numbers, kind="stable")
        sizes = np.bincount(numbers)
        chosen = (self.stream.pick(names, "row") % sizes.astype(np.uint64)).astype(np.int64)
        return table.iloc[np.sort(order[np.cumsum(sizes) - sizes + chosen])].reset_index(drop=True)


def of_measurements(
    table: pd.DataFrame, schema: TableSchema, fit: PrivateFit, *, seed: int, progress: Progress
) -> tuple[Material, np.ndarray]:
    """Rows drawn from private measurements of ``table`` (one row per patient), and the real rows' levels.

    Only private gradients may read the second; the first is post-processing of what :attr:`PrivateFit.events` lists.
    """
    check_learnable(table, schema)
    budget = fit.budget
    columns = len(schema.features)
    measurer = Measurer(len(table), fit.stream, fit.announce, [Threshold(SAMPLER_DELTA)])
    private = learn_privately(
        table, schema, measurer=measurer, shape_square=budget.shape, margin_square=budget.margins,
        threshold_delta=budget.threshold_delta, cells=lambda patients: cells_for(budget.richness(patients)),
        bins=lambda patients: bins_for(patients, budget.pairs(patients=patients, columns=columns).noise),
    )  # fmt: skip
    tables = measure_pairs(private, measurer=measurer, budget=budget.pairs(patients=private.patients, columns=columns))
    shares = [code.counts / code.counts.sum() for code in private.encoding.columns]
    ordered = [code.bins is not None for code in private.encoding.columns]
    critic, rows = fit_critic(shares, tables, ordered=ordered, patients=private.patients, seed=seed, progress=progress)
    wanted = min(_CHAIN_ROWS, _CHAIN_CELLS // columns)
    levels = _follow(critic, rows, wanted, seed=seed)
    summary = PrivateSummary(
        private.margins,
        tuple(Pair(table.first, table.second, table.counts.astype(np.int64), table.noise) for table in tables),
        private.patients,
        private.patients_noise,
    )
    material = Material(private.encoding, levels, np.arange(len(levels)), [], private.patients, critic, summary)
    return material, private.levels


def _follow(critic: Critic, rows: torch.Tensor, wanted: int, *, seed: int) -> np.ndarray:
    """``wanted`` rows of the critic's chains, a few sweeps apart."""
    random = torch.Generator().manual_seed(seed + 1)
    kept = [critic.levels(rows)]
    while sum(map(len, kept)) < wanted:
        for _ in range(_SWEEPS_BETWEEN):
            critic.sweep(rows, random)
        kept.append(critic.levels(rows))
    return np.concatenate(kept)[:wanted]


def identity_of(table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any]) -> str:
    """A keyed digest of everything that a private release depends on: 32 hexadecimal digits."""
    digest = hashlib.sha256()
    about = {
        "algorithm": _ALGORITHM, "schema": schema.model_dump(mode="json"), "seed": seed,
        "options": dict(sorted(options.items())),
        "packages": {package: version(package) for package in ("numpy", "pandas", "torch")},
    }  # fmt: skip
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    for name in schema.names:
        values = table[name]
        digest.update(values.isna().to_numpy().tobytes())
        # Text that tells values apart, joined by a character that no cell can hold in quotes.
        digest.update(json.dumps([str(value) for value in values.tolist()]).encode())
    key = derived_key(Workspace(settings().workspace), "identity")
    return hmac.digest(key, digest.digest(), hashlib.sha256).hex()[:32]

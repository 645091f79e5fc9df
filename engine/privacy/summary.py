"""The differentially private summary of a table: what a private fit measured, kept beside its model.

For every column the noisy counts of its cells, for every measured pair of columns the noisy table of their levels, and
the noisy number of patients, each with the standard deviation of its noise. A page or a comparison that has no real row
reads this instead.

Why it costs nothing: every figure here is the output of a measurement that the fit took anyway and wrote down as an
event before its noise was drawn (:mod:`engine.privacy.measurement`), or a cell's bounds, a bin or a category name that
follows from such outputs. To release an output of a differentially private mechanism, or anything computed from it and
from public knowledge, is post-processing (Dwork and Roth 2014, proposition 2.1): (ε, δ) of the fit already covers it.
Categories that a threshold held back are not in it, nor is any count without noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from engine.core.errors import DataError
from engine.core.workspace import read_json, write_atomically, write_json
from engine.privacy.estimation import on_simplex, recorded
from engine.schema.table import Column, TableSchema

FILE = "summary.json"
"""Beside a private model's manifest; written after its tensors."""
_TENSORS = "summary.safetensors"
_STATED = ("epsilon", "delta", "unit", "neighbours")
_SURE = 3.0
"""Standard deviations of noise by which cells must fall short of the patients to count as not all there are."""


@dataclass(frozen=True)
class Margin:
    """One column by itself.

    Attributes:
        column: its public part.
        counts: int64 (cells + 1,), noisy patients; the last is those without a value. Noise can make them negative.
        noise: standard deviation of the noise of each count, in patients.
        categories: of categorical and boolean columns, the name of each cell.
        cells: of ordered columns, float64 (cells, 2), lowest and highest value, in the column's unit (dates: days since
            1970-01-01).
        level: int64 (cells,), the level of each cell: pairs are measured by level, a category or a bin of cells.
        levels: of ordered columns, float64 (levels, 2), lowest and highest value.
        step: of ordered columns, the distance of two neighbouring values.
    """

    column: Column
    counts: np.ndarray
    noise: float
    categories: tuple[str, ...] = ()
    cells: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    level: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    levels: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    step: float = 1.0

    @property
    def size(self) -> int:
        """Levels, without the missing one."""
        return len(self.levels) if self.column.kind.is_ordered else len(self.categories)

    def by_level(self, cells: np.ndarray) -> np.ndarray:
        """Sums (levels + 1,) of figures (cells + 1,) that belong to the cells and to missing values."""
        return np.append(np.bincount(self.level, weights=cells[:-1], minlength=self.size), cells[-1])


@dataclass(frozen=True)
class Pair:
    """Two columns together.

    Attributes:
        first: index of the one column.
        second: index of the other.
        counts: int64 (levels + 1 of first, levels + 1 of second), noisy patients; the last row and column are those
            without a value.
        noise: standard deviation of the noise of each count, in patients.
    """

    first: int
    second: int
    counts: np.ndarray
    noise: float


def summary_of(folder: Path) -> "PrivateSummary":
    """The summary in ``folder``.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if not (folder / FILE).exists():
        raise DataError(
            "there is no private summary", where=folder.name, remedy="Choose a private model of this version."
        )
    return _read(folder, (folder / FILE).stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(folder: Path, _written_at: int) -> "PrivateSummary":
    # Pages ask for it at every turn.
    found = PrivateSummary.load(folder)
    if found is None:
        raise DataError("the private summary is gone", where=folder.name, remedy="Start again.")
    return found


@dataclass(frozen=True)
class PrivateSummary:
    """See the module.

    Attributes:
        margins: of the columns, in the schema's order.
        pairs: those that were measured.
        patients: noisy number of patients, at least 1.
        patients_noise: standard deviation of its noise.
        statement: ``epsilon``, ``delta``, ``unit`` and ``neighbours`` of the fit.
    """

    margins: tuple[Margin, ...]
    pairs: tuple[Pair, ...]
    patients: float
    patients_noise: float
    statement: Mapping[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> TableSchema:
        """The columns."""
        return TableSchema(columns=tuple(margin.column for margin in self.margins))

    def stated(self, privacy: Mapping[str, Any]) -> "PrivateSummary":
        """The summary with the guarantee of the fit whose statement is ``privacy``."""
        return replace(self, statement={name: privacy[name] for name in _STATED})

    def index(self, name: str) -> int:
        """Index of the column called ``name``.

        Raises:
            UserError: there is none.
        """
        schema = self.schema
        return schema.names.index(schema[name].name)

    def estimate(self, index: int) -> np.ndarray:
        """Patients per cell of a column and without a value, float64 (cells + 1,), none negative.

        The most likely counts that add up to the patients who have a value, where the cells are all there are.
        """
        margin = self.margins[index]
        present, missing = recorded(
            float(margin.counts[-1]), margin.noise, patients=self.patients, patients_noise=self.patients_noise
        )
        cells = margin.counts[:-1].astype(np.float64)
        spread = margin.noise * max(len(cells), 1) ** 0.5
        if cells.sum() < present - _SURE * (spread**2 + self.patients_noise**2) ** 0.5:
            present = max(float(cells.sum()), 0.0)  # categories that are not listed hold the rest
        return np.append(on_simplex(cells, present), missing)

    def pair(self, first: int, second: int) -> tuple[np.ndarray, float] | None:
        """Noisy counts float64 (levels + 1 of first, levels + 1 of second) and their noise; None: not measured."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair.counts.astype(np.float64), pair.noise
            if (pair.first, pair.second) == (second, first):
                return pair.counts.T.astype(np.float64), pair.noise
        return None

    def save(self, folder: Path) -> None:
        """Write it into ``folder``."""
        tensors: dict[str, np.ndarray] = {}
        for place, margin in enumerate(self.margins):
            for name in ("counts", "cells", "level", "levels"):
                tensors[f"margin.{place}.{name}"] = np.ascontiguousarray(getattr(margin, name))
        tensors |= {f"pair.{place}": np.ascontiguousarray(pair.counts) for place, pair in enumerate(self.pairs)}
        write_atomically(folder / _TENSORS, lambda temporary: save_file(tensors, temporary))
        told = {
            "patients": self.patients,
            "patients_noise": self.patients_noise,
            **self.statement,
            "columns": [
                {
                    "column": margin.column.model_dump(mode="json"), "noise": margin.noise, "step": margin.step,
                    "categories": list(margin.categories),
                }
                for margin in self.margins
            ],
            "pairs": [[pair.first, pair.second, pair.noise] for pair in self.pairs],
        }  # fmt: skip
        write_json(folder / FILE, told)

    @classmethod
    def load(cls, folder: Path) -> "PrivateSummary | None":
        """What :meth:`save` wrote into ``folder``; None where there is no summary.

        Raises:
            DataError: it is damaged.
        """
        if not (folder / FILE).exists():
            return None
        try:
            told, tensors = read_json(folder / FILE), load_file(folder / _TENSORS)
            margins = tuple(
                Margin(
                    Column.model_validate(one["column"]), noise=float(one["noise"]), step=float(one["step"]),
                    categories=tuple(one["categories"]),
                    **{name: tensors[f"margin.{place}.{name}"] for name in ("counts", "cells", "level", "levels")},
                )
                for place, one in enumerate(told["columns"])
            )  # fmt: skip
            pairs = tuple(
                Pair(int(first), int(second), tensors[f"pair.{place}"], float(noise))
                for place, (first, second, noise) in enumerate(told["pairs"])
            )
            return cls(margins, pairs, float(told["patients"]), float(told["patients_noise"])).stated(told)
        except (SafetensorError, ValidationError, OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                "the model's private summary is damaged or incomplete", where=f"{folder.name}/{FILE}",
                remedy="Train the model again.",
            ) from error  # fmt: skip

    @staticmethod
    def clear(folder: Path) -> None:
        """Remove the summary of an earlier model from ``folder``."""
        for name in (FILE, _TENSORS):
            (folder / name).unlink(missing_ok=True)

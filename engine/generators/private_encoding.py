"""The encoding of a table under differential privacy: measured, not read from rows.

Public are the column names, kinds, roles and units that a person confirmed, bounds of the clinical catalogue and
declared ones, and category lists that are marked public. Everything else is measured, in three rounds of histograms in
which a patient is in one cell each (:mod:`engine.privacy.measurement`): how many patients there are and what a
column's values are rounded to; which orders of magnitude its numbers have (years, for dates), from which a grid
follows; and how the patients lie on the grid, which gives bins, marginal distribution, missingness, single values that
many share and the place inside a bin. Categories that are not public are discovered by a noisy threshold; rows of the
others count for nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_text
from engine.core.errors import InternalError
from engine.generators.binning import bins_of_cells
from engine.generators.encoding import BOOLEANS, ColumnCode, Encoding
from engine.generators.private_grid import Grid, Patients, measure_grids
from engine.generators.private_pieces import shared_values, with_pieces
from engine.privacy.estimation import above_noise, on_simplex, recorded
from engine.privacy.measurement import Histogram, Measurer
from engine.privacy.summary import Margin
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema

SUPPRESSED = -1
"""Level of a value that the encoding has no level for; it is in no cell of any histogram."""
_DISCOVERY = 2.0
"""A column with unknown categories gets this times the μ² of others: its threshold costs whole categories."""

_ATOMS = 0.35
"""What counting a column's positions one by one takes of μ², against its cells."""
_SURE = 3.0
"""Standard deviations of noise by which listed categories must fall short to count as not all there are."""


@dataclass(frozen=True)
class PrivateEncoding:
    """An encoding that was measured.

    Attributes:
        encoding: with noisy counts; nothing in it was read from rows but through a measurement.
        levels: int32 (patients, columns); :data:`SUPPRESSED` where a value has no level. These are real rows.
        patients: noisy number of patients, at least 1.
        patients_noise: standard deviation of its noise.
        margins: of the columns, as measured.
    """

    encoding: Encoding
    levels: np.ndarray
    patients: float
    patients_noise: float
    margins: tuple[Margin, ...]

    @property
    def margin_noise(self) -> tuple[float, ...]:
        """Standard deviation of the noise of each column's counts, in patients."""
        return tuple(margin.noise for margin in self.margins)


def learn_privately(
    table: pd.DataFrame,
    schema: TableSchema,
    *,
    measurer: Measurer,
    shape_square: float,
    margin_square: float,
    threshold_delta: float,
    cells: Callable[[float], int],
    bins: Callable[[float], int],
) -> PrivateEncoding:
    """The encoding of ``table`` (conformed, one row per patient).

    Args:
        table: the rows.
        schema: its schema; what is not public in it is not used.
        measurer: takes the measurements.
        shape_square: μ² of the first two rounds together.
        margin_square: μ² of the third round.
        threshold_delta: for discovered categories, all columns together.
        cells: most cells of an ordered column's histogram, from the noisy number of patients.
        bins: most bins of an ordered column, from the same.
    """
    columns = [public_part(column) for column in schema.features]
    patients, grids = measure_grids(table, columns, measurer=measurer, square=shape_square, cells=cells)
    unknown = sum(_is_unknown(column) for column in columns)
    drafts: list[_Ordered | _Listed | _Discovered] = [
        _Ordered(column, grids[column.name], bins(patients.number))
        if column.name in grids
        else _Discovered.of(table[column.name], column, threshold_delta / unknown)
        if _is_unknown(column)
        else _Listed.of(table[column.name], column)
        for column in columns
    ]
    weights = [_DISCOVERY if isinstance(draft, _Discovered) else 1.0 for draft in drafts]
    parts = sum(weights) + _ATOMS * sum(isinstance(draft, _Ordered) and draft.grid.has_atoms for draft in drafts)
    noises = [float((parts / (margin_square * weight)) ** 0.5) for weight in weights]
    asked = [draft.histograms(noise) for draft, noise in zip(drafts, noises, strict=True)]
    measured = iter(measurer.measure([histogram for one in asked for histogram in one]))
    codes: list[ColumnCode] = []
    margins: list[Margin] = []
    for draft, histograms, noise in zip(drafts, asked, noises, strict=True):
        counts = [next(measured) for _ in histograms]
        code = draft.code([part.astype(np.float64) for part in counts], noise, patients)
        codes.append(code)
        margins.append(draft.margin(code, counts[0], noise))
    levels = np.column_stack([_levels(table[code.column.name], code) for code in codes])
    return PrivateEncoding(Encoding(tuple(codes)), levels, patients.number, patients.noise, tuple(margins))


def public_part(column: Column) -> Column:
    """``column`` with what a person confirmed and the catalogue says, and without what was read from rows.

    Name, kind, role, label, unit, declared bounds and lists that are marked public stay. The catalogue's list stands
    for a column of that name even where a row holds a stranger. Decimals, notes on how a column was read, and reference
    ranges that were attached because the values suit them go.
    """
    known = catalogue().concept(column.name) if column.name in catalogue() else None
    changes: dict[str, object] = {
        "decimals": None, "description": "" if known is None else known.description, "reference_low": None,
        "reference_high": None, "loinc": None if known is None else known.loinc,
        "code_system": None if known is None else known.code_system,
    }  # fmt: skip
    if not column.bounds_are_public:
        changes |= {"minimum": None, "maximum": None}
    if not column.categories_are_public:
        listed = known.categories if known is not None and known.categories else ()
        # The preparation adds strangers to the catalogue's list; an upload's own words are another list.
        is_extended = bool(listed) and set(listed) <= set(column.categories or ())
        changes |= {"categories": listed if is_extended else None, "categories_are_public": is_extended}
    return column.model_copy(update=changes)


def _is_unknown(column: Column) -> bool:
    return column.kind is Kind.CATEGORICAL and column.categories is None


def _levels(series: pd.Series, code: ColumnCode) -> np.ndarray:
    levels = code.encode(series)
    if code.column.kind is Kind.CATEGORICAL:
        levels[(levels == code.missing) & series.notna().to_numpy()] = SUPPRESSED
    return levels


@dataclass(frozen=True)
class _Ordered:
    """Numbers and dates on a measured grid."""

    column: Column
    grid: Grid
    most_bins: int

    def histograms(self, noise: float) -> list[Histogram]:
        grid, name = self.grid, self.column.name
        margin = Histogram(("margin", name), grid.cells, len(grid.first) + 1, noise)
        if not grid.has_atoms:
            return [margin]
        width = int(grid.last[-1] - grid.first[0] + 1)
        return [margin, Histogram(("atoms", name), grid.atoms, width, noise * _ATOMS**-0.5)]

    def code(self, measured: list[np.ndarray], noise: float, patients: Patients) -> ColumnCode:
        counts = measured[0]
        present, missing = recorded(float(counts[-1]), noise, patients=patients.number, patients_noise=patients.noise)
        grid, counts = self.grid.with_tails(counts[:-1], noise)
        mass = on_simplex(counts, present)
        low, high = grid.reach
        bins = bins_of_cells(grid.first, grid.last - grid.first + 1, mass, low=low, high=high, max_bins=self.most_bins)
        if not present:
            missing = max(missing, 1.0)
        atoms = shared_values(measured[1], noise * _ATOMS**-0.5) if len(measured) > 1 else {}
        bins = with_pieces(
            bins, roundings=grid.roundings, atoms={int(self.grid.first[0]) + at: mass for at, mass in atoms.items()}
        )
        inside = np.bincount(bins.cell_bin, weights=bins.cell_mass, minlength=len(bins))
        return ColumnCode(grid.released(), np.append(inside, missing), scale=grid.scale, bins=bins)

    def margin(self, code: ColumnCode, counts: np.ndarray, noise: float) -> Margin:
        first, last, bins = self.grid.first, self.grid.last, code.bins
        if bins is None:
            raise InternalError(f"column {self.column.name} was measured without bins")
        level = bins.find(np.clip((first + last) // 2, bins.first[0], bins.last[-1]))
        cells, levels = (np.column_stack(ends) / code.scale for ends in ((first, last), (bins.first, bins.last)))
        return Margin(code.column, counts, noise, cells=cells, level=level, levels=levels, step=1 / code.scale)


@dataclass(frozen=True)
class _Listed:
    """Categories that are public, and booleans."""

    column: Column
    categories: tuple[str, ...]
    cells: Callable[[], np.ndarray]

    @classmethod
    def of(cls, series: pd.Series, column: Column) -> "_Listed":
        known = BOOLEANS if column.kind is Kind.BOOLEAN else tuple(column.categories or ())
        return cls(column, known, lambda: _places(series, column, known))

    def histograms(self, noise: float) -> list[Histogram]:
        return [Histogram(("margin", self.column.name), self.cells, len(self.categories) + 1, noise)]

    def code(self, measured: list[np.ndarray], noise: float, patients: Patients) -> ColumnCode:
        (counts,) = measured
        present, missing = recorded(float(counts[-1]), noise, patients=patients.number, patients_noise=patients.noise)
        # Patients of categories that are not listed are in no cell, so the cells' own sum may be smaller.
        own, spread = float(counts[:-1].sum()), noise * (len(counts) - 1) ** 0.5
        if own < present - _SURE * (spread**2 + patients.noise**2) ** 0.5:
            present = max(own, 0.0)
        if not present:
            missing = max(missing, 1.0)  # a column of which nothing can be told is missing throughout
        return ColumnCode(self.column, np.append(on_simplex(counts[:-1], present), missing), self.categories)

    def margin(self, code: ColumnCode, counts: np.ndarray, noise: float) -> Margin:
        return Margin(code.column, counts, noise, self.categories, level=np.arange(len(self.categories)))


@dataclass(frozen=True)
class _Discovered:
    """Categories of which nobody may know that they occur, unless enough patients have them."""

    column: Column
    seen: tuple[str, ...]
    cells: Callable[[], np.ndarray]
    threshold_delta: float

    @classmethod
    def of(cls, series: pd.Series, column: Column, threshold_delta: float) -> "_Discovered":
        seen = tuple(sorted(set(as_text(series, column).dropna().astype(str))))
        return cls(column, seen, lambda: _places(series, column, seen), threshold_delta)

    def histograms(self, noise: float) -> list[Histogram]:
        return [
            Histogram(
                ("margin", self.column.name), self.cells, len(self.seen) + 1, noise, self.threshold_delta, always=1
            )
        ]

    def code(self, measured: list[np.ndarray], noise: float, patients: Patients) -> ColumnCode:
        (counts,) = measured
        kept = np.flatnonzero(counts[:-1] > 0)
        missing = above_noise(counts[-1], noise)
        found = tuple(self.seen[index] for index in kept)
        column = self.column.model_copy(update={"categories": found, "categories_are_public": True})
        if not found:
            missing = max(missing, 1.0)  # a column of which nothing can be told is missing throughout
        return ColumnCode(column, np.append(counts[kept], missing), found)

    def margin(self, code: ColumnCode, counts: np.ndarray, noise: float) -> Margin:
        # Categories below the threshold may not be known to occur.
        kept = np.append(counts[:-1] > 0, True)
        return Margin(code.column, counts[kept], noise, code.categories, level=np.arange(len(code.categories)))


def _places(series: pd.Series, column: Column, categories: Sequence[str]) -> np.ndarray:
    """Index of each row's category, the one after the last where it is missing, suppressed where it is not listed."""
    text = as_text(series, column)
    # Codes of values that are not listed are -1, as those of missing ones.
    codes = np.asarray(pd.Categorical(text.astype(object), categories=list(categories)).codes, dtype=np.int64)
    return np.where(text.isna(), len(categories), np.where(codes < 0, SUPPRESSED, codes))

"""A table's cells as rules read them: numbers in the term's unit, categories by their meaning, clauses as masks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, bare_code, in_code_range
from engine.cohort.plausibility.binding import Source
from engine.cohort.plausibility.constraints import Clause
from engine.schema.table import Kind

ROUNDING = 1e-9
"""Relative room for what float arithmetic adds to a limit."""

Columns = Mapping[str, Source]


@dataclass
class Cells:
    """The cells of a conformed frame as rules read them; each column is converted once."""

    frame: pd.DataFrame
    _numbers: dict[str, np.ndarray] = field(default_factory=dict)
    _texts: dict[str, tuple[np.ndarray, list[str]]] = field(default_factory=dict)

    def forget(self, name: str) -> None:
        """Read the column of the table anew when it is next asked for."""
        self._numbers.pop(name, None)
        self._texts.pop(name, None)

    def numbers(self, source: Source) -> np.ndarray:
        """The column in the term's unit, float64 (n_rows,), NaN where missing; dates as days since 1970-01-01."""
        name = source.column.name
        if name not in self._numbers:
            self._numbers[name] = as_numbers(self.frame[name], source.column)
        values = self._numbers[name]
        return values if (source.factor, source.offset) == (1.0, 0.0) else values * source.factor + source.offset

    def recorded(self, source: Source) -> np.ndarray:
        """Where the column has a value, boolean (n_rows,)."""
        return self.frame[source.column.name].notna().to_numpy()

    def where(self, source: Source, holds: Callable[[str], bool]) -> np.ndarray:
        """Where the category satisfies ``holds``, boolean (n_rows,), False where missing; asked once per category."""
        codes, categories = self.texts(source)
        return np.array([*(holds(one) for one in categories), False], dtype=bool)[codes]

    def texts(self, source: Source) -> tuple[np.ndarray, list[str]]:
        """Codes (n_rows,), -1 where missing, and the categories that they number."""
        name = source.column.name
        if name not in self._texts:
            series = self.frame[name]
            if source.column.kind is Kind.BOOLEAN:
                self._texts[name] = series.to_numpy(dtype="int8", na_value=-1).astype(int), ["false", "true"]
            else:
                known = series if isinstance(series.dtype, pd.CategoricalDtype) else series.astype("category")
                self._texts[name] = known.cat.codes.to_numpy().astype(int), [str(one) for one in known.cat.categories]
        return self._texts[name]

    def clause(self, clause: Clause, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        """Where ``clause`` can be judged, and where it holds; boolean (n_rows,) each."""
        source = columns[clause.column]
        recorded = self.recorded(source)
        if clause.recorded is not None:
            return np.ones(len(recorded), dtype=bool), recorded == clause.recorded
        if clause.is_about_text:
            return recorded, self.where(source, lambda category: text_holds(clause, source, category))
        return recorded, numbers_hold(clause, self.numbers(source))


def text_holds(clause: Clause, source: Source, category: str) -> bool:
    """Whether a category satisfies what ``clause`` says about text."""
    meaning = source.meaning(category)
    if clause.any_of is not None and meaning.lower() not in {one.lower() for one in clause.any_of}:
        return False
    if clause.none_of is not None and meaning.lower() in {one.lower() for one in clause.none_of}:
        return False
    if clause.starts_with is not None and not category.startswith(clause.starts_with):
        return False
    if clause.codes is not None and not _in_codes(category, clause.codes):
        return False
    return clause.not_codes is None or not _in_codes(category, clause.not_codes)


def _in_codes(code: str, ranges: tuple[tuple[str, str], ...]) -> bool:
    # A category has three characters: "66" is 066 without its zero, not the beginning of 660.
    stem = code.strip().partition(".")[0]
    return len(stem) >= 3 and any(in_code_range(bare_code(code), low, high) for low, high in ranges)


def numbers_hold(clause: Clause, values: np.ndarray) -> np.ndarray:
    """Which of ``values`` satisfy what ``clause`` says about numbers; NaN does not."""
    good = ~np.isnan(values)
    if clause.at_least is not None:
        good &= values >= clause.at_least - abs(clause.at_least) * ROUNDING
    if clause.at_most is not None:
        good &= values <= clause.at_most + abs(clause.at_most) * ROUNDING
    if clause.above is not None:
        good &= values > clause.above
    if clause.below is not None:
        good &= values < clause.below
    return good

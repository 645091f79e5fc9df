"""What a synthetic cohort can be tested on: the outcomes that a table's columns offer, and what may not predict them.

The choices are declared in ``assets/outcomes.yaml``: outcomes that clinicians usually ask about, what is known only at
the end of a stay or later, and what defines or treats a disease. The plausibility rules add the columns that arithmetic
or a definition ties to an outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.cohort.plausibility.rules import rule_book
from engine.core.errors import UserError
from engine.evaluation.outcome_book import Usual, meanings, outcome_book
from engine.evaluation.tables import label_of
from engine.schema.catalogue import unit_key
from engine.schema.table import Column, Kind, TableSchema

OutcomeKind = Literal["binary", "continuous", "time_to_event"]

_TRUE = ("true", "yes", "y", "1", "positive", "present", "died", "dead", "expired", "deceased")
_DURATIONS = frozenset(unit_key(unit) for unit in ("h", "days", "minutes", "weeks", "months", "years"))


@dataclass(frozen=True)
class Observed:
    """An outcome's values, each (n_rows,) floats, NaN where not known.

    Attributes:
        value: 1 where the event happened and 0 where it did not, or the number.
        time: time to the event or to the end of observation; None unless the outcome has one.
    """

    value: np.ndarray
    time: np.ndarray | None = None

    @property
    def known(self) -> np.ndarray:
        """Boolean (n_rows,): rows that can be analysed."""
        known = ~np.isnan(self.value)
        return known if self.time is None else known & ~np.isnan(self.time)

    def counted(self, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the rows that are known and have a weight in ``weights`` (n_rows,), and these, of mean 1.

        A row without weight has no part in any figure, so it must not support one either.
        """
        rows = np.flatnonzero(self.known if weights is None else self.known & (weights > 0))
        if weights is None or not len(rows):
            return rows, np.ones(len(rows))
        return rows, weights[rows] / weights[rows].mean()


@dataclass(frozen=True)
class Outcome:
    """An outcome that the user can pick.

    Attributes:
        kind: what it is.
        column: the column that holds the event or the number.
        label: its name for a person.
        events: categories that count as the event (``"true"`` of a boolean column); every other one counts as none.
        time: for ``time_to_event``: the column with the time.
        unit: of the number or the time.
        is_duration: its number is a time, which is right-skewed: models take its logarithm.
        leave_out: (column, categories): rows with them are not at risk.
        usual: one that clinicians usually ask about.
        default: chosen where the user has not chosen.
    """

    kind: OutcomeKind
    column: str
    label: str
    events: tuple[str, ...] = ()
    time: str | None = None
    unit: str = ""
    is_duration: bool = False
    leave_out: tuple[tuple[str, tuple[str, ...]], ...] = ()
    usual: bool = False
    default: bool = False

    @property
    def key(self) -> str:
        """A text that names it among the outcomes of one table."""
        return self.column if self.time is None else f"{self.column}@{self.time}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its values come from."""
        return (self.column,) if self.time is None else (self.column, self.time)

    def observe(self, frame: pd.DataFrame, schema: TableSchema) -> Observed:
        """Its values in ``frame`` (conformed). Negative times are not known."""
        column = schema[self.column]
        value = as_numbers(frame[self.column], column) if self.kind == "continuous" else self._events(frame, column)
        for name, categories in self.leave_out:
            if name in frame.columns:
                gone = as_text(frame[name], schema[name]).isin(categories).to_numpy()
                value = np.where(gone, np.nan, value)
        if self.time is None:
            return Observed(value)
        time = as_numbers(frame[self.time], schema[self.time])
        return Observed(value, np.where(time >= 0, time, np.nan))

    def _events(self, frame: pd.DataFrame, column: Column) -> np.ndarray:
        text = as_text(frame[column.name], column)
        return np.where(text.isna().to_numpy(), np.nan, text.isin(self.events).to_numpy().astype(float))


def possible_outcomes(schema: TableSchema) -> tuple[Outcome, ...]:
    """Every outcome that the columns offer: the usual ones first, then binary, continuous and times to an event."""
    found = [*_usual(schema)]
    taken = {one.key for one in found}
    binary, continuous, timed = [], [], []
    for column in schema.features:
        if column.kind is Kind.BOOLEAN or len(column.categories or ()) == 2:
            binary.append(binary_outcome(schema, column=column.name))
        elif column.kind in (Kind.NUMERIC, Kind.INTEGER):
            continuous.append(_number(column))
    durations = [one for one in continuous if one.is_duration and _may_be_followed(schema[one.column])]
    deaths = [one for one in binary if meanings(schema[one.column]) & {"died_in_hospital", "died_in_unit"}]
    for event in deaths:
        timed += [time_to_event(schema, time=one.column, column=event.column) for one in durations]
    return (*found, *(one for one in (*binary, *continuous, *timed) if one.key not in taken))


def default_outcomes(schema: TableSchema) -> tuple[Outcome, ...]:
    """The outcomes to show before the user picks any; may be empty."""
    return tuple(one for one in _usual(schema) if one.default)


def binary_outcome(schema: TableSchema, *, column: str, events: Sequence[str] = ()) -> Outcome:
    """Whether ``column`` has one of the categories ``events``; by default the one of two that means yes.

    Where neither of two means yes, it is the second in alphabetical order.

    Raises:
        UserError: the column is not boolean or categorical, has no such category, or none was chosen of several.
    """
    chosen = schema[column]
    if chosen.kind not in (Kind.BOOLEAN, Kind.CATEGORICAL):
        raise UserError(f"{column!r} has no categories that could be events", remedy="Choose a column of categories.")
    label = label_of(chosen)
    if chosen.kind is Kind.BOOLEAN:
        return Outcome("binary", column, label, events=("true",))
    known = chosen.categories or ()
    unknown = [one for one in events if chosen.categories is not None and one not in known]
    if unknown:
        raise UserError(f"{column!r} has no category {unknown[0]!r}", remedy=f"It has: {', '.join(known[:12])}.")
    if not events:
        if len(known) != 2:
            raise UserError(f"{column!r} has {len(known)} categories", remedy="Say which of them are the event.")
        yes = _yes(chosen)
        events = [one for one in known if one.lower().strip() in yes] or [sorted(known)[-1]]
        events = events if len(events) == 1 else [sorted(known)[-1]]
    text = "" if set(events) <= set(_TRUE) else f": {', '.join(events)}"
    return Outcome("binary", column, f"{label}{text}", events=tuple(events))


def time_to_event(schema: TableSchema, *, time: str, column: str, events: Sequence[str] = ()) -> Outcome:
    """Time until ``column`` has one of ``events`` (as :func:`binary_outcome`); rows without it end unobserved.

    Raises:
        UserError: as :func:`binary_outcome`, or the time is not a number.
    """
    event, clock = binary_outcome(schema, column=column, events=events), schema[time]
    if clock.kind not in (Kind.NUMERIC, Kind.INTEGER):
        raise UserError(f"{time!r} is not a number and cannot be a time", remedy="Choose a column of numbers.")
    return _timed(event, clock)


def _number(column: Column, label: str = "") -> Outcome:
    lasting = unit_key(column.unit or "") in _DURATIONS and "age_years" not in meanings(column)
    return Outcome(
        "continuous",
        column.name,
        label or label_of(column),
        unit=column.unit or "",
        is_duration=lasting or "length_of_stay_hours" in meanings(column),
    )


def _timed(event: Outcome, clock: Column) -> Outcome:
    label = f"{event.label}, by {(clock.label or clock.name.replace('_', ' ')).lower()}"
    return replace(event, kind="time_to_event", time=clock.name, unit=clock.unit or "", label=label)


def _may_be_followed(column: Column) -> bool:
    """Whether the time of ``column`` may be that of a stay: a known concept only if it is known at a stay's end."""
    ends = {name for stage in outcome_book().stages for name in stage.columns}
    named = meanings(column)
    return not named or bool(named & ends)


def _yes(column: Column) -> set[str]:
    known = {word for name in meanings(column) for word in rule_book().term(name).meanings.get("true", ())}
    return {*_TRUE, *known}


def _usual(schema: TableSchema) -> list[Outcome]:
    found: list[Outcome] = []
    for entry in outcome_book().usual:
        column, time = _column(schema, entry.column), _column(schema, entry.time)
        if column is None or (entry.time is not None and time is None):
            continue
        one = _build(schema, entry, column, time)
        if one is not None:
            one = replace(one, usual=True, default=not (entry.fallback and found))
            found.append(replace(one, leave_out=_not_at_risk(schema, entry.leave_out)))
    return found


def _column(schema: TableSchema, term: str | None) -> Column | None:
    columns = [column for column in schema.features if term in meanings(column)]
    exact = [column for column in columns if column.name == term]
    return next(iter([*exact, *columns]), None)


def _build(schema: TableSchema, entry: Usual, column: Column, time: Column | None) -> Outcome | None:
    if column.kind in (Kind.NUMERIC, Kind.INTEGER):
        return _number(column, column.label or rule_book().term(entry.column).label)
    if column.kind is Kind.DATE or (time is not None and time.kind not in (Kind.NUMERIC, Kind.INTEGER)):
        return None
    known = column.categories or ()
    events = [one for one in entry.events if column.categories is None or one in known]
    if not entry.events and column.kind is not Kind.BOOLEAN:
        events = [one for one in known if one.lower().strip() in _yes(column)]
    if not events and column.kind is not Kind.BOOLEAN:
        return None
    one = binary_outcome(schema, column=column.name, events=events)
    one = replace(one, label=entry.label or column.label or rule_book().term(entry.column).label or one.label)
    return one if time is None else _timed(one, time)


def _not_at_risk(schema: TableSchema, terms: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The columns of ``terms`` with the categories that their own usual outcome counts as the event."""
    out = []
    for entry in outcome_book().usual:
        column = _column(schema, entry.column) if entry.column in terms and entry.time is None else None
        one = None if column is None else _build(schema, entry, column, None)
        if one is not None and one.kind == "binary":
            out.append((one.column, one.events))
    return tuple(out)

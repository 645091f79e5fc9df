"""No impossible row leaves: definitions are recomputed, and rows that still break a rule are drawn again.

Only synthetic rows are read, so nothing here costs privacy. Redrawn rows come from the same generator under the same
conditions, so a stratum keeps its size and every criterion holds. The effort is bounded: a request that hardly any
possible row satisfies is refused with the rule in its way. Rules of what is discordant or rare are not enforced: real
tables break them at some rate, and so may synthetic ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition
from engine.cohort.plausibility.binding import BoundRule
from engine.cohort.plausibility.demands import demanded
from engine.cohort.plausibility.repair import is_repairable, repaired
from engine.cohort.plausibility.violations import blocks, rules_for, verdicts
from engine.core.errors import UserError
from engine.core.randomness import generator as random_generator
from engine.sampling.shares import Stratum
from engine.schema.table import Kind, TableSchema

EFFORT = 40
"""Rows that may be drawn for each row asked for, besides :data:`LEAST_EFFORT`."""
LEAST_EFFORT = 20_000
_MARGIN = 1.2
_SMALLEST_BATCH = 64
_SPARE = 0.08
_MOST_SPARE = 4_000
_STEP = 15_485_863
"""Between the seeds of successive batches; a prime that no other step of drawing uses."""

Draws = Callable[[int, int], pd.DataFrame]
"""(rows, seed) → rows that satisfy the conditions."""


@dataclass
class Enforcement:
    """The impossible rules of one schema, and what they cost.

    Attributes:
        rules: those that are enforced.
        schema: of the rows.
        redrawn: rows that were thrown away and drawn again.
        repaired: returned rows of which a cell was recomputed.
    """

    rules: tuple[BoundRule, ...]
    schema: TableSchema
    redrawn: int = 0
    repaired: int = 0
    _broken: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: TableSchema) -> "Enforcement":
        """The impossible rules that the columns of ``schema`` allow to be asked."""
        return cls(rules_for(schema, "impossible"), schema)

    def refuse(self, conditions: Mapping[str, Condition]) -> None:
        """Refuse conditions that only impossible rows satisfy.

        Raises:
            UserError: names the rule and the columns.
        """
        rule = demanded(conditions, self._strict(conditions))
        if rule is not None:
            raise _impossible(rule)

    def planned(self, plan: Sequence[Stratum], columns: Sequence[str]) -> list[Stratum]:
        """``plan`` without strata that demand impossible rows; every margin of the share ``columns`` is kept.

        Raises:
            UserError: the shares leave no such plan; names the rule.
        """
        counts: dict[tuple[Condition, ...], int] = {}
        other = dict(plan[0].conditions) if plan else {}
        for stratum in plan:
            key = tuple(stratum.conditions[name] for name in columns)
            counts[key] = counts.get(key, 0) + stratum.rows

        def rule_against(key: tuple[Condition, ...]) -> BoundRule | None:
            conditions = {**other, **dict(zip(columns, key, strict=True))}
            return demanded(conditions, self._strict(conditions))

        for key in [key for key in counts if rule_against(key) is not None]:
            _exchange(key, counts, lambda one: rule_against(one) is None)
            if counts[key]:
                rule = rule_against(key)
                assert rule is not None
                raise _impossible(rule)
        return [
            Stratum(rows, {**other, **dict(zip(columns, key, strict=True))}) for key, rows in counts.items() if rows
        ]

    def rows(
        self,
        draws: Draws,
        rows: int,
        *,
        seed: int,
        conditions: Mapping[str, Condition],
        available: int | None = None,
    ) -> pd.DataFrame:
        """``rows`` possible rows; the same seed gives the same rows.

        Args:
            draws: gives rows that satisfy the conditions.
            rows: how many are wanted.
            seed: of the first batch; later ones follow from it.
            conditions: their columns are never recomputed.
            available: how many rows ``draws`` has in all, each once per seed; None where there is no limit.

        Raises:
            UserError: too few possible rows were found within the bounded effort; names the rule most often broken.
        """
        if not self.rules:
            return draws(rows, seed)
        locked = frozenset(conditions)
        if available is not None:
            return self._from_reservoir(draws, rows, seed, locked, available)
        # Drawing under conditions has a price of its own, however few the rows: spare ones save a second time.
        spare = min(int(_SPARE * rows) + 1, _MOST_SPARE) if conditions else 0
        first = draws(rows + spare, seed)
        kept, fixed, good = self._judged(first, locked)
        order = random_generator(seed, "spare").permutation(rows + spare) if spare else np.arange(rows)
        chosen, others = np.sort(order[:rows]), order[rows:]
        instead = others[good[others]][: rows - int(good[chosen].sum())]
        places = [np.flatnonzero(good[chosen]), np.flatnonzero(~good[chosen])]
        missing = len(places[1]) - len(instead)
        self.redrawn += len(places[1])
        taken = np.concatenate([chosen[good[chosen]], instead])
        parts, fixes = [kept.iloc[taken]], [fixed[taken]]
        drawn, found, batch = rows + spare, int(good.sum()), 0
        while missing:
            left = EFFORT * rows + LEAST_EFFORT - drawn
            if left <= 0:
                raise self._too_few(found, drawn, rows, first, locked)
            largest = max(rows, LEAST_EFFORT)
            # Without a single possible row so far, the largest batch is the shortest way to find one.
            wanted = missing * drawn / found * _MARGIN if found else largest
            size = int(min(max(wanted, _SMALLEST_BATCH), largest, left))
            batch += 1
            more, more_fixed, more_good = self._judged(draws(size, (seed + _STEP * batch) % 2**32), locked)
            found, drawn = found + int(more_good.sum()), drawn + size
            take = np.flatnonzero(more_good)[:missing]
            parts.append(more.iloc[take])
            fixes.append(more_fixed[take])
            missing -= len(take)
        self.repaired += int(np.concatenate(fixes).sum())
        # Redrawn rows take the places of the rows that they stand for.
        into_place = np.argsort(np.concatenate(places), kind="stable")
        return self._joined(parts).iloc[into_place].reset_index(drop=True)

    def _from_reservoir(
        self, draws: Draws, rows: int, seed: int, locked: frozenset[str], available: int
    ) -> pd.DataFrame:
        """More rows under the same seed, none of them twice, until enough are possible or there are no more."""
        size = rows
        kept, fixed, good = self._judged(draws(size, seed), locked)
        while int(good.sum()) < rows:
            if size >= available:
                raise self._too_few(int(good.sum()), size, rows, draws(size, seed), locked)
            size = int(min(available, max(2 * size, rows / max(good.mean(), 1e-3) * _MARGIN)))
            kept, fixed, good = self._judged(draws(size, seed), locked)
        take = np.flatnonzero(good)[:rows]
        self.redrawn += int((~good[: take[-1] + 1]).sum()) if rows else 0
        self.repaired += int(fixed[take].sum())
        return kept.iloc[take].reset_index(drop=True)

    def _judged(self, frame: pd.DataFrame, locked: frozenset[str]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Rows after repair, which of them were repaired, and which are possible."""
        parts, fixes, goods = [], [], []
        for block in blocks(frame):
            part, fixed = repaired(block, self.rules, locked=locked)
            good = np.ones(len(part), dtype=bool)
            for name, verdict in verdicts(part, self.rules).items():
                good &= ~verdict.broken
                self._broken[name] = self._broken.get(name, 0) + int(verdict.broken.sum())
            parts.append(part)
            fixes.append(fixed)
            goods.append(good)
        fixed = np.concatenate(fixes)
        # Without a repair the frame is the parts put together.
        return self._joined(parts) if fixed.any() else frame, fixed, np.concatenate(goods)

    def _strict(self, conditions: Mapping[str, Condition]) -> list[BoundRule]:
        """Rules that no repair can help a row to keep: of the repairable ones those whose every column is asked for."""
        return [
            one
            for one in self.rules
            if not is_repairable(one.rule) or all(column.name in conditions for column in one.columns)
        ]

    def _joined(self, parts: list[pd.DataFrame]) -> pd.DataFrame:
        if len(parts) == 1:
            return parts[0]
        joined = pd.concat(parts, ignore_index=True)
        # Batches that saw different categories come together as text.
        texts = [c.name for c in self.schema.columns if c.kind is Kind.CATEGORICAL and joined[c.name].dtype == object]
        return joined.astype(dict.fromkeys(texts, "category")) if texts else joined

    def _too_few(self, found: int, drawn: int, rows: int, sample: pd.DataFrame, locked: frozenset[str]) -> UserError:
        worst = max(self.rules, key=lambda one: self._broken[one.rule.id])
        return UserError(
            f"only {found:,} of {drawn:,} drawn rows are possible, {rows:,} were asked for",
            where=f"most often broken is the rule {worst.rule.title!r} on {worst.column_names}",
            remedy="Relax the criteria on them, ask for fewer patients, or check these columns' names and units.",
        )


def _exchange(
    key: tuple[Condition, ...],
    counts: dict[tuple[Condition, ...], int],
    is_possible: Callable[[tuple[Condition, ...]], bool],
) -> None:
    """Trade one column's label of the rows under ``key`` with other rows, wherever both are possible afterwards."""
    for column in range(len(key)):
        for partner in sorted(counts, key=lambda one: -counts[one]):
            if partner[column] == key[column] or not counts[key]:
                continue
            mine = (*key[:column], partner[column], *key[column + 1 :])
            theirs = (*partner[:column], key[column], *partner[column + 1 :])
            if is_possible(mine) and is_possible(theirs):
                moved = min(counts[key], counts[partner])
                for one, change in ((key, -moved), (partner, -moved), (mine, moved), (theirs, moved)):
                    counts[one] = counts.get(one, 0) + change


def _impossible(rule: BoundRule) -> UserError:
    return UserError(
        f"the request asks for patients that are impossible: {rule.rule.title}",
        where=f"criteria on {rule.column_names}",
        remedy=f"Drop or change one of them. {rule.rule.message}",
    )

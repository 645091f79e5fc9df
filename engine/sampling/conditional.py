"""From a spec to rows that obey it: conditions, shares, and a check of every row that is returned."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition, compile_conditions
from engine.cohort.population import target
from engine.cohort.predicate import satisfied
from engine.cohort.spec import LARGE, CohortSpec
from engine.core.errors import InternalError, UserError
from engine.core.progress import Progress
from engine.core.randomness import generator as random_generator
from engine.generators.base import Capability, Generator
from engine.sampling import population, population_report
from engine.sampling.plausible import Enforcement
from engine.sampling.shares import Stratum, share_columns, strata

MAX_ROWS = LARGE
"""Rows that one draw holds in memory; :mod:`engine.sampling.parts` draws more."""
EXTRAPOLATION_SUPPORT = 11
"""With fewer supporting real rows than this, a cohort is flagged as extrapolated."""
REJECTION_ROUNDS = 60
REJECTION_BATCH = 20_000
POOL_ROWS = 20_000
POOL_ROUNDS = 20
MAX_POOL_ROWS = 100_000
"""Rows of the pool of a large cohort that follows a population."""


@dataclass(frozen=True)
class Draw:
    """A synthetic cohort.

    Attributes:
        frame: the rows, conformed to the generator's schema narrowed to the spec's columns.
        compliance: share of the returned rows that satisfy every criterion (checked, always 1.0).
        support_rows: how many of the learned patients satisfy the criteria. Of a private model its own noisy estimate,
            which costs no budget; else real rows are counted; None when neither is at hand.
        extrapolated: whether so few of them support the cohort that the model extrapolates.
        strategy: ``"unconditional"``, ``"conditioned"`` (obedient by construction) or ``"rejection"``.
        notes: sentences for a person.
        seconds: wall time.
        redrawn: rows that broke an impossible rule of plausibility and were replaced.
        repaired: returned rows of which a cell that others define was recomputed.
        population: the reference population and how nearly it is reached (:mod:`engine.sampling.population_report`).
    """

    frame: pd.DataFrame
    compliance: float
    support_rows: int | None
    extrapolated: bool
    strategy: str
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    redrawn: int = 0
    repaired: int = 0
    population: dict[str, Any] | None = None


def draw(generator: Generator, spec: CohortSpec, *, table: pd.DataFrame | None, progress: Progress) -> Draw:
    """Rows of ``generator`` that obey ``spec`` and are possible; ``table`` (the real rows, conformed) is only counted.

    The rows of a model with a privacy guarantee are told nothing of ``table``, not even that count.

    Raises:
        UserError: the spec names unknown columns, contradicts itself, asks for impossible patients, or cannot be met
            (says by which criterion or rule).
    """
    started = time.perf_counter()
    if spec.patients > MAX_ROWS:
        raise UserError(
            f"{spec.patients:,} rows at once are too many",
            remedy=f"Ask for at most {MAX_ROWS:,}, or draw them in parts.",
        )
    schema = generator.schema
    names = list(spec.columns) if spec.columns is not None else schema.names
    for name in names:
        schema[name]
    conditions = compile_conditions(spec, schema)
    enforcement = Enforcement.of(schema)
    enforcement.refuse(conditions)
    progress.update(0.05, "Reading the request")
    shares = share_columns(spec, schema)
    plan = [Stratum(spec.patients, conditions)]
    followed = target(spec, schema)
    raked, at_hand = None, []
    if followed is not None:
        pool = _pool(generator, population.covered(followed, conditions), spec)
        raked = population.plan(followed, shares, conditions, pool=pool, rows=spec.patients)
        plan = enforcement.planned(raked.strata, raked.columns)
        # A model that keeps its rows gives each of them once only if it is asked for them stratum by stratum.
        if generator.available() is None:
            at_hand = population.held(plan, raked.columns, pool, schema)
    elif shares:
        pool = _rows(generator, min(POOL_ROWS, 4 * spec.patients + 500), conditions, spec.seed + 1, partial=True)
        plan = strata(shares, conditions, pool=pool, rows=spec.patients, random=random_generator(spec.seed, "shares"))
        plan = enforcement.planned(plan, [share.column.name for share in shares])
    parts = []
    for index, stratum in enumerate(plan):
        progress.update(0.1 + 0.8 * index / len(plan), "Drawing patients")
        seed = spec.seed + 7919 * index
        parts.append(_possible(generator, stratum, seed, enforcement, at_hand[index] if at_hand else None))
    frame = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
    if len(parts) > 1:
        order = random_generator(spec.seed, "order").permutation(len(frame))
        frame = frame.iloc[order].reset_index(drop=True)
    _check(frame, spec, conditions, generator)
    support = _support(generator, conditions, table)
    narrowed = bool(conditions or shares or raked)
    reached = population_report.report(followed, raked, frame) if followed is not None and raked is not None else None
    progress.update(1.0, "Done")
    return Draw(
        frame=frame[names],
        compliance=1.0,
        support_rows=support,
        extrapolated=support is not None and support < EXTRAPOLATION_SUPPORT,
        strategy=_strategy(generator, narrowed),
        notes=[*_notes(support), *(reached["notes"] if reached is not None else [])],
        seconds=time.perf_counter() - started,
        redrawn=enforcement.redrawn,
        repaired=enforcement.repaired,
        population=reached,
    )


def _support(generator: Generator, conditions: Mapping[str, Condition], table: pd.DataFrame | None) -> int | None:
    if table is not None and not generator.statement():
        return int(satisfied(table, conditions, generator.schema).sum())
    estimate = generator.support(conditions)
    return None if estimate is None else round(estimate)


def _possible(
    generator: Generator, stratum: Stratum, seed: int, enforcement: Enforcement, at_hand: pd.DataFrame | None = None
) -> pd.DataFrame:
    conditions = stratum.conditions

    def draws(rows: int, seed: int) -> pd.DataFrame:
        return _rows(generator, rows, conditions, seed)

    to_order = not conditions or Capability.CONDITIONS in generator.capabilities
    return enforcement.rows(
        draws if at_hand is None else population.served(at_hand, draws),
        stratum.rows,
        seed=seed,
        conditions=conditions,
        available=generator.available(conditions) if to_order else None,
    )


def _rows(
    generator: Generator, rows: int, conditions: Mapping[str, Condition], seed: int, *, partial: bool = False
) -> pd.DataFrame:
    if not conditions or Capability.CONDITIONS in generator.capabilities:
        available = generator.available(conditions) if partial else None
        if available is not None:
            rows = max(1, min(rows, available))
        return generator.sample(rows, seed=seed % 2**32, conditions=conditions or None)
    return _reject(generator, rows, conditions, seed, partial=partial)


def _pool(generator: Generator, conditions: Mapping[str, Condition], spec: CohortSpec) -> pd.DataFrame:
    """Generated rows from which it can be told what the model has; fewer than wanted where it keeps no more."""
    wanted = max(POOL_ROWS, min(spec.patients, MAX_POOL_ROWS))
    parts: list[pd.DataFrame] = []
    for number in range(1, POOL_ROUNDS + 1):
        parts.append(_rows(generator, wanted, conditions, spec.seed + 32_452_843 * number, partial=True))
        if sum(map(len, parts)) >= population.LEAST_POOL or generator.available() is not None:
            break
    return pd.concat(parts, ignore_index=True)


def _reject(
    generator: Generator, rows: int, conditions: Mapping[str, Condition], seed: int, *, partial: bool
) -> pd.DataFrame:
    """Bounded rejection: draw, keep what satisfies, and say which criterion is out of reach when the bound is hit."""
    kept: list[pd.DataFrame] = []
    found = drawn = 0
    passed = dict.fromkeys(conditions, 0)
    for round_ in range(REJECTION_ROUNDS):
        batch = generator.sample(REJECTION_BATCH, seed=(seed + 104_729 * round_) % 2**32)
        good = np.ones(len(batch), dtype=bool)
        for name, condition in conditions.items():
            alone = condition.satisfied(batch[name], generator.schema[name])
            passed[name] += int(alone.sum())
            good &= alone
        kept.append(batch[good])
        drawn += len(batch)
        found += int(good.sum())
        if found >= rows or (partial and found):
            return pd.concat(kept, ignore_index=True).iloc[:rows]
    rarest = min(passed, key=lambda name: passed[name])
    raise UserError(
        f"only {found} of {drawn:,} drawn rows satisfy every criterion, {rows} were asked for",
        where=f"rarest by itself is the criterion on {rarest!r} with {passed[rarest] / drawn:.2%}",
        remedy="Relax that criterion, ask for fewer patients, or use the dp_cgan generator, which draws to order.",
    )


def _check(frame: pd.DataFrame, spec: CohortSpec, conditions: Mapping[str, Condition], generator: Generator) -> None:
    """The promise of 100 %, verified on the rows themselves by the code that counts real patients."""
    broken = len(frame) - int(satisfied(frame, conditions, generator.schema).sum())
    if broken or len(frame) != spec.patients:
        raise InternalError(
            f"{broken} of {len(frame)} drawn rows break the request for {spec.patients} patients, so none is returned",
            where=f"generator {generator.name}",
            remedy="Please report this with the request.",
        )


def _strategy(generator: Generator, narrowed: bool) -> str:
    if not narrowed:
        return "unconditional"
    return "conditioned" if Capability.CONDITIONS in generator.capabilities else "rejection"


def _notes(support: int | None) -> list[str]:
    if support is None or support >= EXTRAPOLATION_SUPPORT:
        return []
    return [
        f"Extrapolated: fewer than {EXTRAPOLATION_SUPPORT} real records meet these criteria, so the model combines "
        "what it knows of each part. Do not read associations from this cohort."
    ]

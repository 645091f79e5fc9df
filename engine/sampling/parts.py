"""A cohort of any size: its rows in parts of which one at a time is held in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.randomness import generator as random_generator
from engine.generators.base import Generator
from engine.sampling import population_report
from engine.sampling.conditional import Draw, draw

ROWS_AT_ONCE = 200_000
"""Rows of one part."""


def parts_of(generator: Generator, spec: CohortSpec, *, rows_at_once: int = ROWS_AT_ONCE) -> list[CohortSpec]:
    """The request for each part; each can be drawn by itself, and again with the same rows.

    A model that keeps its rows gives all of them in one part: only then is none of them returned twice.

    Raises:
        UserError: the model keeps fewer rows than are asked for.
    """
    kept = generator.available()
    if kept is not None:
        if spec.patients > kept:
            raise UserError(
                f"this {generator.name} model holds {kept:,} synthetic rows, {spec.patients:,} were asked for",
                remedy=f"Ask for at most {kept:,}, or use the dp_cgan generator, which draws to order.",
            )
        return [spec]
    return [
        spec.model_copy(update={"patients": min(rows_at_once, spec.patients - start), "seed": _seed(spec, number)})
        for number, start in enumerate(range(0, spec.patients, rows_at_once))
    ]


def draw_in_parts(
    generator: Generator,
    spec: CohortSpec,
    *,
    table: pd.DataFrame | None = None,
    progress: Progress,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[Draw]:
    """The rows of ``spec`` in parts; shares hold in each part. ``table`` is counted once, for the first part.

    Raises:
        UserError: as :func:`parts_of` and :func:`engine.sampling.conditional.draw`.
    """
    parts = parts_of(generator, spec, rows_at_once=rows_at_once)
    for number, part in enumerate(parts):
        share = Part(progress, number / len(parts), (number + 1) / len(parts))
        yield draw(generator, part, table=None if number else table, progress=share)


def together(parts: Sequence[Draw]) -> Draw:
    """What the parts of one cohort come to, without their rows."""
    first = parts[0]
    # Each part finds figures of its own for the population; the first part's stand for all.
    told = (note for part in parts for note in part.notes if part is first or note not in _of_population(part))
    notes = list(dict.fromkeys(told))
    if len(parts) > 1:
        notes.append(f"Drawn in {len(parts)} parts; target shares hold in each of them to the nearest row.")
    return replace(
        without_rows(first),
        compliance=min(part.compliance for part in parts),
        notes=notes,
        seconds=sum(part.seconds for part in parts),
        redrawn=sum(part.redrawn for part in parts),
        repaired=sum(part.repaired for part in parts),
        population=population_report.together([part.population for part in parts if part.population is not None]),
    )


def _of_population(part: Draw) -> list[str]:
    return part.population["notes"] if part.population is not None else []


def without_rows(drawn: Draw) -> Draw:
    """``drawn`` with its columns but no row, so that nothing keeps the rows in memory."""
    # A slice would be a view that holds all of them.
    return replace(drawn, frame=drawn.frame.iloc[:0].copy())


def as_json(drawn: Draw) -> dict[str, Any]:
    """Everything but the rows, as JSON values."""
    return {one.name: getattr(drawn, one.name) for one in fields(Draw) if one.name != "frame"}


def from_json(told: dict[str, Any]) -> Draw:
    """What :func:`as_json` gave, without rows."""
    return Draw(frame=pd.DataFrame(), **told)


def _seed(spec: CohortSpec, number: int) -> int:
    # Not a step from part to part: the batches within a part are steps apart too, and would repeat the next part's.
    return spec.seed if number == 0 else int(random_generator(spec.seed, f"part {number}").integers(2**32))

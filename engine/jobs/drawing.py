"""A cohort of any size, drawn into one file in flat memory, and continued where a killed worker left it.

Each part of a large cohort lies in the job's folder as soon as it is drawn, a file that says what it was drawn as. A
second attempt keeps those files: part and seed belong together, so the rows are those of an uninterrupted run.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import Cancelled, InternalError, UserError
from engine.core.progress import Part, Progress
from engine.jobs.queue import LeaseLostError
from engine.jobs.reporting import StoppedError

if TYPE_CHECKING:
    import pandas as pd

    from engine.cohort.spec import CohortSpec
    from engine.generators.base import Generator
    from engine.sampling.conditional import Draw

_NOTE = "drawn"
_COPIES = 2
"""Parts and the table that is put together from them lie side by side at the end."""
_DRAWING = 0.9
"""Share of the progress; the rest is for putting the parts together."""


def draw_to_file(
    path: Path,
    generator: "Generator",
    spec: "CohortSpec",
    *,
    table: "pd.DataFrame | None",
    folder: Path,
    progress: Progress,
) -> "Draw":
    """Write the cohort into the parquet file ``path``; returns what was drawn, without its rows.

    Args:
        path: of the table, which carries its schema.
        generator: the fitted model.
        spec: what is asked for.
        table: the real rows, which are counted only; None where there are none.
        folder: of the job; finished parts are in it until the job ends.
        progress: may cancel, between parts too.

    Raises:
        UserError: the request cannot be met (:func:`engine.sampling.conditional.draw`), or the disk has too little
            space for it.
    """
    from engine.sampling.conditional import draw
    from engine.sampling.parts import parts_of, together, without_rows
    from engine.storage.tables import write_table

    parts = parts_of(generator, spec)
    if len(parts) == 1:
        drawn = draw(generator, spec, table=table, progress=progress)
        with _told("the cohort"):
            write_table(path, drawn.frame, generator.schema.select([str(name) for name in drawn.frame.columns]))
        return together([without_rows(drawn)])
    try:
        return _in_parts(path, generator, parts, table=table, folder=folder / "parts", progress=progress)
    except (StoppedError, LeaseLostError):
        raise
    except (Cancelled, UserError):
        # Nobody continues this, and it may be what fills the disk.
        shutil.rmtree(folder / "parts", ignore_errors=True)
        raise


def _in_parts(
    path: Path,
    generator: "Generator",
    parts: "list[CohortSpec]",
    *,
    table: "pd.DataFrame | None",
    folder: Path,
    progress: Progress,
) -> "Draw":
    from engine.sampling.parts import together
    from engine.storage.tables import TableWriter, read_schema

    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:05}.parquet" for number in range(len(parts))]
    drawn: list[Draw] = []
    for number, (file, part) in enumerate(zip(files, parts, strict=True)):
        share = Part(progress, _DRAWING * number / len(parts), _DRAWING * (number + 1) / len(parts))
        share.update(0.0, f"Drawing part {number + 1} of {len(parts)}")
        drawn.append(_part(file, generator, part, table=None if number else table, progress=share))
        if number == 0:
            # What an earlier attempt left takes room already.
            left = _COPIES * len(parts) - sum(one.exists() for one in files)
            _refuse_full_disk(folder, file.stat().st_size * left)
    with _told("the cohort"), TableWriter(path, read_schema(files[0])) as whole:
        for number, file in enumerate(files):
            progress.update(_DRAWING + (1 - _DRAWING) * number / len(parts), "Putting the parts together")
            whole.append(file)
    return together(drawn)


def _part(
    file: Path, generator: "Generator", part: "CohortSpec", *, table: "pd.DataFrame | None", progress: Progress
) -> "Draw":
    """The part, drawn into ``file`` unless it is there; without its rows."""
    from engine.sampling.conditional import draw
    from engine.sampling.parts import as_json, from_json, without_rows
    from engine.storage.tables import read_note, write_table

    if file.exists():
        return from_json(json.loads(read_note(file, _NOTE)))
    drawn = draw(generator, part, table=table, progress=progress)
    schema = generator.schema.select([str(name) for name in drawn.frame.columns])
    with _told("a part of the cohort"):
        write_table(file, drawn.frame, schema, notes={_NOTE: json.dumps(as_json(drawn))})
    return without_rows(drawn)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tells that ``what`` could not be written, where the disk is full or gone."""
    try:
        yield
    except OSError as error:
        raise InternalError(
            f"{what} could not be written", where=error.strerror or "the workspace",
            remedy="Make room on the disk of the workspace and try again.",
        ) from error  # fmt: skip


def _refuse_full_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"a cohort of this size needs about {_gigabytes(needed)} of the disk, {_gigabytes(free)} are free",
            where="the workspace",
            remedy="Make room, ask for fewer patients, or choose fewer columns.",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"

"""A large cohort is drawn part by part into one file; what a killed worker left is continued."""

import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from engine.cohort.spec import CohortSpec
from engine.core.errors import Cancelled, InternalError, UserError
from engine.core.progress import Progress, Silent
from engine.jobs import drawing
from engine.jobs.queue import LeaseLostError
from engine.jobs.reporting import StoppedError
from engine.sampling import parts
from engine.sampling.conditional import Draw
from engine.storage.tables import read_table
from tests.helpers.measured_patients import SCHEMA, Measured

SPEC = CohortSpec(patients=450, seed=3)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "parts_of", partial(parts.parts_of, rows_at_once=100))


class EndingAt:
    """Raises ``error`` at the first report of a part."""

    def __init__(self, part: int, error: type[Exception]) -> None:
        self._message, self._error = f"Drawing part {part} ", error

    def update(self, fraction: float, message: str, **figures: float) -> None:
        if message.startswith(self._message):
            raise self._error


def drawn(folder: Path, *, generator: Measured | None = None, progress: Progress | None = None) -> Draw:
    return drawing.draw_to_file(
        folder / "cohort.parquet", generator or Measured(), SPEC, table=Measured().sample(70, seed=1),
        folder=folder / "job", progress=progress or Silent(),
    )  # fmt: skip


def test_the_file_holds_every_part_as_a_row_group_of_its_own(tmp_path: Path) -> None:
    generator = Measured()
    told = drawn(tmp_path, generator=generator)
    frame, schema = read_table(tmp_path / "cohort.parquet")
    assert (schema, len(frame), frame["weight_kg"].is_unique) == (SCHEMA, 450, True)
    file = pq.ParquetFile(tmp_path / "cohort.parquet")
    assert [file.metadata.row_group(number).num_rows for number in range(5)] == [100, 100, 100, 100, 50]
    assert (told.support_rows, told.compliance, len(told.notes)) == (70, 1.0, 1)
    assert told.redrawn > 20


@pytest.mark.parametrize("ending", [StoppedError, LeaseLostError, ValueError])
def test_a_second_attempt_keeps_finished_parts_and_gives_the_same_rows(tmp_path: Path, ending: type[Exception]) -> None:
    first = Measured()
    whole = drawn(tmp_path / "whole", generator=first)
    with pytest.raises(ending):
        drawn(tmp_path, progress=EndingAt(4, ending))
    assert not (tmp_path / "cohort.parquet").exists()
    generator = Measured()
    told = drawn(tmp_path, generator=generator)
    assert 2 <= len(generator.asked) <= 8 < len(first.asked), "two parts, their batches included"
    found = [read_table(folder / "cohort.parquet")[0] for folder in (tmp_path / "whole", tmp_path)]
    pd.testing.assert_frame_equal(*found)
    assert (told.support_rows, told.notes) == (whole.support_rows, whole.notes)


def test_a_cancelled_cohort_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        drawn(tmp_path, progress=EndingAt(3, Cancelled))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_too_little_room_is_told_after_the_first_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=20_000))
    generator = Measured()
    with pytest.raises(UserError, match=r"needs about 0\.0 GB of the disk, 0\.0 GB are free .*fewer patients"):
        drawn(tmp_path, generator=generator)
    assert max(rows for rows, _ in generator.asked) == 100 and len(generator.asked) < 6, "one part was drawn"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_parts_that_lie_there_already_need_no_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoppedError):
        drawn(tmp_path, progress=EndingAt(4, StoppedError))
    size = (tmp_path / "job" / "parts" / "00000.parquet").stat().st_size
    # Five parts and the whole, three of the parts drawn.
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=7 * size - 1))
    with pytest.raises(UserError, match="of the disk"):
        drawn(tmp_path / "other", generator=Measured())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=7 * size))
    assert drawn(tmp_path).compliance == 1.0


@pytest.mark.parametrize("rows_at_once", [100, 1000])
def test_a_disk_that_is_full_at_the_end_is_told_in_words(
    tmp_path: Path, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts, "parts_of", partial(parts.parts_of, rows_at_once=rows_at_once))
    target = "engine.storage.tables.TableWriter.append" if rows_at_once == 100 else "engine.storage.tables.write_table"
    monkeypatch.setattr(target, full)
    with pytest.raises(InternalError, match=r"the cohort could not be written \(No space left on device\). Make room"):
        drawn(tmp_path)


def test_a_disk_that_fills_meanwhile_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.storage.tables.write_table", full)
    with pytest.raises(InternalError, match=r"could not be written \(No space left on device\). Make room"):
        drawn(tmp_path)

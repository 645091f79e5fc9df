"""Bake-offs: several generators on one data set, the table of their figures, and its chart."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from engine.core.errors import UserError
from engine.core.workspace import read_json
from engine.evaluation.bake_off.figure_book import COSTS, FIGURES, FigureInfo, best
from engine.evaluation.outcomes import Outcome, possible_outcomes
from engine.export.cells import quoted
from engine.jobs.contenders import LEAST_ROWS, MOST_ROWS, Contest
from engine.jobs.queue import JobRecord
from engine.jobs.tables import ready_dataset, split
from engine.plots.bake_off import bake_off_alt_text, bake_off_figure
from engine.privacy.accounting import Gaussian, quick_epsilon
from engine.privacy.accounts import Account, charged, parted
from engine.privacy.gaussian import largest_mu
from engine.schema.table import TableSchema
from engine.services.context import Context
from engine.storage.records import new_id
from engine.storage.tables import read_schema

KIND = "bake_off"
LIMIT_SECONDS = 600.0
"""Most time for one fit, where nothing else is said."""
BEST = "★"
"""Before the best value of a column: seen without colours, too."""
_STATES = {"pending": "waiting", "running": "at work", "failed": "failed"}


@dataclass(frozen=True)
class BakeOff:
    """A bake-off that was started.

    Attributes:
        id: its id.
        made_at: when it was started.
        labels: of its contenders.
        job: the newest job that makes it.
    """

    id: str
    made_at: datetime
    labels: tuple[str, ...]
    job: JobRecord


@dataclass(frozen=True)
class Line:
    """A line of the table: the name, how far it is, why it failed, and per figure the text as shown."""

    label: str
    state: str
    reason: str
    cells: dict[str, str]


class BakeOffs:
    """Start bake-offs and read what came of them; aggregates only."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def training_rows(self, dataset_id: str) -> int:
        """Rows that generators learn of a data set.

        Raises:
            UserError: it is not prepared, or comes without rows.
        """
        dataset = ready_dataset(self._context.database, dataset_id)
        if not (self._context.workspace.dataset(dataset_id) / "splits.json").exists():
            raise UserError(
                f"data set {dataset.name!r} comes without rows to learn from", remedy="Choose a data set of your own."
            )
        return len(split(self._context.workspace, dataset_id)["train"])

    def rows(self, dataset_id: str) -> int:
        """Synthetic rows to draw where nothing else is said: as many as are learned."""
        return min(MOST_ROWS, max(LEAST_ROWS, self.training_rows(dataset_id)))

    def outcomes(self, dataset_id: str) -> dict[str, str]:
        """Outcomes that models can predict, labels by key, the usual ones first."""
        schema = read_schema(self._context.workspace.dataset(dataset_id) / "table.parquet")
        return {one.key: one.label for one in predictable(schema)}

    def after(self, account: Account, asked: Sequence[tuple[float, float]]) -> float:
        """Epsilon of the account once trainings at all (epsilon, delta) of ``asked`` are done; for display.

        Raises:
            UserError: a value is out of range.
        """
        events = [
            *charged(tuple(reversed(account.runs))),
            *(Gaussian(1 / largest_mu(epsilon=one, delta=two)) for one, two in asked),
        ]
        return quick_epsilon(parted(events)[0], account.base_delta)

    def start(
        self, dataset_id: str, asked: Sequence[tuple[str, Mapping[str, Any]]], *, outcome: str | None, rows: int,
        seed: int, limit_seconds: float = LIMIT_SECONDS,
    ) -> str:  # fmt: skip
        """Queue the bake-off of (generator, options) pairs; returns its id.

        Raises:
            UserError: the data set has no rows to learn from, there is no such generator or outcome, one is there
                twice, or a number is out of range.
        """
        self.training_rows(dataset_id)
        if outcome is not None and outcome not in self.outcomes(dataset_id):
            raise UserError(f"there is no outcome {outcome!r} that a model could predict")
        contest = Contest.of(asked, rows=rows, seed=seed, outcome=outcome, limit_seconds=limit_seconds)
        made = new_id()
        self._context.submit(KIND, {"dataset_id": dataset_id, **contest.as_json()}, subject=made)
        return made

    def all(self, dataset_id: str) -> list[BakeOff]:
        """The bake-offs of a data set, the newest first."""
        found: dict[str, BakeOff] = {}
        for job in self._context.queue.jobs(kind=KIND, limit=1_000):
            if job.payload["dataset_id"] == dataset_id and job.subject not in found:
                labels = tuple(one["label"] for one in job.payload["contenders"])
                found[job.subject] = BakeOff(job.subject, job.created_at, labels, job)
        return list(found.values())

    def get(self, bake_off_id: str) -> BakeOff:
        """One bake-off.

        Raises:
            UserError: there is no such bake-off.
        """
        job = next(iter(self._context.queue.jobs(kind=KIND, subject=bake_off_id, limit=1)), None)
        if job is None:
            raise UserError("there is no such bake-off")
        return BakeOff(job.subject, job.created_at, tuple(one["label"] for one in job.payload["contenders"]), job)

    def result(self, bake_off_id: str) -> dict[str, Any] | None:
        """The result as far as it is made (:mod:`engine.jobs.contest`), or None."""
        path = self._context.workspace.bake_off(bake_off_id)
        return read_json(path) if path.exists() else None

    def made_at(self, bake_off_id: str) -> int:
        """When the result last changed (nanoseconds); 0 while there is none."""
        path = self._context.workspace.bake_off(bake_off_id)
        return path.stat().st_mtime_ns if path.exists() else 0

    def chart(self, result: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """What a classifier finds against what a model learns, and the sentence that says the same."""
        return bake_off_figure(result, dark=dark), bake_off_alt_text(result)


def predictable(schema: TableSchema) -> list[Outcome]:
    """Outcomes that a model can predict, the usual ones first; the first is the default."""
    return [one for one in possible_outcomes(schema) if one.kind != "time_to_event"]


def columns() -> tuple[FigureInfo, ...]:
    """The table's columns after the generator's name."""
    return (*FIGURES, *COSTS)


def table(result: dict[str, Any], *, active: bool = True) -> list[Line]:
    """The table as shown: the ceiling, the contenders, the floor; the best of the contenders' values is marked.

    ``active``: whether the job still works on it; where not, what is not done stays so.
    """
    winners = best([line for line in result["contenders"] if line["state"] == "done"])
    lines = [result["ceiling"], *result["contenders"], result["floor"]]
    return [_shown(line, winners, active) for line in lines if line is not None]


def as_csv(result: dict[str, Any]) -> str:
    """The table with plain numbers where there are some, every line marked as internal."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["use", "generator", "state", *(info.name for info in columns()), "epsilon", "delta", "reason"])
    for line in (result["ceiling"], *result["contenders"], result["floor"]):
        if line is not None:
            cells = _cells(line)
            values = [_plain(cells.get(info.name)) for info in columns()]
            privacy = line.get("privacy") or {}
            writer.writerow(
                ["internal: aggregates of real patients", quoted(line["label"]), line["state"], *values,
                 privacy.get("epsilon", ""), privacy.get("delta", ""), quoted(line["reason"])]
            )  # fmt: skip
    return out.getvalue()


def _cells(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**line.get("figures", {}), **line.get("cost", {})}


def _plain(cell: Mapping[str, Any] | None) -> Any:
    if cell is None:
        return ""
    return cell["text"] if cell["value"] is None else cell["value"]


def _shown(line: Mapping[str, Any], winners: set[tuple[str, str]], active: bool) -> Line:
    state = _STATES.get(line["state"], "")
    if not active and line["state"] in ("pending", "running"):
        state = "not finished"
    cells = {}
    for info in columns():
        cell = _cells(line).get(info.name)
        text = "" if cell is None else cell["text"]
        cells[info.name] = f"{BEST} {text}" if (line["key"], info.name) in winners else text
    return Line(line["label"], state, line["reason"], cells)

"""The file of results, written after every run, and the markdown tables that are made of it."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import Contender

Run = dict[str, Any]


class Results:
    """Runs by name and seed in a JSON file: ``{"runs": {NAME: {SEED: {…}}}}``."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._runs: dict[str, dict[str, Run]] = {}
        if file.is_file():
            self._runs = json.loads(file.read_text("utf-8"))["runs"]

    def finished(self, name: str, seed: int) -> bool:
        """Whether the run is there and did not fail."""
        run = self._runs.get(name, {}).get(str(seed))
        return run is not None and "error" not in run

    def keep(self, name: str, seed: int, run: Run) -> None:
        """Add or replace a run and write the file at once; an interruption leaves the file whole."""
        self._runs.setdefault(name, {})[str(seed)] = run
        beside = self._file.with_name(self._file.name + ".new")
        beside.write_text(json.dumps({"runs": self._runs}, indent=1), encoding="utf-8")
        os.replace(beside, self._file)

    def of(self, name: str, seeds: Sequence[int] | None = None) -> list[Run]:
        """The finished runs of a contender, by seed."""
        runs = self._runs.get(name, {})
        wanted = sorted(runs, key=int) if seeds is None else [str(seed) for seed in seeds]
        return [runs[seed] for seed in wanted if seed in runs and "error" not in runs[seed]]

    def errors(self, name: str) -> list[str]:
        """Why runs of a contender failed."""
        return sorted({run["error"] for run in self._runs.get(name, {}).values() if "error" in run})


def tables(results: Results, contenders: Sequence[Contender], seeds: Sequence[int] | None = None) -> str:
    """Four markdown tables: fidelity on shuffled rows, the same as published, cost, and the cohort.

    Figures are means over the seeds, with the smallest and the largest where they differ.
    """
    shown = [(one, results.of(one.name, seeds)) for one in contenders]
    ran = [(one, runs) for one, runs in shown if runs]
    parts = [
        "Rows shuffled before scoring:\n\n" + _table(ran, _scored("shuffled")),
        "Files scored in their own order:\n\n" + _table(ran, _scored("published")),
        "Cost (one thread):\n\n" + _table([pair for pair in ran if pair[0].group != "references"], _COST),
        "2,000 women of 60 and older with A1C above 8, readmitted within 30 days:\n\n" + _table(ran, _COHORT_COLUMNS),
    ]
    if any(run.get("quick") for _, runs in ran for run in runs):
        parts.insert(0, "**Smoke run on few rows: these figures mean nothing.**")
    failed = [f"- {one.label}: {error}" for one, _ in shown for error in results.errors(one.name)]
    return "\n\n".join([*parts, *(["Not measured:\n\n" + "\n".join(failed)] if failed else [])]) + "\n"


def spread(values: Sequence[float | None], form: str) -> str:
    """``mean (smallest–largest)``, or the one value where all print alike; a dash without values."""
    given = [value for value in values if value is not None]
    if not given:
        return "–"
    mean, low, high = (format(value, form) for value in (sum(given) / len(given), min(given), max(given)))
    return mean if low == high else f"{mean} ({low}–{high})"


Column = tuple[str, Callable[[Run], float | None], str]


def _table(rows: Sequence[tuple[Contender, list[Run]]], columns: Sequence[Column]) -> str:
    head = ["generator", "seeds", *(title for title, _, _ in columns)]
    lines = [head, ["---"] * len(head)]
    for one, runs in rows:
        cells = [spread([figure(run) for run in runs], form) for _, figure, form in columns]
        if any(cell != "–" for cell in cells):
            lines.append([one.label, str(len(runs)), *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _scored(order: str) -> list[Column]:
    def figure(name: str) -> Callable[[Run], float | None]:
        return lambda run: run[order].get(name)

    return [
        ("quality", figure("quality_train"), ".3f"),
        ("shapes", figure("shapes_train"), ".3f"),
        ("pairs", figure("pairs_train"), ".3f"),
        ("all pairs", figure("pairs_all_train"), ".3f"),
        ("association error", figure("assoc_diff_all"), ".3f"),
        ("C2ST", figure("c2st_auc_holdout"), ".3f"),
        ("TSTR", figure("tstr_auroc"), ".3f"),
        ("TRTR", figure("trtr_auroc"), ".3f"),
        ("implausible rows", figure("implausible_rows"), ".2%"),
        ("copies", figure("dup_share"), ".2%"),
    ]


def _of(part: str, name: str) -> Callable[[Run], float | None]:
    return lambda run: (run.get(part) or {}).get(name)


_COST: list[Column] = [
    ("ε reached", _of("cost", "epsilon"), ".2f"),
    ("fit, CPU s", _of("cost", "fit_cpu_s"), ",.1f"),
    ("fit, wall s", _of("cost", "fit_wall_s"), ",.1f"),
    ("peak memory, MB", _of("cost", "peak_memory_mb"), ",.0f"),
    ("rows/s of CPU", _of("cost", "rows_per_cpu_s"), ",.0f"),
]
_COHORT_COLUMNS: list[Column] = [
    ("seconds", _of("cohort", "seconds"), ",.1f"),
    ("rows", _of("cohort", "rows"), ",.0f"),
    ("obey", _of("cohort", "obeyed"), ".1%"),
    ("shapes of the free columns", _of("cohort", "shapes"), ".3f"),
]

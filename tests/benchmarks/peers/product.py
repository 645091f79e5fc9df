"""The generators of this repository, timed like the peers.

    python -m tests.benchmarks.peers.product speed --model MODEL --rows 50000
    python -m tests.benchmarks.peers.product stream --model MODEL --rows 10000000
    python -m tests.benchmarks.peers.product train TIMINGS.json COHORT.csv -- --generator ctgan --table …

``speed`` prints the rows that a saved model draws per CPU second. ``stream`` draws in the product's parts, each
forgotten at once, and prints the memory of the process after every tenth of the rows. ``train`` is ``python -m engine
train`` for the generators of other packages, of which the product keeps only synthetic rows: while their model is still
in memory, it times the fit without the drawing, the drawing, and the cohort by rejection.

dp-cgans is allowed as many category values as memory permits (the product's own limit, 60, keeps a dashboard quick;
the split has 101).
"""

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from tests.benchmarks.peers.common import (
    COHORT_ROWS,
    Stopwatch,
    fitted,
    peak_memory_mb,
    rejected_cohort,
    rows_per_cpu_second,
)


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--model", type=Path, required=True)
    speed.add_argument("--rows", type=int, default=50_000)
    stream = commands.add_parser("stream")
    stream.add_argument("--model", type=Path, required=True)
    stream.add_argument("--rows", type=int, default=10_000_000)
    train = commands.add_parser("train")
    train.add_argument("timings", type=Path)
    train.add_argument("cohort", type=Path)
    train.add_argument("--speed-rows", type=int, default=50_000)
    train.add_argument("--cohort-seconds", type=float, default=60.0)
    own = sys.argv[1:]
    rest = own[own.index("--") + 1 :] if "--" in own else []
    asked = parser.parse_args(own[: own.index("--")] if rest else own)
    if asked.command == "speed":
        print(json.dumps(_speed(asked.model, asked.rows)))
        return 0
    if asked.command == "stream":
        print(json.dumps(_stream(asked.model, asked.rows)))
        return 0
    return _train(asked, rest)


def _speed(model: Path, rows: int) -> dict[str, int]:
    from engine.generators.registry import load

    generator = load(model)
    speed = rows_per_cpu_second(lambda count: generator.sample(count, seed=1), rows)
    return {"rows_per_cpu_s": speed, "draw_memory_mb": round(peak_memory_mb())}


def _stream(model: Path, rows: int) -> dict[str, Any]:
    from engine.cohort.spec import CohortSpec
    from engine.core.progress import Silent
    from engine.generators.registry import load
    from engine.sampling.parts import draw_in_parts

    generator = load(model)
    watch, process, drawn = Stopwatch(), psutil.Process(), 0
    memory: list[int] = []
    for part in draw_in_parts(generator, CohortSpec(patients=rows, seed=1), progress=Silent()):
        before, drawn = drawn, drawn + len(part.frame)
        if drawn * 10 // rows > before * 10 // rows:
            memory.append(round(process.memory_info().rss / 2**20))
    assert drawn == rows
    cpu = watch.cpu
    return {"rows": rows, "cpu_s": round(cpu, 1), "rows_per_cpu_s": round(rows / cpu), "memory_mb": memory}


def _train(asked: argparse.Namespace, arguments: list[str]) -> int:
    from engine.__main__ import main as command_line
    from engine.generators.exchange import Exchange
    from engine.generators.registry import create
    from engine.generators.reservoir import ReservoirGenerator

    module: Any = sys.modules[type(create(arguments[arguments.index("--generator") + 1])).__module__]
    if hasattr(module, "MAX_CATEGORY_VALUES"):
        module.MAX_CATEGORY_VALUES = 1_000
    fit, draw_in_parts, decode = ReservoirGenerator.fit, module.draw_in_parts, Exchange.decode
    watch = Stopwatch()
    timings: dict[str, Any] = {}
    package_draw: list[Callable[[int], pd.DataFrame]] = []

    def timed_fit(*given: Any, **named: Any) -> Any:
        nonlocal watch
        watch = Stopwatch()
        return fit(*given, **named)

    def timed_draw(draw: Callable[[int], pd.DataFrame], **named: Any) -> pd.DataFrame:
        timings.update(fitted(watch))
        package_draw.append(draw)
        return draw_in_parts(draw, **named)

    def timed_decode(exchange: Any, frame: pd.DataFrame, *, rows: int, random: np.random.Generator) -> pd.DataFrame:
        def draw(count: int) -> pd.DataFrame:
            with contextlib.redirect_stdout(io.StringIO()):
                return decode(exchange, package_draw[0](count), rows=count, random=random)

        timings["rows_per_cpu_s"] = rows_per_cpu_second(draw, asked.speed_rows)
        cohort, figures = rejected_cohort(draw, rows=COHORT_ROWS, seconds=asked.cohort_seconds)
        cohort.to_csv(asked.cohort, index=False)
        asked.timings.write_text(json.dumps({**timings, **figures, "cohort_by": "rejection"}), encoding="utf-8")
        return decode(exchange, frame, rows=rows, random=random)

    ReservoirGenerator.fit = timed_fit  # type: ignore[method-assign]
    module.draw_in_parts = timed_draw
    Exchange.decode = timed_decode  # type: ignore[method-assign]
    return command_line(["train", *arguments])


if __name__ == "__main__":
    sys.exit(main())

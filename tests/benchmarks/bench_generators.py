"""Our generator beside its peers on the fixed Diabetes-130 split; prints the tables as markdown.

    python -m tests.benchmarks.bench_generators --seeds 1 2 3 --out RESULTS.json --table TABLE.md --continue
    python -m tests.benchmarks.bench_generators --only ours mst_eps3 --seeds 1 --quick

Each run is kept in RESULTS.json as soon as it ends; ``--continue`` repeats only what is missing or failed, and without
it the runs asked for are measured again. ``--only`` takes names and the groups ``ours``, ``peers`` and ``references``.
Peers with environments of their own are installed on first use (a few GB) under ``~/.cache/cohort-studio-bench``, or
the folder that ``COHORT_STUDIO_BENCH_CACHE`` names. Every process gets one thread; runs follow one another.

What a figure means: :mod:`tests.benchmarks.scoring`; *fit* runs from the table in memory to a model that can draw, and
memory is the peak of that process. The settings: :mod:`tests.benchmarks.contenders` and ``tests/benchmarks/peers``.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from tests.benchmarks import scoring
from tests.benchmarks.contenders import CONTENDERS, DELTA, Contender, chosen
from tests.benchmarks.environments import python_of
from tests.benchmarks.peers.common import COHORT, COHORT_ROWS
from tests.benchmarks.processes import FailedError, last_line, run
from tests.benchmarks.public_domain import public_schema
from tests.benchmarks.results import Results, tables
from tests.benchmarks.scoring import SPLIT

_QUICK_ROWS = 600


class Bench:
    """The split, and how much each run does."""

    def __init__(self, work: Path, *, quick: bool, cohort_seconds: float) -> None:
        self._work = work
        self._quick = quick
        self._cohort_seconds = min(cohort_seconds, 3.0) if quick else cohort_seconds
        self._speed_rows = 2_000 if quick else 50_000
        self._train, self._holdout, self._schema = SPLIT / "train.csv", SPLIT / "holdout.csv", SPLIT / "schema.json"
        if quick:
            for name in ("train", "holdout"):
                rows = pd.read_csv(SPLIT / f"{name}.csv", dtype=str, keep_default_na=False).head(_QUICK_ROWS)
                rows.to_csv(work / f"{name}.csv", index=False)
            self._train, self._holdout = work / "train.csv", work / "holdout.csv"

    def run(self, one: Contender, seed: int) -> dict[str, Any]:
        """All figures of one contender with one seed; ``{"error": …}`` where it fails."""
        folder = self._work / f"{one.name}-{seed}"
        folder.mkdir()
        started = time.perf_counter()
        try:
            if one.group == "references":
                found = self._reference(one, seed, folder)
            elif one.generator:
                found = self._product(one, seed, folder)
            else:
                found = self._peer(one, seed, folder)
        except FailedError as error:
            return {"error": str(error)}
        except subprocess.CalledProcessError as error:
            return {"error": f"score.py: {last_line(error.stderr)}"}
        finally:
            shutil.rmtree(folder)
        return {**found, "quick": self._quick, "seconds_in_all": round(time.perf_counter() - started, 1)}

    def _reference(self, one: Contender, seed: int, folder: Path) -> dict[str, Any]:
        if one.name == "holdout":
            return {**self._scores(self._holdout, folder), "cohort": scoring.real_halves(self._schema)}
        rows = pd.read_csv(self._train, dtype=str, keep_default_na=False)
        for number, name in enumerate(rows):
            rows[name] = rows[name].sample(frac=1, random_state=1_000 * seed + number).to_numpy()
        rows.to_csv(folder / "synthetic.csv", index=False)
        return self._scores(folder / "synthetic.csv", folder)

    def _product(self, one: Contender, seed: int, folder: Path) -> dict[str, Any]:
        environment = {"COHORT_STUDIO_WORKSPACE": str(folder / "workspace")}
        model, rows, cohort = folder / "model", folder / "synthetic.csv", folder / "cohort.csv"
        options = one.quick if self._quick else one.options
        private = one.epsilon is not None
        schema = public_schema(SPLIT / "schema.json", folder / "schema.json") if one.public_domain else self._schema
        train = [
            "--generator", one.generator, "--table", str(self._train), "--schema", str(schema),
            "--out", str(model), "--seed", str(seed), "--json",
            *(("--epsilon", f"{one.epsilon:g}", "--delta", f"{DELTA:g}") if private else ("--no-privacy",)),
            *(part for option in options for part in ("--option", option)),
        ]  # fmt: skip
        count = len(pd.read_csv(self._train, usecols=[0]))
        draw = ["--model", str(model), "--patients", str(count), "--out", str(rows), "--seed", str(seed), "--json"]
        if one.group == "ours":
            trained = json.loads(run([sys.executable, "-m", "engine", "train", *train], environment))
            cost = {
                "fit_cpu_s": trained["fit_cpu_seconds"],
                "fit_wall_s": trained["fit_wall_seconds"],
                "peak_memory_mb": trained["peak_memory_mb"],
                "epsilon": trained["epsilon"],
            }
            run([sys.executable, "-m", "engine", "generate", *draw], environment)
            speed = ["speed", "--model", str(model), "--rows", str(self._speed_rows)]
            cost |= json.loads(run([sys.executable, "-m", "tests.benchmarks.peers.product", *speed], environment))
            asked = folder / "spec.json"
            asked.write_text(json.dumps(cohort_request(_categories(model))), encoding="utf-8")
            draw = ["--model", str(model), "--spec", str(asked), "--out", str(cohort), "--seed", str(seed), "--json"]
            try:
                seconds = json.loads(run([sys.executable, "-m", "engine", "generate", *draw], environment))["seconds"]
            except FailedError as error:
                pd.read_csv(rows, dtype=str).head(0).to_csv(cohort, index=False)
                cost["cohort_refused"] = str(error)
                seconds = None
        else:
            timings = folder / "timings.json"
            limits = ["--speed-rows", str(self._speed_rows), "--cohort-seconds", str(self._cohort_seconds)]
            timed = ["tests.benchmarks.peers.product", "train", str(timings), str(cohort), *limits, "--", *train]
            run([sys.executable, "-m", *timed], environment)
            run([sys.executable, "-m", "engine", "generate", *draw], environment)
            cost = json.loads(timings.read_text("utf-8"))
            seconds = cost["cohort_s"]
        return self._figures(rows, cohort, cost, seconds, folder)

    def _peer(self, one: Contender, seed: int, folder: Path) -> dict[str, Any]:
        command = [
            python_of(one.environment), "-m", f"tests.benchmarks.peers.{one.script}", "--train", str(self._train),
            "--schema", str(SPLIT / "schema.json"), "--out", str(folder), "--seed", str(seed),
            "--speed-rows", str(self._speed_rows), "--cohort-seconds", str(self._cohort_seconds), *one.arguments,
            *(("--epsilon", f"{one.epsilon:g}") if one.epsilon is not None else ()),
            *(("--quick",) if self._quick else ()),
        ]  # fmt: skip
        run(command, {})
        cost = json.loads((folder / "timings.json").read_text("utf-8"))
        return self._figures(folder / "synthetic.csv", folder / "cohort.csv", cost, cost["cohort_s"], folder)

    def _figures(
        self, rows: Path, cohort: Path, cost: dict[str, Any], seconds: float | None, folder: Path
    ) -> dict[str, Any]:
        found = scoring.cohort_figures(cohort, self._schema)
        return {**self._scores(rows, folder), "cost": cost, "cohort": {**found, "seconds": seconds}}

    def _scores(self, synthetic: Path, folder: Path) -> dict[str, Any]:
        return scoring.scores(self._train, self._holdout, synthetic, self._schema, folder)


def cohort_request(known: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """The cohort as a CohortSpec in JSON.

    Of each criterion only the values in ``known`` are asked for: a private model may not have learned that a rare one
    exists, and a request that names it is refused. All of them where none is known, so that it is refused.
    """
    criteria = []
    for name, values in COHORT.items():
        kept = [value for value in values if known is None or value in known.get(name, values)]
        criteria.append({"column": name, "any_of": kept or values})
    return {"patients": COHORT_ROWS, "criteria": criteria}


def _categories(model: Path) -> dict[str, list[str]]:
    columns = json.loads((model / "manifest.json").read_text("utf-8"))["schema"]["columns"]
    return {column["name"]: column["categories"] for column in columns if column.get("categories")}


def main() -> None:
    """Run what is missing, keep it, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(one.name for one in CONTENDERS))
    parser.add_argument("--out", type=Path, default=Path("bench_generators.json"), metavar="RESULTS.json")
    parser.add_argument("--table", type=Path, metavar="TABLE.md")
    parser.add_argument("--continue", dest="resume", action="store_true", help="keep finished runs")
    parser.add_argument("--cohort-seconds", type=float, default=60.0, help="most for a cohort by rejection")
    parser.add_argument("--quick", action="store_true", help="a smoke run: 600 rows, the smallest trainings")
    parser.add_argument("--show", action="store_true", help="run nothing, only make the tables of RESULTS.json")
    asked = parser.parse_args()
    if not SPLIT.is_dir():
        raise SystemExit(f"the split is not there: {SPLIT}")
    results = Results(asked.out)
    with tempfile.TemporaryDirectory(prefix="cohort-studio-bench-") as name:
        bench = Bench(Path(name), quick=asked.quick, cohort_seconds=asked.cohort_seconds)
        for seed in asked.seeds:
            for one in chosen(asked.only):
                if asked.show or (asked.resume and results.finished(one.name, seed)):
                    continue
                measured = bench.run(one, seed)
                results.keep(one.name, seed, measured)
                said = measured.get("error") or f"{measured['seconds_in_all']} s"
                print(f"{one.name}, seed {seed}: {said}", file=sys.stderr, flush=True)
    made = tables(results, CONTENDERS, asked.seeds)
    if asked.table is not None:
        asked.table.write_text(made, encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()

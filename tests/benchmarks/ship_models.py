"""Make a model that ships with the product, from the public data to the sealed bundle with its card.

    python -m tests.benchmarks.ship_models --name us-adults-nhanes --data ../shared/data --out assets/models

The training is the product's own (`python -m engine train`) in a workspace that is thrown away, so that the key of the
noise is gone afterwards; rows are drawn and compared by `generate` and `evaluate`. `--data` holds a folder per source,
as published (see the recipes). Minutes on one core.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from engine.core.errors import UserError
from engine.core.progress import Console
from engine.core.workspace import read_json, write_json
from engine.preparation.pipeline import prepare_frame
from engine.preparation.splitting import split_by_patient
from engine.services.shipped import CARD, MODEL, SOURCE, read_source, seal
from engine.storage.tables import read_table, write_table
from tests.benchmarks.processes import ONE_THREAD, REPOSITORY
from tests.benchmarks.shipping.cards import card
from tests.benchmarks.shipping.figures import FIGURES, scores
from tests.benchmarks.shipping.recipes import RECIPES, Recipe

HOLDOUT = 0.2
"""Share of the people that the fit does not see."""
SEED = 7
MOST_BYTES = 5_000_000
"""Of a bundle: it is downloaded with the program."""


def main(arguments: list[str] | None = None) -> None:
    """Make the bundle that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, choices=sorted(RECIPES))
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ship-") as temporary:
        made = make(RECIPES[given.name], data=given.data, scratch=Path(temporary))
        bundle = publish(made, given.out / given.name)
    print(f"{bundle}: version {read_source(bundle).version}, {_bytes(bundle):,} bytes")


def make(recipe: Recipe, *, data: Path, scratch: Path) -> Path:
    """The bundle in a folder of ``scratch``, without checksums.

    Raises:
        UserError: it is larger than :data:`MOST_BYTES`.
        CalledProcessError: a step failed; it said why on standard error.
    """
    folder = data / recipe.folder
    table = recipe.table(folder)
    prepared = prepare_frame(table, recipe.schema(table), source=recipe.title, progress=Console())
    train, holdout = split_by_patient(prepared.table, prepared.schema, holdout=HOLDOUT, seed=SEED)
    for name, rows in (("train", train), ("holdout", holdout)):
        write_table(scratch / f"{name}.parquet", prepared.table.iloc[rows].reset_index(drop=True), prepared.schema)
    bundle = scratch / recipe.name
    _train(recipe, scratch, bundle / MODEL)
    drawn, report = scratch / "drawn.parquet", scratch / "report.json"
    _engine(scratch, "generate", "--model", bundle / MODEL, "--patients", len(train), "--out", drawn)
    _engine(
        scratch, "evaluate", "--train", scratch / "train.parquet", "--holdout", scratch / "holdout.parquet",
        "--synthetic", drawn, "--out", report,
    )  # fmt: skip
    rows, schema = read_table(drawn)
    command = f"python -m tests.benchmarks.ship_models --name {recipe.name} --data ../shared/data --out assets/models"
    text = card(
        recipe, fit=read_json(bundle / MODEL / "fit.json"), schema=schema, scores=scores(read_json(report)),
        people={"training": len(train), "holdout": len(holdout)}, command=command,
        figures=_figures(recipe, folder, prepared.table, rows),
    )  # fmt: skip
    (bundle / CARD).write_text(text, encoding="utf-8")
    write_json(bundle / SOURCE, {"version": 1, "command": command} | recipe.described())
    if _bytes(bundle) > MOST_BYTES:
        raise UserError(f"the bundle is {_bytes(bundle):,} bytes", remedy="Give the recipe fewer hidden units.")
    return bundle


def publish(made: Path, bundle: Path) -> Path:
    """Put the bundle ``made`` in the place of ``bundle``, one version higher, with checksums."""
    version = read_source(bundle).version + 1 if (bundle / SOURCE).exists() else 1
    if bundle.exists():
        shutil.rmtree(bundle)
    shutil.copytree(made, bundle)
    for path in bundle.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    write_json(bundle / SOURCE, read_json(bundle / SOURCE) | {"version": version})
    seal(bundle)
    (bundle / SOURCE).chmod(0o644)
    return bundle


def _train(recipe: Recipe, scratch: Path, out: Path) -> None:
    workspace = scratch / "workspace"
    _engine(
        scratch, "train", "--table", scratch / "train.parquet", "--out", out, "--seed", SEED,
        "--epsilon", recipe.epsilon, "--delta", recipe.delta, "--option", f"hidden_per_column={recipe.hidden}",
    )  # fmt: skip
    shutil.rmtree(workspace)  # with the key of the noise


def _engine(scratch: Path, *arguments: object) -> None:
    environment = {**os.environ, **ONE_THREAD, "COHORT_STUDIO_WORKSPACE": str(scratch / "workspace")}
    command = [sys.executable, "-m", "engine", *map(str, arguments), "--json"]
    subprocess.run(command, check=True, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)


def _figures(recipe: Recipe, folder: Path, table: pd.DataFrame, drawn: pd.DataFrame) -> list[list[str]]:
    listed = FIGURES[recipe.name]
    columns: dict[str, Any] = {}
    if recipe.population is None:
        columns["Release"] = [one.of(table) for one in listed]
    else:
        people, weight = recipe.population(folder)
        columns["Population"] = [one.of(people, weight) for one in listed]
        columns["Sample"] = [one.of(people) for one in listed]
        columns["Thinned"] = [one.of(table) for one in listed]
    columns["Model"] = [one.of(drawn) for one in listed]
    return [["", *columns], *(list(row) for row in zip([one.label for one in listed], *columns.values(), strict=True))]


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()

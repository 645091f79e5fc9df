"""The command line: ``python -m engine COMMAND``.

``--json`` prints exactly one JSON object on standard output; progress goes to standard error. Exit code 0 on success,
2 for a user's mistake, 1 for a fault of the program.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from engine.cohort.spec import MAX_PATIENTS
from engine.core.errors import CohortStudioError, UserError
from engine.core.progress import Console
from engine.core.settings import settings
from engine.core.workspace import json_text


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        result = _run(given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except CohortStudioError as error:
        print(f"fault: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; repeat with --resume to continue", file=sys.stderr)
        return 1
    if getattr(given, "json", True):
        print(json_text(result))
    elif given.command == "ledger":
        _show_ledger(result)
    elif given.command == "bake-off":
        from engine.services.bake_off_command import show

        print(show(result))
    else:
        _show(result)
    return 0


def _run(given: argparse.Namespace) -> dict[str, Any]:
    from engine.services import model_commands, table_commands

    progress = Console()
    match given.command:
        case "prepare":
            return table_commands.prepare(
                source=given.source, path=given.path, out=given.out, report=given.report, progress=progress
            )
        case "train":
            return model_commands.train(
                table=given.table, out=given.out, generator=given.generator, patient_key=given.patient_key,
                schema=given.schema, epsilon=given.epsilon, delta=given.delta, no_privacy=given.no_privacy,
                seed=given.seed, resume=given.resume, options=_options(given.option), progress=progress,
            )  # fmt: skip
        case "generate":
            return model_commands.generate(
                model=given.model, patients=given.patients, spec=given.spec, out=given.out, seed=given.seed,
                progress=progress,
            )  # fmt: skip
        case "evaluate":
            return table_commands.evaluate(
                train=given.train, holdout=given.holdout, synthetic=given.synthetic, spec=given.spec,
                schema=given.schema, outcome=given.outcome, out=given.out, view=given.view,
                small_cell_minimum=settings().small_cell_minimum, progress=progress,
            )  # fmt: skip
        case "parse":
            return table_commands.parse(
                text=given.text, previous=given.previous, source=given.source, backend=given.backend
            )
        case "ledger":
            from engine.services.budgets import ledger_accounts

            return ledger_accounts(source=given.source, set_limit=given.set_limit)
        case "bake-off":
            from engine.services.bake_off_command import bake_off

            return bake_off(
                table=given.table, holdout=given.holdout, out=given.out, generators=given.generators,
                epsilon=given.epsilon, delta=given.delta, outcome=given.outcome, schema=given.schema,
                patient_key=given.patient_key, rows=given.rows, seed=given.seed, limit_seconds=given.limit_seconds,
                resume=given.resume, progress=progress,
            )  # fmt: skip
        case "fine-tune":
            from engine.services.fine_tuning import fine_tune

            return fine_tune(
                out=given.out, model=given.model, pairs=given.pairs, epochs=given.epochs, seed=given.seed,
                resume=given.resume, progress=progress,
            )  # fmt: skip
        case _:
            return table_commands.export(cohort=given.cohort, format=given.format, out=given.out)


def _options(pairs: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise UserError(f"--option {pair!r} has no value", remedy="Write it as --option epochs=30.")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def _number(text: str) -> float:
    """The number as typed; the command says what is wrong with 0 or 1.5."""
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error


def _show(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if isinstance(value, (dict, list)) and len(str(value)) > 200:
            value = f"({len(value)} entries; see --json or --out)"
        print(f"{name.replace('_', ' '):>18}  {value}")


def _show_ledger(result: dict[str, Any]) -> None:
    accounts = result.get("sources", [result])
    if not accounts:
        print(f"no source is registered yet; each starts with epsilon 0 of {result['limit']:g} spent")
    for account in accounts:
        print(
            f"{account['source']}: epsilon {account['spent']:.2f} of {account['limit']:g} spent "
            f"(at delta {account['delta']:.3g}), at most {account['remaining']:g} more fits in one run"
        )
        _show_runs(account["runs"])


def _show_runs(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        spent = (
            f"{run['epsilon']:g} held" if run["spent"] is None else f"{run['spent']:.2f} of {run['epsilon']:g} spent"
        )
        print(f"    {run['created_at']}  {run['state']:<9} {spent:<20} {run['label']} ({run['run']})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description="Cohort Studio on the command line.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=summary)

    prepare = command("prepare", "make one patient table of a source")
    prepare.add_argument("--source", choices=["mimic3", "csv"], required=True)
    prepare.add_argument("--path", type=Path, required=True, help="MIMIC-III folder or CSV file")
    prepare.add_argument("--out", type=Path, required=True, help="TABLE.parquet")
    prepare.add_argument("--report", type=Path, help="REPORT.json")

    train = command("train", "teach a generator a table")
    train.add_argument("--table", type=Path, required=True)
    train.add_argument("--out", type=Path, required=True, help="folder of the model")
    train.add_argument(
        "--generator", default="dp_cgan", choices=["dp_cgan", "dp_cgans", "gaussian_copula", "ctgan", "tvae"]
    )
    train.add_argument("--patient-key", metavar="COLUMN")
    train.add_argument("--schema", type=Path, metavar="SCHEMA.json")
    train.add_argument("--epsilon", type=float, metavar="E", help="privacy budget of this training; needs --delta")
    train.add_argument("--delta", type=float, metavar="D", help="below one over the number of patients")
    train.add_argument("--no-privacy", action="store_true", help="train without a formal guarantee")
    train.add_argument("--seed", type=int, default=settings().default_seed)
    train.add_argument("--resume", action="store_true", help="continue an interrupted training")
    train.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the generator")

    generate = command("generate", "draw a cohort from a model")
    generate.add_argument("--model", type=Path, required=True, help="folder of a model, or the name of one that ships")
    asked = generate.add_mutually_exclusive_group(required=True)
    asked.add_argument("--patients", type=_number, metavar="N", help=f"a whole number from 1 to {MAX_PATIENTS:,}")
    asked.add_argument("--spec", type=Path, metavar="SPEC.json")
    generate.add_argument("--out", type=Path, required=True, help="FILE.csv, .parquet or .xlsx")
    generate.add_argument("--seed", type=int)

    evaluate = command("evaluate", "compare a synthetic table with real ones")
    for name in ("train", "holdout", "synthetic"):
        evaluate.add_argument(f"--{name}", type=Path, required=True)
    evaluate.add_argument("--spec", type=Path)
    evaluate.add_argument("--schema", type=Path)
    evaluate.add_argument(
        "--outcome", metavar="KEY", help="one to analyse besides the usual ones: a column, or EVENT@TIME"
    )
    evaluate.add_argument("--out", type=Path, help="REPORT.json, .html or .pdf")
    evaluate.add_argument(
        "--view", default="internal", choices=["internal", "release"], help="what a .html or .pdf may hold"
    )

    parse = command("parse", "show what a request is understood as (always JSON)")
    parse.add_argument("text")
    parse.add_argument("--previous", type=Path, metavar="SPEC.json")
    parse.add_argument("--source", metavar="TABLE|MODEL")
    parse.add_argument("--backend", default="rules", choices=["rules", "llama", "endpoint"])

    export = command("export", "write a cohort in another format")
    export.add_argument("--cohort", type=Path, required=True, help="cohort folder or table")
    export.add_argument("--format", required=True)
    export.add_argument("--out", type=Path, required=True)

    ledger = command("ledger", "show what private trainings have spent, per source of patients")
    ledger.add_argument("--source", metavar="NAME", help="only this source; its object alone with --json")
    ledger.add_argument("--set-limit", type=float, metavar="E", help="give the source a limit of its own")

    bake = command("bake-off", "train several generators on one table and compare their figures")
    bake.add_argument("--table", type=Path, required=True)
    bake.add_argument("--holdout", type=Path, help="rows of other patients; by default 30 % of the table's patients")
    bake.add_argument("--out", type=Path, required=True, help="RESULTS.json")
    bake.add_argument("--generators", nargs="+", metavar="NAME", help="by default all of them")
    bake.add_argument("--epsilon", type=float, nargs="+", default=[], metavar="E", help="private contenders beside")
    bake.add_argument("--delta", type=float, metavar="D", help="below one over the number of patients")
    bake.add_argument("--outcome", metavar="COLUMN", help="what models predict; by default the first usual outcome")
    bake.add_argument("--schema", type=Path, metavar="SCHEMA.json")
    bake.add_argument("--patient-key", metavar="COLUMN")
    bake.add_argument("--rows", type=int, help="synthetic rows of each; by default as many as are learned")
    bake.add_argument("--limit-seconds", type=float, default=600.0, metavar="S", help="most time for one training")
    bake.add_argument("--seed", type=int, default=settings().default_seed)
    bake.add_argument("--resume", action="store_true", help="continue an interrupted bake-off")

    tune = command("fine-tune", "teach a language model how requests become cohorts")
    tune.add_argument("--out", type=Path, required=True, metavar="ADAPTER_DIR")
    tune.add_argument("--model", metavar="NAME|DIR", help="a model that is on this machine")
    tune.add_argument("--pairs", type=int, metavar="N", help="how many requests are composed")
    tune.add_argument("--epochs", type=float, metavar="E")
    tune.add_argument("--seed", type=int)
    tune.add_argument("--resume", action="store_true", help="continue an interrupted training")

    for one in (prepare, train, generate, evaluate, export, ledger, bake, tune):
        one.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    sys.exit(main())

"""The privacy budget on the command line: what the flags mean, trainings that pay, and the ledger's accounts."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import UserError
from engine.core.settings import settings
from engine.core.workspace import Workspace, read_json, write_json
from engine.generators.base import Capability
from engine.generators.registry import info
from engine.jobs.budget import budget_of, identity_of, settle_ended
from engine.privacy.accounts import Account, RunState
from engine.privacy.ledger import Ledger
from engine.privacy.runs import PrivateRun, settle_from
from engine.storage.database import Database
from engine.storage.records import new_id

if TYPE_CHECKING:
    import pandas as pd

    from engine.generators.base import Generator
    from engine.preparation.pipeline import PreparedTable

_RUN = "run.json"
_PRIVACY = ("private", "epsilon", "delta")


def privacy_options(
    generator: str, options: Mapping[str, Any], *, epsilon: float | None, delta: float | None, no_privacy: bool
) -> dict[str, Any]:
    """The generator's options with what the flags say of privacy.

    Raises:
        UserError: epsilon and delta are not both given, contradict ``no_privacy`` or cannot be honoured; a generator
            that can be private is told nothing; or an option says what a flag should.
    """
    described = info(generator)
    offers = any(option.name == "private" for option in described.options)
    both = "Give --epsilon and --delta together; neither has a default."
    if (epsilon is None) != (delta is None):
        given, missing, value = ("--epsilon", "--delta", epsilon) if delta is None else ("--delta", "--epsilon", delta)
        raise UserError(f"{given} ({value:g}) is given without {missing}", remedy=f"{both} Or use --no-privacy.")
    if no_privacy and epsilon is not None:
        raise UserError("--no-privacy and --epsilon contradict each other", remedy="Give one of them.")
    if epsilon is not None and Capability.DIFFERENTIAL_PRIVACY not in described.capabilities:
        raise UserError(
            f"{generator} gives no (epsilon, delta) guarantee, so --epsilon ({epsilon:g}) cannot be honoured",
            remedy="Train it with --no-privacy and treat the model as confidential, or choose a private generator.",
        )
    if not offers:
        return dict(options)
    doubled = [name for name in _PRIVACY if name in options]
    if doubled:
        raise UserError(f"--option {doubled[0]} is set by flags", remedy="Use --epsilon and --delta, or --no-privacy.")
    if epsilon is None and not no_privacy:
        raise UserError(
            f"{generator} is not told whether to be private",
            remedy="Give --epsilon E --delta D for a formal guarantee, or --no-privacy for none.",
        )
    if epsilon is None:
        return {**options, "private": False}
    return {**options, "private": True, "epsilon": epsilon, "delta": delta}


def foreground_run(
    model: "Generator",
    prepared: "PreparedTable",
    *,
    table: Path,
    options: Mapping[str, Any],
    seed: int,
    checkpoint: Path,
    learned: "pd.DataFrame | None" = None,
) -> "AbstractContextManager[PrivateRun | None]":
    """The budget of a training in the foreground, a context around the fit; None without formal privacy.

    The source is the table's file, entered under its name, whose rows are learned, or only those ``learned``. A resumed
    training is the same run: its id lies in the checkpoint folder.

    Raises:
        UserError: the budget does not allow it.
    """
    budget = budget_of(model, options)
    if budget is None:
        return nullcontext()
    ledger = opened()
    member = ledger.register(
        kind="table", reference=table.name, name=table.name, table=prepared.table, schema=prepared.schema
    )
    settle_ended(ledger, Workspace(settings().workspace), member.source)
    path = checkpoint / _RUN
    if not path.exists():
        write_json(path, {"run_id": new_id()})
    rows = prepared.table if learned is None else learned
    return PrivateRun(
        ledger, source=member.source, run_id=read_json(path)["run_id"], budget=budget, label=model.label,
        checkpoint=checkpoint,
        identity=identity_of(model, rows, prepared.schema, seed=seed, options=options),
    )  # fmt: skip


def settle_abandoned(checkpoint: Path) -> None:
    """Settle the killed training of a checkpoint folder that is about to be cleared, while its record is there."""
    path = checkpoint / _RUN
    if not path.exists():
        return
    run_id, ledger = read_json(path)["run_id"], opened()
    run = ledger.run(run_id)
    if run is not None and run.state is RunState.RESERVED:
        settle_from(ledger, run_id, checkpoint)


def ledger_accounts(*, source: str | None, set_limit: float | None) -> dict[str, Any]:
    """What ``ledger`` prints: one source's account, or all of them.

    Raises:
        UserError: there is no such source, or a limit is given without naming one.
    """
    if set_limit is not None and source is None:
        raise UserError(f"--set-limit ({set_limit:g}) names no source", remedy="Add --source NAME.")
    books = opened()
    if source is not None:
        found = books.find(source)
        if set_limit is not None:
            books.set_limit(found, set_limit)
        return _current(books, found).as_json()
    accounts = [_current(books, account.source).as_json() for account in books.accounts()]
    if len(accounts) == 1:
        return accounts[0] | {"sources": accounts}
    if not accounts:
        limit = settings().epsilon_limit
        return {"limit": limit, "spent": 0.0, "remaining": limit, "runs": [], "sources": []}
    return {"sources": accounts}


def opened() -> Ledger:
    """The ledger of the workspace that the settings name."""
    workspace = Workspace(settings().workspace)
    return Ledger(Database.for_workspace(workspace, settings().database_url), workspace)


def _current(books: Ledger, source: str) -> Account:
    return settle_ended(books, Workspace(settings().workspace), source)

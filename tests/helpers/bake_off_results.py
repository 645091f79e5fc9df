"""A bake-off's job and result as the worker leaves them, with figures as they were once measured."""

from typing import Any

from engine.core.workspace import Workspace, write_json
from engine.evaluation.bake_off.figure_book import COSTS, FIGURES, figure, missing
from engine.jobs.contenders import Contest
from engine.jobs.queue import Queue
from engine.storage.database import Database

ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dp_cgan", {"private": False}),
    ("dp_cgan", {"private": True, "epsilon": 3.0, "delta": 1e-5}),
    ("gaussian_copula", {}),
    ("tvae", {}),
)
_HELD = "Not assessable: these are the held-out rows."


def result() -> dict[str, Any]:
    """Two generators done, one failed, one at work."""
    contest = Contest.of(ASKED, rows=6987, seed=1, outcome="died_in_hospital", limit_seconds=600.0)
    keys = [one.key for one in contest.contenders]
    labels = {one.key: one.label for one in contest.contenders}
    ours, private, copula, tvae = keys
    return {
        "version": 1, "internal": True, "small_cell_minimum": 11, "asked": contest.as_json(), "train_rows": 6987,
        "holdout_rows": 3012, "columns": 24, "notes": ["One seed: differences of a few thousandths are chance."],
        "outcome": {
            "key": "died_in_hospital", "label": "Died in hospital", "score": "AUROC", "model": "boosting",
            "model_label": "Gradient boosting",
        },
        "ceiling": _line("ceiling", "Real hold-out (ceiling)", (0.988, 0.988, 0.988, 0.496, 0.628, 0.628, 0.0))
        | {"cost": {info.name: figure(None, text="–") for info in COSTS}},
        "floor": _line("floor", "Columns shuffled (floor)", (0.892, 1.0, 0.784, 0.84, 0.478, 0.628, 0.306))
        | {"cost": {info.name: figure(None, text="–") for info in COSTS}},
        "contenders": [
            _line(ours, labels[ours], (0.997, 0.998, 0.995, 0.519, 0.616, 0.628, 0.0009)),
            _line(private, labels[private], (0.99, 0.988, 0.992, 0.63, 0.554, 0.628, 0.0149), wall=25.7)
            | {"privacy": {"epsilon": 2.99, "delta": 1e-5}},
            {
                "key": copula, "label": labels[copula], "state": "failed",
                "reason": "Its training took longer than the limit of 600 s.",
            },
            {"key": tvae, "label": labels[tvae], "state": "running", "reason": ""},
        ],
    }  # fmt: skip


def put(workspace: Workspace, dataset_id: str, *, done: bool = True) -> str:
    """The job of the bake-off, ended or cancelled, and its result; returns the bake-off's id."""
    database = Database.for_workspace(workspace, None)
    queue, made = Queue(database), result()
    job = queue.submit("bake_off", {"dataset_id": dataset_id, **made["asked"]}, "bakeoff1")
    if done:
        made["contenders"][3] |= {"state": "failed", "reason": "It failed."}
        leased = queue.lease("test")
        assert leased is not None and leased.id == job.id
        queue.finish(job.id, "test")
    else:
        queue.cancel(job.id)
    write_json(workspace.bake_off("bakeoff1"), made)
    database.close()
    return "bakeoff1"


def _line(key: str, label: str, values: tuple[float, ...], wall: float = 13.9) -> dict[str, Any]:
    names = ("quality", "shapes", "pairs", "c2st", "tstr", "trtr", "implausible")
    found = {name: figure(value) for name, value in zip(names, values, strict=True)}
    found |= {name: figure(0.0, text="none") for name in ("copies", "copies_holdout")}
    found["closer"] = figure(0.51)
    if key == "ceiling":
        found |= missing(("copies_holdout",), _HELD)
    cost = {
        "fit_cpu_seconds": figure(wall, digits=1), "fit_wall_seconds": figure(wall, digits=1),
        "peak_memory_mb": figure(638, digits=0), "rows_per_second": figure(130_000, digits=0),
    }  # fmt: skip
    return {
        "key": key, "label": label, "state": "done", "reason": "", "privacy": None, "notes": [], "cost": cost,
        "figures": {info.name: found[info.name] for info in FIGURES},
    }  # fmt: skip

"""Passages made of what a caller knows: a cohort's manifest, its model's report, its data set's preparation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.cohort.spec import Criterion
from engine.conversation.knowledge.passages import Passage

MANIFEST = "Manifest of the cohort"
MODEL = "Model report"
PREPARATION = "Preparation report"
Associations = Callable[[Criterion], Mapping[str, float]]
"""How strongly each column of the source goes with a diagnosis, 0 to 1; only aggregates of real rows may be used."""


@dataclass(frozen=True)
class KnowledgeContext:
    """What surrounds a question; nothing in it is needed."""

    manifest: Mapping[str, Any] | None = None
    """Of the current cohort (:func:`engine.export.manifest.manifest`)."""
    model_report: Mapping[str, Any] | None = None
    """Of the current model's fit."""
    preparation_report: Mapping[str, Any] | None = None
    """Of the data set (:class:`engine.preparation.report.PreparationReport`)."""
    dataset: str = ""
    """Its name."""
    associations: Associations | None = None


def passages(context: KnowledgeContext | None) -> list[Passage]:
    """One passage for each thing that the records of ``context`` hold."""
    if context is None:
        return []
    return [
        *_manifest(context.manifest or {}),
        *_model(context.model_report or {}),
        *_preparation(context.preparation_report or {}, context.dataset),
    ]


_OF_MANIFEST = {
    "generator": ("Generator: {}.", "which model made this cohort; generator of the cohort; how was this cohort made"),
    "seed": ("Seed: {}.", "which seed was used; seed of this cohort"),
    "created_at": ("Made at {}.", "when was this cohort made; date of the cohort; time created"),
    "source": ("Source: {}.", "what is this cohort based on; source of this cohort; drawn from which data set"),
    "privacy": ("Privacy: {}.", "how private is this cohort; epsilon of this cohort; what epsilon has this cohort"),
    "versions": ("Versions: {}.", "which software versions were used; version of torch"),
    "notes": ("Notes: {}", "notes on this cohort"),
}
_OF_MODEL = {
    "generator": ("The model is of the generator {}.", "which generator is the model; kind of model"),
    "patients": ("It was trained on {} patients.", "how many patients was the model trained on; training patients"),
    "seed": ("It was trained with seed {}.", "seed of the model; training seed"),
    "epsilon": ("ε is {}.", "epsilon of the model; how private is this model"),
    "delta": ("δ is {}.", "delta of the model"),
    "fit_wall_seconds": ("Training took {} seconds.", "how long did training take; training time of the model"),
    "notes": ("Notes: {}", "notes on the model; what did the model not learn"),
}
"""Key of the record → how it is told, and the words in which people ask for it."""


def _manifest(record: Mapping[str, Any]) -> list[Passage]:
    return _told(MANIFEST, record, _OF_MANIFEST)


def _model(record: Mapping[str, Any]) -> list[Passage]:
    if record and record.get("epsilon") is None:
        record = {**record, "epsilon": "not stated: the model has no formal privacy"}
    return _told(MODEL, record, _OF_MODEL)


def _told(card: str, record: Mapping[str, Any], forms: Mapping[str, tuple[str, str]]) -> list[Passage]:
    return [
        Passage(card, key, form.format(_said(record[key])), asked)
        for key, (form, asked) in forms.items()
        if record.get(key) not in (None, [], {})
    ]


def _preparation(record: Mapping[str, Any], dataset: str) -> list[Passage]:
    found: list[Passage] = []

    def add(section: str, text: str, asked: str) -> None:
        found.append(Passage(PREPARATION, section, text, asked))

    if dataset:
        add("data set", f"The data set is {dataset}.", "which data set; name of the data set")
    for key in ("rows", "patients"):
        if record.get(key) is not None:
            asked = f"how many {key} are in this data set; how many {key} does the table have; number of {key} here"
            add(key, f"The table has {record[key]:,} {key}.", asked)
    tables = record.get("tables") or []
    if read := [f"{one['name']} ({one['rows_read']:,} rows)" for one in tables if one.get("rows_read") is not None]:
        add("tables", f"Tables read: {', '.join(read)}.", "which tables were read")
    if absent := [one["name"] for one in tables if not one.get("present", True)]:
        add("absent tables", f"Tables not found: {', '.join(absent)}.", "which tables are absent; missing tables")
    if tables:
        names = ", ".join(dict.fromkeys(name for one in tables for name in one.get("absent_columns", ())))
        said = f"Columns absent because a table is missing: {names or 'none'}."
        add("absent columns", said, "which columns are absent; missing columns; left out")
    if columns := record.get("columns"):
        dropped = {one["name"]: one["dropped_impossible"] for one in columns if one.get("dropped_impossible")}
        parts = ", ".join(f"{name} {count:,}" for name, count in dropped.items())
        said = f"Impossible values left out: {sum(dropped.values()):,}{f' ({parts})' if parts else ''}."
        add("dropped values", said, "how many values were dropped; values left out; impossible values dropped")
    if notes := record.get("notes"):
        add("notes", " ".join(notes), "notes of the preparation")
    return found


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_said(part)}" for key, part in value.items() if part not in (None, "", {}, []))
    if isinstance(value, list | tuple):
        return " ".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)

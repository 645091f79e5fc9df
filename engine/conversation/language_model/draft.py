"""The draft: what a language model writes of a request, one line of compact JSON, and how it becomes a spec.

A draft is a turn's intent beside the fields of its :class:`~engine.cohort.spec.CohortSpec`, without what is a default::

    {"intent": "generate", "spec": {"patients": 500, "criteria": [...], "shares": [], "columns": null, "seed": 7, ...}}
    {"intent":"generate","patients":500,"criteria":[{"column":"age_years","minimum":65,"include_minimum":false}]}

The spec is the whole cohort after the request, for a follow-up too, whose number of patients is always written.
Intents other than "generate" and "refine" have no spec: ``{"intent":"question"}``.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.cohort.conditions import category_text
from engine.cohort.spec import CohortSpec, Criterion, Share, Value
from engine.conversation.contract import Intent, Turn
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, Role, TableSchema

_ASKING: tuple[Intent, ...] = ("generate", "refine")
_FIELDS = ("patients", "criteria", "shares", "columns", "reference_population", "seed")


class Draft(BaseModel):
    """What a model wrote; None and empty stand for the default of :class:`~engine.cohort.spec.CohortSpec`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intent: Intent
    patients: int | None = None
    criteria: tuple[Criterion, ...] = ()
    shares: tuple[Share, ...] = ()
    columns: tuple[str, ...] | None = None
    reference_population: str | None = None
    seed: int | None = None

    @property
    def spec(self) -> CohortSpec | None:
        """The cohort that it asks for; None where the intent asks for none.

        Raises:
            ValidationError: its parts do not fit together.
        """
        if self.intent not in _ASKING:
            return None
        given = {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}
        return CohortSpec(**given)


def draft_of(asked: Turn | CohortSpec | None, intent: Intent | None = None) -> str:
    """The draft of a turn, or of a spec with its intent, in its one canonical spelling: the target of training.

    Keys stand in the order of the classes' fields, numbers are written without needless digits, nothing is blank.
    """
    if isinstance(asked, Turn):
        intent, asked = intent or asked.intent, asked.spec
    intent = intent or "generate"
    draft: dict[str, Any] = {"intent": intent}
    if asked is not None and intent in _ASKING:
        usual = CohortSpec()
        for name in _FIELDS:
            if getattr(asked, name) != getattr(usual, name) or (name == "patients" and intent == "refine"):
                draft[name] = asked.as_json()[name]
        for criterion in draft.get("criteria", ()):
            for end in ("include_minimum", "include_maximum"):
                if criterion.get(end) is True:
                    del criterion[end]
    return compact(draft)


def compact(value: Any) -> str:
    """``value`` as JSON without blanks; 65.0 is written as 65."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """``value`` with whole floats as integers, through lists and dictionaries."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def read_draft(text: str, schema: TableSchema) -> Draft:
    """The draft that ``text`` is, with placeholders (``"#2"``, the column's second category) exchanged for categories.

    Whether the source can meet it is left to :func:`engine.conversation.validator.validated`, which checks every
    backend's turn.

    Raises:
        UserError: it is no draft, its ends are out of order, or it names columns or categories that are not there.
    """
    try:
        draft = Draft.model_validate_json(text)
        draft = draft.model_copy(
            update={
                "criteria": tuple(_criterion(part, schema) for part in draft.criteria),
                "shares": tuple(_share(part, schema) for part in draft.shares),
                "columns": draft.columns and tuple(dict.fromkeys(draft.columns)),
            }
        )
        spec = draft.spec
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise UserError(f"the model's draft is not a valid request: {reason}") from error
    for name in (spec.columns if spec is not None else None) or ():
        _feature(name, schema)
    return draft


def placeholder(category: Value, column: Column) -> Value:
    """How a prompt calls a category whose text must not enter it: ``"#2"`` for the column's second."""
    known = column.categories or ()
    return f"#{known.index(category) + 1}" if isinstance(category, str) and category in known else category


def _criterion(part: Criterion, schema: TableSchema) -> Criterion:
    column = _feature(part.column, schema)
    is_open = column.kind.is_ordered or (column.kind is Kind.CATEGORICAL and not column.categories)
    values = {
        name: tuple(dict.fromkeys(given if is_open else (_category(value, column) for value in given)))
        for name in ("any_of", "none_of")
        if (given := getattr(part, name)) is not None
    }
    return part.model_copy(update=values)


def _share(part: Share, schema: TableSchema) -> Share:
    column = _feature(part.column, schema)
    return part if column.kind.is_ordered else part.model_copy(update={"category": _category(part.category, column)})


def _category(value: Value, column: Column) -> Value:
    if column.kind is Kind.BOOLEAN:
        if not isinstance(value, bool):
            raise UserError(f"the model's draft gives the yes/no column {column.name!r} the value {value!r}")
        return value
    known, text = column.categories or (), category_text(value)
    if text in known:
        return text
    if text.startswith("#") and text[1:].isdecimal() and 0 < int(text[1:]) <= len(known):
        return known[int(text[1:]) - 1]
    raise UserError(f"the model's draft names a category that {column.name!r} does not have: {text!r}")


def _feature(name: str, schema: TableSchema) -> Column:
    column = schema[name]
    if column.role is not Role.FEATURE:
        raise UserError(f"column {name!r} is not generated, so nothing can be asked of it")
    return column

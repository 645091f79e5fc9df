"""The form that a model at an endpoint fills in: what it is told, the JSON schema, and how its answer is read.

It is told the columns' names, kinds and units, and categories where those are public (the catalogue's own). What it
fills in is checked against the text: a number or a code that neither the text, the rules' reading of it nor the
previous spec holds was made up, and the whole answer is refused.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.cohort.conditions import bare_code
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.conversation.contract import Turn, Understood
from engine.conversation.rules.lexicon import Category, lexicon_for
from engine.conversation.rules.numbers import read_number
from engine.conversation.rules.safety import personal_data
from engine.conversation.rules.tokens import key_of, tokenize
from engine.conversation.rules.wording import phrase, share_phrase
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, TableSchema

_TASK = """You turn a request for a synthetic patient cohort into JSON. Fill in only what the request states.
- "text" repeats the words of the request, exactly as typed.
- Numbers are in the column's unit and stand in the request. Never invent a number.
- "patients": how many; null if the request does not say.
- "demands": one per condition. "include_minimum": false for "over", true for "at least"; likewise the maximum.
- "values": categories, or "yes"/"no" for yes/no columns. "codes": prefixes of ICD-9 codes.
- "excluded": true for "without" and "not".
- "shares": percentages of a category.
- "columns": only if the request names the columns to return; else null.
- "keep": true if the request changes the previous cohort; "drop": columns whose earlier demands go.
- "unread": words of the request that no column can express."""


_MOST_CATEGORIES = 20
_TRUTH = {"yes": True, "true": True, "no": False, "false": False}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Demand(_Strict):
    """One condition of the request."""

    text: str
    column: str
    minimum: float | None
    maximum: float | None
    include_minimum: bool
    include_maximum: bool
    values: list[str]
    codes: list[str]
    excluded: bool


class Proportion(_Strict):
    """A share that the request asks for."""

    text: str
    column: str
    value: str
    percent: float = Field(ge=0, le=100)


class Form(_Strict):
    """The whole answer."""

    patients: int | None
    demands: list[Demand]
    shares: list[Proportion]
    columns: list[str] | None
    keep: bool
    drop: list[str]
    unread: list[str]


def messages(text: str, *, schema: TableSchema, previous: CohortSpec | None) -> list[dict[str, str]]:
    """The conversation that is sent: the task, the columns' names, the previous spec, the text."""
    columns = "\n".join(_told(column) for column in _offered(schema))
    before = "none" if previous is None else json.dumps(sendable(previous, schema).as_json())
    asked = f"Previous cohort: {before}\nRequest: {text}"
    return [{"role": "system", "content": f"{_TASK}\nColumns:\n{columns}"}, {"role": "user", "content": asked}]


def sendable(spec: CohortSpec, schema: TableSchema) -> CohortSpec:
    """``spec`` without demands on columns whose categories were read from patients' rows."""
    public = {one.name for one in schema.features if one.categories_are_public or one.kind is not Kind.CATEGORICAL}
    return spec.model_copy(
        update={
            "criteria": tuple(one for one in spec.criteria if one.column in public),
            "shares": tuple(one for one in spec.shares if one.column in public),
        }
    )


def json_schema(schema: TableSchema) -> dict[str, Any]:
    """The JSON schema of the form, in which a column can only be one of ``schema``."""
    form = Form.model_json_schema()
    names = {"type": "string", "enum": [column.name for column in _offered(schema)]}
    for part in ("Demand", "Proportion"):
        form["$defs"][part]["properties"]["column"] = names
    form["properties"]["drop"]["items"] = names
    form["properties"]["columns"] = {"anyOf": [{"type": "array", "items": names}, {"type": "null"}]}
    return form


def read(content: str, *, text: str, schema: TableSchema, previous: CohortSpec | None, ruled: Turn) -> Turn:
    """The turn that a filled-in form stands for.

    Args:
        content: what the model answered: the form as JSON, and nothing else.
        text: the request.
        schema: the source's columns.
        previous: the spec that a follow-up changes.
        ruled: the rules' turn, whose converted numbers and codes count as stated.

    Raises:
        UserError: it is not the form, or states what the request does not.
    """
    try:
        form = Form.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError("its answer is not the form it was asked for", where=where) from error
    base = previous if previous is not None and form.keep else None
    _check_grounded(form, text, [spec for spec in (base, ruled.spec) if spec is not None])
    entries = [_criterion(part, schema) for part in form.demands]
    shares = [_share(part, schema) for part in form.shares]
    spec = _applied(form, base, [one for _, one in entries], [one for _, one in shares])
    meanings = [Understood(text=said, criterion=one, meaning=phrase(one, schema)) for said, one in entries]
    meanings += [Understood(text=said, share=one, meaning=share_phrase(one, schema)) for said, one in shares]
    unread = tuple(dict.fromkeys(words for words in form.unread if words and words in text))
    return Turn(
        intent="generate" if base is None else "refine", spec=spec, understood=tuple(meanings), not_understood=unread
    )


def _applied(form: Form, base: CohortSpec | None, criteria: list[Criterion], shares: list[Share]) -> CohortSpec:
    before = base or CohortSpec()
    gone = {*form.drop, *(one.column for one in (*criteria, *shares))}
    fields = before.model_dump() | {
        "criteria": (*(one for one in before.criteria if one.column not in gone), *criteria),
        "shares": (*(one for one in before.shares if one.column not in gone), *shares),
        "columns": before.columns if form.columns is None else tuple(dict.fromkeys(form.columns)),
        "patients": before.patients if form.patients is None else form.patients,
    }
    try:
        return CohortSpec(**fields)
    except ValidationError as error:
        raise UserError(f"its answer is no valid request: {_reason(error)}") from error


def _criterion(part: Demand, schema: TableSchema) -> tuple[str, Criterion]:
    column = schema[part.column]
    fields: dict[str, Any] = {
        "minimum": part.minimum, "maximum": part.maximum,
        "include_minimum": part.include_minimum, "include_maximum": part.include_maximum,
    }  # fmt: skip
    if part.codes:
        fields["not_starts_with" if part.excluded else "starts_with"] = tuple(map(bare_code, part.codes))
    values = tuple(_category(value, column, schema) for value in part.values)
    if part.excluded and column.kind is Kind.BOOLEAN and len(values) == 1:
        fields["any_of"] = (not values[0],)  # "without sepsis" is a recorded no, as the rules read it
    elif values:
        fields["none_of" if part.excluded else "any_of"] = values
    try:
        return part.text, Criterion(column=part.column, **fields)
    except ValidationError as error:
        raise UserError(f"its answer is no valid request: {_reason(error)}") from error


def _share(part: Proportion, schema: TableSchema) -> tuple[str, Share]:
    category = _category(part.value, schema[part.column], schema)
    return part.text, Share(column=part.column, category=category, share=round(part.percent / 100, 6))


def _category(value: str, column: Column, schema: TableSchema) -> bool | str:
    """The column's own spelling of ``value``; what it does not have is left for the validator to name."""
    folded = value.strip().casefold()
    if column.kind is Kind.BOOLEAN:
        if folded not in _TRUTH:
            raise UserError(f"its answer gives the yes/no column {column.name!r} another value")
        return _TRUTH[folded]
    known = next((one for one in column.categories or () if one.casefold() == folded), None)
    if known is not None:
        return known
    # A model that is not told the categories uses everyday words: "white" for "Caucasian".
    meant = lexicon_for(schema).phrases.get(key_of(value), {}).get("category")  # pyright: ignore[reportArgumentType]
    listed = meant if isinstance(meant, tuple) else ()
    found = [one.value for one in listed if isinstance(one, Category) and one.column == column.name]
    return found[0] if len(found) == 1 else value


def _check_grounded(form: Form, text: str, specs: list[CohortSpec]) -> None:
    tokens = tokenize(text)
    stated = {read.value for at in range(len(tokens)) if (read := read_number(tokens, at)) is not None}
    codes = [bare_code(text)]
    for spec in specs:
        stated |= {float(spec.patients), *(round(share.share * 100, 4) for share in spec.shares)}
        for one in spec.criteria:
            ends = (one.minimum, one.maximum, *(end for pair in one.ranges or () for end in pair))
            stated |= {float(end) for end in ends if isinstance(end, (int, float))}
            codes += [bare_code(code) for code in (*(one.starts_with or ()), *(one.not_starts_with or ()))]
            codes += [bare_code(code) for pair in one.between_codes or () for code in pair]
    ends = [end for part in form.demands for end in (part.minimum, part.maximum)]
    given = [form.patients, *ends, *(round(part.percent, 4) for part in form.shares)]
    for number in given:
        if number is not None and not any(abs(number - one) <= 1e-9 * max(1.0, abs(one)) for one in stated):
            raise UserError(f"it answered with the number {number:g}, which the request does not hold")
    for code in (code for part in form.demands for code in part.codes):
        if not any(bare_code(code) in one for one in codes if bare_code(code)):
            raise UserError(f"it answered with the code {code[:20]!r}, which the request does not hold")


def _told(column: Column) -> str:
    unit = f", in {column.unit}" if column.unit else ""
    known = (
        column.categories if column.categories_are_public and len(column.categories or ()) <= _MOST_CATEGORIES else ()
    )
    values = f": {', '.join(known)}" if known else ""
    kind = "yes/no" if column.kind is Kind.BOOLEAN else column.kind.value
    return f"{column.name} ({kind}{unit}){values}"


def _offered(schema: TableSchema) -> list[Column]:
    """The columns that may be named: a heading of an uploaded table that names a person stays here."""
    return [one for one in schema.features if one.name.isprintable() and personal_data(one.name) is None]


def _reason(error: ValidationError) -> str:
    return str(error.errors()[0]["msg"]).removeprefix("Value error, ")

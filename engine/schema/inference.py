"""A schema for a table that nobody described: kinds, bounds, categories, patient key, and what must not be learned.

The proposal is shown to a person, who edits it with :func:`edit_schema`; a short JSON form gives the kinds outright.
"""

import re
from typing import Any

import pandas as pd
from pydantic import ValidationError

from engine.core.errors import DataError, UserError
from engine.schema import detection
from engine.schema.linking import link
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from engine.schema.text_values import TextKind, decide, decimals, distinct

_KINDS = {
    TextKind.INTEGER: Kind.INTEGER,
    TextKind.NUMERIC: Kind.NUMERIC,
    TextKind.BOOLEAN: Kind.BOOLEAN,
    TextKind.DATE: Kind.DATE,
}
_PARTS = re.compile(r"(\d+)")
_SECONDS_A_DAY = 86_400
_KEY_DESCRIPTION = "Names the patient; groups rows and is never learned or generated."


def infer_schema(frame: pd.DataFrame) -> TableSchema:
    """The schema that ``frame`` (raw text or typed columns, missing as NA) seems to have.

    Record numbers, direct identifiers, free text and empty columns get ``Role.EXCLUDED`` with a description that says
    why. Bounds and categories are those of the data, so they are not public; a column that the clinical catalogue
    knows takes its label and, if at least 99 % of the values fit the unit, its unit and public bounds.

    Raises:
        DataError: there are no columns, or two of one name.
    """
    _check_names(frame)
    key = detection.patient_key(frame)
    return TableSchema(columns=tuple(_infer(str(name), frame[name], key=key) for name in frame.columns))


def schema_from_json(value: dict[str, Any], frame: pd.DataFrame) -> TableSchema:
    """The schema of ``frame`` that a JSON value asks for.

    ``value`` is a :class:`TableSchema` as JSON, or the short form ``{"columns": {NAME: KIND}}`` whose further keys are
    ignored; the short form is completed with bounds and categories from the data. Columns that are not listed are
    excluded, except that a patient key that is recognised stays the patient key.

    Raises:
        UserError: the value has neither form, or names a column that the table lacks.
        DataError: a column's values are not of its kind.
    """
    _check_names(frame)
    listed = value.get("columns")
    if isinstance(listed, dict):
        schema = _from_short_form(listed, frame)
    elif isinstance(listed, list):
        try:
            schema = TableSchema.model_validate(value)
        except ValidationError as error:
            raise UserError(
                f"the schema is not valid: {_first_fault(error)}", remedy="Correct the schema file."
            ) from error
        _check_present(schema.names, frame)
        conform(frame, schema)
    else:
        raise UserError(
            "the schema has no columns", remedy='Write {"columns": {"age": "integer", "sex": "categorical"}}.'
        )
    key = schema.patient_key or detection.patient_key(frame)
    rest = [str(name) for name in frame.columns if name not in schema]
    return TableSchema(columns=schema.columns + tuple(_unlisted(name, frame[name], key=key) for name in rest))


def edit_schema(
    schema: TableSchema,
    frame: pd.DataFrame,
    *,
    column: str,
    kind: Kind | str | None = None,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    role: Role | str | None = None,
) -> TableSchema:
    """``schema`` with one column changed as a person asked; what is None stays, ``unit=""`` removes the unit.

    Bounds that were both declared count as public; they must hold every value of the data, since a generator would
    otherwise change values silently. Dates take bounds in days since 1970-01-01. A new patient key excludes the old.

    Raises:
        UserError: the column is unknown, its values do not suit the kind, role or bounds (rows are counted).
    """
    old = schema[column]
    _check_present([column], frame)
    values = frame[column]
    new_kind = _kind(kind, column) if kind is not None else old.kind
    new_role = _role(role) if role is not None else old.role
    if new_role is Role.PATIENT_KEY:
        changed = _patient_key(column, values, label=old.label)
        others = [
            other.model_copy(update={"role": Role.EXCLUDED, "description": "Was the patient key."})
            for other in schema.columns
            if other.role is Role.PATIENT_KEY and other.name != column
        ]
        return schema.replace(*others, changed)
    changed = old
    if new_kind is not old.kind or (new_role is Role.FEATURE and old.role is not Role.FEATURE):
        kept = {"label": old.label, "group": old.group, "loinc": old.loinc}
        if new_kind.is_ordered and old.kind.is_ordered:
            kept["unit"] = old.unit
        changed = _with_values(Column(name=column, kind=new_kind, **kept), values)
    changed = changed.model_copy(update={"role": new_role})
    if new_role is Role.EXCLUDED and old.role is not Role.EXCLUDED:
        changed = changed.model_copy(update={"description": "Left out by choice."})
    if unit is not None:
        changed = _with_unit(changed, unit.strip())
    if minimum is not None or maximum is not None:
        changed = _with_bounds(changed, values, minimum=minimum, maximum=maximum)
    return schema.replace(changed)


def _check_names(frame: pd.DataFrame) -> None:
    if not len(frame.columns):
        raise DataError("the table has no columns")
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        position = int(frame.columns.duplicated().argmax())
        raise DataError("two columns have the same name", where=f"column {position + 1}", remedy="Rename one of them.")


def _check_present(names: list[str], frame: pd.DataFrame) -> None:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise UserError(
            f"the table has no column {', '.join(repr(name) for name in absent[:10])}",
            remedy=f"Its columns are: {', '.join(str(name) for name in frame.columns[:40])}.",
        )


def _infer(name: str, values: pd.Series, *, key: str | None) -> Column:
    found = detection.count(values)
    if name == key:
        return _patient_key(name, values)
    if not found.present:
        return _excluded(name, Kind.CATEGORICAL, "Empty: no row has a value.")
    kind, reason = _kind_of(values)
    whole = kind is Kind.INTEGER or bool(reason)
    if detection.is_identifier(name) and kind is not Kind.BOOLEAN and found.distinct > 2:
        return _excluded(name, kind, "Identifies a person directly: left out.")
    if kind is not Kind.DATE and (
        detection.is_record_number(name, values, found, whole=whole) or _is_other_key(name, found)
    ):
        return _excluded(name, kind, "Numbers records, stays or patients: left out.")
    description = ""
    if kind is Kind.INTEGER and detection.is_coded(name, found):
        kind, description = Kind.CATEGORICAL, "Whole numbers used as codes."
    elif reason:
        description = f"Kept as codes and not as numbers: {reason}."
    if kind is Kind.CATEGORICAL:
        why = detection.free_text(values, found)
        if why:
            return _excluded(name, kind, why)
    return link(_with_values(Column(name=name, kind=kind, description=description), values), values)


def _is_other_key(name: str, found: detection.Counts) -> bool:
    return detection.plain(name) in detection.PATIENT_KEYS and found.distinct > max(20, 0.2 * found.present)


def _kind_of(values: pd.Series) -> tuple[Kind, str]:
    """The kind of a column with at least one value and, when digits are kept as codes, why."""
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind):
        return Kind.BOOLEAN, ""
    if pd.api.types.is_datetime64_any_dtype(kind):
        return Kind.DATE, ""
    if pd.api.types.is_numeric_dtype(kind):
        present = values.dropna()
        if not (present % 1 == 0).all():
            return Kind.NUMERIC, ""
        return (Kind.BOOLEAN if set(present.unique().tolist()) == {0, 1} else Kind.INTEGER), ""
    verdict = decide(distinct(values))
    return _KINDS.get(verdict.kind, Kind.CATEGORICAL), verdict.reason


def _with_values(column: Column, values: pd.Series) -> Column:
    """``column`` with what its data says: bounds and decimals, or categories.

    Raises:
        DataError: values are not of the column's kind.
    """
    typed = _distinct_typed(column, values)
    if column.kind is Kind.CATEGORICAL:
        categories = tuple(sorted((str(value) for value in typed.dropna().unique()), key=_natural))
        if len(categories) > detection.MOST_CATEGORIES:
            raise UserError(
                f"column {column.name!r} has {len(categories)} different values, more than the "
                f"{detection.MOST_CATEGORIES} categories that a generator can learn",
                remedy="Group the values in the file, or leave the column out.",
            )
        return column.model_copy(update={"categories": categories})
    if not column.kind.is_ordered or typed.isna().all():
        return column
    if column.kind is Kind.DATE:
        seconds = typed.dropna().astype("int64")
        low, high = int(seconds.min()) // _SECONDS_A_DAY, -(-int(seconds.max()) // _SECONDS_A_DAY)
        return column.model_copy(update={"minimum": float(low), "maximum": float(high)})
    changes: dict[str, Any] = {"minimum": float(typed.min()), "maximum": float(typed.max())}
    if column.kind is Kind.NUMERIC:
        changes["decimals"] = decimals(values)
    return column.model_copy(update=changes)


def _distinct_typed(column: Column, values: pd.Series) -> pd.Series:
    """The distinct present values in the column's type; bounds and categories need no more."""
    schema = TableSchema(columns=(column,))
    present = values.dropna()
    few = pd.Series(present.unique() if present.dtype != object else present.drop_duplicates().to_numpy())
    try:
        return conform(pd.DataFrame({column.name: few}), schema)[column.name]
    except DataError:
        # The message must count rows and name the first, so the whole column says it.
        return conform(pd.DataFrame({column.name: values}), schema)[column.name]


def _natural(text: str) -> list[tuple[int, int | str]]:
    """Sort key that puts ``[5-10)`` before ``[10-20)``."""
    return [(0, int(part)) if part.isdecimal() else (1, part.lower()) for part in _PARTS.split(text) if part]


def _excluded(name: str, kind: Kind, why: str) -> Column:
    return Column(name=name, kind=kind, role=Role.EXCLUDED, description=why)


def _patient_key(name: str, values: pd.Series, *, label: str = "") -> Column:
    unnamed = int(values.isna().sum())
    description = _KEY_DESCRIPTION
    if unnamed:
        description += f" {unnamed} rows have no value: complete or remove them before training."
    return Column(name=name, kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY, label=label, description=description)


def _from_short_form(listed: dict[str, Any], frame: pd.DataFrame) -> TableSchema:
    if not listed:
        raise UserError("the schema lists no columns", remedy='Write {"columns": {"age": "integer"}}.')
    _check_present(list(listed), frame)
    columns = []
    for name, kind in listed.items():
        column = Column(name=name, kind=_kind(kind, name))
        columns.append(link(_with_values(column, frame[name]), frame[name], keep_kind=True))
    return TableSchema(columns=tuple(columns))


def _unlisted(name: str, values: pd.Series, *, key: str | None) -> Column:
    if name == key:
        return _patient_key(name, values)
    kind = _kind_of(values)[0] if values.notna().any() else Kind.CATEGORICAL
    return _excluded(name, kind, "Not listed in the schema.")


def _kind(kind: Any, column: str) -> Kind:
    try:
        return Kind(kind)
    except ValueError as error:
        raise UserError(
            f"column {column!r} cannot be of kind {kind!r}", remedy=f"Kinds are: {', '.join(Kind)}."
        ) from error


def _role(role: Any) -> Role:
    try:
        return Role(role)
    except ValueError as error:
        raise UserError(f"there is no role {role!r}", remedy=f"Roles are: {', '.join(Role)}.") from error


def _with_unit(column: Column, unit: str) -> Column:
    if unit and column.kind not in (Kind.NUMERIC, Kind.INTEGER):
        raise UserError(
            f"column {column.name!r} is {column.kind.value} and takes no unit", remedy="Only quantities have units."
        )
    if len(unit) > 40 or not unit.isprintable():
        raise UserError("a unit has at most 40 printable characters")
    changes: dict[str, Any] = {"unit": unit or None}
    if unit != (column.unit or ""):
        # Reference values of the catalogue hold in the catalogue's unit only.
        changes |= {"reference_low": None, "reference_high": None, "loinc": None, "bounds_are_public": False}
    return column.model_copy(update=changes)


def _with_bounds(column: Column, values: pd.Series, *, minimum: float | None, maximum: float | None) -> Column:
    if not column.kind.is_ordered:
        raise UserError(
            f"column {column.name!r} is {column.kind.value} and has no range",
            remedy="Make it numeric or integer first.",
        )
    low = column.minimum if minimum is None else float(minimum)
    high = column.maximum if maximum is None else float(maximum)
    if low is not None and high is not None and not low <= high:
        raise UserError(
            f"the minimum ({low:g}) of column {column.name!r} is above its maximum ({high:g})",
            remedy="Exchange the two.",
        )
    typed = conform(pd.DataFrame({column.name: values}), TableSchema(columns=(column,)))[column.name].dropna()
    numbers = typed.astype("int64") / _SECONDS_A_DAY if column.kind is Kind.DATE else typed.astype("float64")
    outside = pd.Series(False, index=numbers.index)
    if low is not None:
        outside |= numbers < low
    if high is not None:
        outside |= numbers > high
    if outside.any():
        raise UserError(
            f"{int(outside.sum())} rows of column {column.name!r} lie outside {_text(low)} to {_text(high)}",
            remedy="Widen the range, or correct those rows in the file and upload it again.",
        )
    public = (minimum is not None and maximum is not None) or column.bounds_are_public
    return column.model_copy(update={"minimum": low, "maximum": high, "bounds_are_public": public})


def _text(bound: float | None) -> str:
    return "any value" if bound is None else f"{bound:g}"


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]

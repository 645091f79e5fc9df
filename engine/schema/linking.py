"""What the name of a column tells: its unit (``height_cm``) and, through the clinical catalogue, its meaning.

A name alone proves no unit: ``hemoglobin`` may be recorded in g/dL or g/L. The catalogue's unit, public bounds and
reference range are taken only if the values agree with them.
"""

import re
from typing import Any

import pandas as pd

from engine.schema.catalogue import Concept, catalogue, normalised, unit_key
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.schema.text_values import distinct, every

_SUFFIXES = (
    ("_mmol_l", "mmol/L"), ("_umol_l", "µmol/L"), ("_mg_dl", "mg/dL"), ("_g_dl", "g/dL"), ("_ng_ml", "ng/mL"),
    ("_kg_m2", "kg/m²"), ("_mmhg", "mmHg"), ("_pct", "%"), ("_percent", "%"), ("_cm", "cm"), ("_kg", "kg"),
    ("_years", "years"), ("_months", "months"), ("_days", "days"), ("_hours", "h"), ("_minutes", "min"),
)  # fmt: skip
_LEAST_PLAUSIBLE = 0.99
_FAR_FROM_REFERENCE = 4.0
_YES_NO = re.compile(r"yes|no|y|n|true|false", re.IGNORECASE)
_ICD9 = r"^([0-9]{3,5}|[Vv][0-9]{2,4}|[Ee][0-9]{3,4})$"
_DURATIONS = ("h", "hours", "days")
_QUANTITIES = (Kind.NUMERIC, Kind.INTEGER)


def link(column: Column, values: pd.Series, *, keep_kind: bool = False) -> Column:
    """``column`` with label, group, unit, codes and ranges as far as its name and its values support them.

    Yes and no under a name that the catalogue knows as a flag become a boolean, unless ``keep_kind``.
    """
    unit = named_unit(column.name)
    concept = concept_of(column.name)
    if concept is None or concept.kind in ("key", "excluded"):
        return column.model_copy(update={"unit": unit}) if unit and column.kind in _QUANTITIES else column
    changes: dict[str, Any] = {"label": column.label or concept.label, "group": concept.group}
    if column.kind in _QUANTITIES:
        changes |= _quantity(column, values, concept, unit)
    elif column.kind is Kind.CATEGORICAL and concept.kind == "boolean" and not keep_kind:
        if all(_YES_NO.fullmatch(value) for value in column.categories or ("?",)):
            changes |= {"kind": Kind.BOOLEAN, "categories": None}
    elif column.kind.value == concept.kind:
        changes["loinc"] = concept.loinc
        if concept.code_system == "icd9" and every(distinct(values), _ICD9):
            changes["code_system"] = "icd9"
    return column.model_copy(update=changes)


def named_unit(name: str) -> str | None:
    """The unit at the end of a column's name, or None."""
    return next((unit for suffix, unit in _SUFFIXES if name.lower().endswith(suffix)), None)


def concept_of(name: str) -> Concept | None:
    """The catalogue's concept that a column's name means, with or without a unit at its end; None where it has none."""
    concept = catalogue().find(name)
    if concept is None:
        suffix = next((suffix for suffix, _ in _SUFFIXES if name.lower().endswith(suffix)), None)
        concept = catalogue().find(name[: -len(suffix)]) if suffix else None
    return concept


def _quantity(column: Column, values: pd.Series, concept: Concept, unit: str | None) -> dict[str, Any]:
    if concept.kind not in _QUANTITIES:
        return {"unit": unit}
    if unit is not None and (concept.unit is None or unit_key(unit) != unit_key(concept.unit)):
        return {"unit": unit}
    if concept.plausible is None:
        return {"unit": unit}
    if unit is None and concept.unit in _DURATIONS and normalised(column.name) != normalised(concept.name):
        # A stay of 30 is as plausible in hours as in days.
        return {"description": "State the unit: hours or days."}
    typed = conform(pd.DataFrame({column.name: values}), TableSchema(columns=(column,)))[column.name]
    numbers = typed.dropna().astype("float64")
    if numbers.empty:
        return {"unit": unit}
    inside = float(numbers.between(*concept.plausible).mean())
    if inside < _LEAST_PLAUSIBLE or not _near_reference(numbers, concept):
        if unit is not None:
            return {"unit": unit}
        return {"description": f"The values do not look like {concept.unit or 'the usual unit'}: state the unit."}
    low, high = concept.reference_range() if concept.reference is not None else (None, None)
    return {
        "unit": concept.unit,
        "minimum": concept.plausible[0],
        "maximum": concept.plausible[1],
        "bounds_are_public": True,
        "loinc": concept.loinc,
        "reference_low": low,
        "reference_high": high,
    }


def _near_reference(numbers: pd.Series, concept: Concept) -> bool:
    # Two units often share plausible numbers (mmol/L and mg/dL of cholesterol), hardly ever the usual ones.
    if concept.reference is None:
        return True
    low, high = concept.reference_range()
    return low / _FAR_FROM_REFERENCE <= float(numbers.median()) <= max(high * _FAR_FROM_REFERENCE, high + 1)

"""What the name of a column tells: its unit (``height_cm``) and, through the clinical catalogue, its meaning."""

import pandas as pd

from engine.schema.table import Column, Kind

_SUFFIXES = (
    ("_mmol_l", "mmol/L"), ("_umol_l", "µmol/L"), ("_mg_dl", "mg/dL"), ("_g_dl", "g/dL"), ("_ng_ml", "ng/mL"),
    ("_kg_m2", "kg/m²"), ("_mmhg", "mmHg"), ("_pct", "%"), ("_percent", "%"), ("_cm", "cm"), ("_kg", "kg"),
    ("_years", "years"), ("_months", "months"), ("_days", "days"), ("_hours", "h"), ("_minutes", "min"),
)  # fmt: skip


def link(column: Column, values: pd.Series) -> Column:
    """``column`` with the unit that its name carries."""
    unit = named_unit(column.name)
    if unit and column.kind in (Kind.NUMERIC, Kind.INTEGER):
        return column.model_copy(update={"unit": unit})
    return column


def named_unit(name: str) -> str | None:
    """The unit at the end of a column's name, or None."""
    return next((unit for suffix, unit in _SUFFIXES if name.lower().endswith(suffix)), None)

"""The names of the tables of a comparison, and of its columns for people."""

from engine.schema.table import Column

REAL, HOLDOUT, SYNTHETIC = "real", "holdout", "synthetic"


def label_of(column: Column) -> str:
    """The column's label, or its name in words."""
    return column.label or column.name.replace("_", " ")

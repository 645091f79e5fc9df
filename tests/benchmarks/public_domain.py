"""The split's categories and bounds as public knowledge: those of the whole release, as MST and AIM get them."""

import json
from pathlib import Path

import pandas as pd


def public_schema(kinds: Path, out: Path) -> Path:
    """Write the full schema of the table that ``kinds`` (name to kind) describes; returns ``out``."""
    listed = json.loads(kinds.read_text("utf-8"))["columns"]
    release = pd.read_csv(kinds.with_name("all_first_encounters.csv.gz"), dtype=str, keep_default_na=False)
    columns = []
    for name, kind in listed.items():
        values = release[name][release[name] != ""]
        if kind == "categorical":
            columns.append(
                {"name": name, "kind": kind, "categories": sorted(set(values)), "categories_are_public": True}
            )
        else:
            numbers = pd.to_numeric(values)
            columns.append(
                {
                    "name": name, "kind": kind, "minimum": float(numbers.min()), "maximum": float(numbers.max()),
                    "bounds_are_public": True,
                }
            )  # fmt: skip
    out.write_text(json.dumps({"columns": columns}), encoding="utf-8")
    return out

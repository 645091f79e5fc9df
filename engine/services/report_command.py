"""``evaluate --out``: the comparison as JSON, or as a document in one of its two views."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError, UserError
from engine.core.workspace import read_json, write_json
from engine.schema.table import TableSchema
from engine.storage.tables import read_note

_DOCUMENTS = (".html", ".pdf")


def refuse_unwritable(out: Path | None, view: str) -> None:
    """Refuse what :func:`write` could not write, before minutes are spent on a comparison.

    Raises:
        UserError: the extension is unknown, or the release view is asked for as JSON, which holds real aggregates.
    """
    if out is None:
        return
    if out.suffix not in (".json", *_DOCUMENTS):
        raise UserError(f"--out ({out.name}) must end in .html, .pdf or .json")
    if view == "release" and out.suffix == ".json":
        raise UserError(
            f"--view release cannot be written to {out.name}: the JSON holds aggregates of real patients",
            remedy="Let --out end in .html or .pdf.",
        )


def write(
    result: dict[str, Any],
    out: Path,
    view: str,
    *,
    synthetic: Path,
    made: pd.DataFrame,
    schema: TableSchema,
    spec: CohortSpec,
) -> None:
    """Write the comparison ``result`` of the rows ``made`` (of the file ``synthetic``) as ``out``'s extension says."""
    if out.suffix == ".json":
        write_json(out, result)
        return
    from engine.conversation.rules.wording import describe
    from engine.reports.facts import Facts
    from engine.reports.views import internal, release
    from engine.reports.writing import write as write_document

    picked = (result["chosen_outcome"],) if "chosen_outcome" in result else ()
    facts = Facts(sentence=describe(spec, schema), manifest=_manifest(synthetic), analyses=picked)
    made_report = internal(result, facts) if view == "internal" else release(made, schema, facts)
    write_document(made_report, out)


def _manifest(synthetic: Path) -> dict[str, Any]:
    """The manifest that an export left in the file or beside it; empty where there is none."""
    if synthetic.suffix == ".parquet":
        with suppress(DataError):  # of another program
            return json.loads(read_note(synthetic, "manifest"))
    for path in (synthetic.with_name(f"{synthetic.name}.manifest.json"), synthetic.with_name("manifest.json")):
        if path.is_file():
            return read_json(path)
    return {}

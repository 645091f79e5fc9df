"""``evaluate --out``: the comparison as JSON, or as a document in one of its two views."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError, UserError
from engine.core.workspace import write_json
from engine.export.manifest import read_manifest
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
    rows_in_all: int,
    schema: TableSchema,
    spec: CohortSpec,
) -> None:
    """Write the comparison ``result`` of the rows ``made`` (of the file ``synthetic``) as ``out``'s extension says.

    ``rows_in_all``: how many the file has; ``made`` may be a random part of them.
    """
    if out.suffix == ".json":
        write_json(out, result)
        return
    from engine.conversation.rules.wording import describe
    from engine.reports.facts import Facts
    from engine.reports.views import internal, release
    from engine.reports.writing import write as write_document

    picked = (result["chosen_outcome"],) if "chosen_outcome" in result else ()
    facts = Facts(sentence=describe(spec, schema), manifest=_manifest(synthetic), analyses=picked)
    if view == "internal":
        write_document(internal(result, facts), out)
    else:
        write_document(release(made, schema, facts, rows_in_all=rows_in_all), out)


def _manifest(synthetic: Path) -> dict[str, Any]:
    """The manifest that an export left in the file or beside it; empty where there is none.

    Raises:
        DataError: what lies there cannot be read.
    """
    if synthetic.suffix == ".parquet":
        with suppress(DataError):  # of another program
            return json.loads(read_note(synthetic, "manifest"))
    own = synthetic.with_name(f"{synthetic.name}.manifest.json")
    if own.is_file():
        return read_manifest(own)
    with suppress(DataError):  # none, or of another program: the name is a common one
        return read_manifest(synthetic.with_name("manifest.json"))
    return {}

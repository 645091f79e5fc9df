"""The files that commands name: tables with their schemas, requests, and the folders of models."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError, UserError
from engine.core.progress import Progress
from engine.preparation.pipeline import PreparedTable, prepare_frame
from engine.schema.inference import infer_schema, schema_from_json
from engine.schema.table import Column, Role, TableSchema, conform
from engine.services.shipped import model_folder, names
from engine.sources.csv_upload import read_csv
from engine.storage.tables import read_schema, read_table, row_count, sampled_frame, whole_frame


def prepared_table(
    path: Path, *, schema_path: Path | None, patient_key: str | None, progress: Progress
) -> PreparedTable:
    """The patients of a table: as they are where it carries a schema and none is given, else prepared."""
    if path.suffix == ".parquet" and schema_path is None and patient_key is None:
        try:
            frame, schema = read_table(path)
        except DataError:
            pass  # a parquet file of another program: prepared like a CSV
        else:
            return PreparedTable.of(frame, schema)
    return prepared_file(path, schema_path=schema_path, patient_key=patient_key, progress=progress)


def prepared_file(
    path: Path, *, schema_path: Path | None, patient_key: str | None, progress: Progress
) -> PreparedTable:
    """The patients of a CSV or Parquet file, by the schema in ``schema_path`` or one that is read off the rows."""
    upload = read_csv(path)
    if schema_path is None:
        schema = infer_schema(upload.frame)
    else:
        schema = schema_from_json(json.loads(schema_path.read_text(encoding="utf-8")), upload.frame)
    if patient_key is not None:
        schema = _with_key(schema, patient_key)
    return prepare_frame(upload.frame, schema, source=path.name, progress=progress)


def _with_key(schema: TableSchema, name: str) -> TableSchema:
    def role(column: Column) -> Column:
        if column.name == name:
            return column.model_copy(update={"role": Role.PATIENT_KEY})
        if column.role is Role.PATIENT_KEY:
            return column.model_copy(update={"role": Role.EXCLUDED})
        return column

    schema[name]
    return TableSchema(columns=tuple(role(column) for column in schema.columns))


def aligned(path: Path, schema: TableSchema) -> pd.DataFrame:
    """The rows of a table, conformed to ``schema``."""
    frame = whole_frame(path) if path.suffix == ".parquet" else read_csv(path).frame
    return conform(frame, schema)


def aligned_sample(
    path: Path, schema: TableSchema, limit: int, *, random: np.random.Generator
) -> tuple[pd.DataFrame, int]:
    """At most ``limit`` rows of a table, drawn at random and conformed to ``schema``; and how many it has.

    Of a Parquet file no more than that is held in memory.
    """
    if path.suffix == ".parquet":
        return conform(sampled_frame(path, limit, random=random), schema), row_count(path)
    frame = read_csv(path).frame
    count = len(frame)
    if count > limit:
        frame = frame.iloc[np.sort(random.choice(count, size=limit, replace=False, shuffle=False))]
    return conform(frame, schema), count


def table_of(path: Path) -> tuple[pd.DataFrame, TableSchema]:
    """The rows of a file without a schema, and the schema that is read off them."""
    upload = read_csv(path)
    schema = infer_schema(upload.frame)
    return conform(upload.frame, schema), schema


def read_spec(path: Path) -> CohortSpec:
    """The CohortSpec in a JSON file.

    Raises:
        UserError: the file is not JSON, or not a valid spec; says which field.
    """
    try:
        return validated(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}") from error
    except json.JSONDecodeError as error:
        raise UserError("the spec is not JSON", where=f"{path.name}, line {error.lineno}") from error


def validated(value: dict[str, Any]) -> CohortSpec:
    """The CohortSpec of JSON values.

    Raises:
        UserError: it is not valid; says which field.
    """
    try:
        return CohortSpec.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "spec"
        raise UserError(first["msg"].removeprefix("Value error, "), where=where) from error


def source_schema(source: str | None) -> TableSchema:
    """The columns that requests are understood against: a table, a model, or every column MIMIC-III can give."""
    if source is None:
        from engine.schema.catalogue import catalogue

        return catalogue().mimic3_schema()
    path, _ = named_model(Path(source))
    if path.is_dir():
        return TableSchema.model_validate(json.loads((path / "manifest.json").read_text("utf-8"))["schema"])
    if path.suffix == ".parquet":
        return read_schema(path).released()
    if path.is_file():
        return infer_schema(read_csv(path).frame).released()
    known = "".join(f", {name}" for name in names())
    raise UserError(
        f"there is no source {source!r}",
        remedy=f"Name a table, a model folder{known}, or leave --source out.",
    )


def named_model(model: Path) -> tuple[Path, str]:
    """The folder of a model and what it is called: a folder that was trained, or the name of one that ships."""
    if not model.is_dir() and (shipped := model_folder(str(model))) is not None:
        return shipped, str(model)
    return model, model.name

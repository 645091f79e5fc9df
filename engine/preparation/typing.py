"""From the features of an admission to typed columns: catalogue columns in its order, with public categories."""

import pandas as pd

from engine.preparation.report import Tally
from engine.schema.table import Column, Kind, Role, TableSchema

OTHER = "OTHER"


def with_schema(rows: pd.DataFrame, columns: list[Column], *, tally: Tally) -> tuple[pd.DataFrame, TableSchema]:
    """The columns of ``columns`` that ``rows`` has, typed by category and decimals, and the schema.

    A text that is none of a column's listed categories becomes its "other" category where it has one; otherwise the
    category is added and the list is no longer public. Either way the report counts it.
    """
    table: dict[str, pd.Series] = {}
    typed: list[Column] = []
    for column in columns:
        if column.name not in rows.columns:
            continue
        values = rows[column.name]
        if column.kind is Kind.INTEGER or column.decimals is not None:
            values = values.astype("float64").round(column.decimals or 0)
        if column.kind is Kind.CATEGORICAL and column.role is Role.FEATURE:
            values, column = _categorised(values, column, tally=tally)
        table[column.name] = values
        typed.append(column)
    return pd.DataFrame(table), TableSchema(columns=tuple(typed))


def _categorised(values: pd.Series, column: Column, *, tally: Tally) -> tuple[pd.Series, Column]:
    text = values.astype("object").where(values.notna() & (values.astype("string").str.strip() != ""), float("nan"))
    present = sorted({str(value) for value in text.dropna().unique()})
    if column.categories is None:
        typed = pd.Series(pd.Categorical(text, categories=present), index=values.index)
        return typed, column.model_copy(update={"categories": tuple(present), "categories_are_public": False})
    listed = {category.casefold(): category for category in column.categories}
    other = listed.get(OTHER.casefold())
    spelled = {value: listed.get(value.casefold(), other) for value in present}
    strangers = [value for value, category in spelled.items() if category is None or value.casefold() not in listed]
    categories, public = column.categories, column.categories_are_public
    if strangers:
        count = int(text.isin(strangers).sum())
        if other is None:
            spelled.update({value: value for value in strangers})
            categories, public = (*categories, *strangers), False
            note = f"{count} rows have {len(strangers)} values that the catalogue does not list; they were added."
        else:
            note = f"{count} rows have {len(strangers)} values that the catalogue does not list; they are {other}."
        tally.column(column.name).note = " ".join(filter(None, (tally.column(column.name).note, note)))
    typed = pd.Series(pd.Categorical(text.map(spelled), categories=list(categories)), index=values.index)
    return typed, column.model_copy(update={"categories": categories, "categories_are_public": public})

"""Cells as spreadsheets may read them: text that a spreadsheet would execute is quoted, numbers stay numbers.

See OWASP, "CSV Injection": a cell that begins with one of the signs below is a formula to common spreadsheets.
"""

import pandas as pd

EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def quoted(text: str) -> str:
    """``text`` behind an apostrophe where a spreadsheet would execute it; different texts stay different.

    For that, what already looks quoted gets a further apostrophe: else two columns, or two categories, could become
    one.
    """
    return f"'{text}" if text.lstrip("'").startswith(EXECUTED) else text


def safe(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with harmless text cells and headers; categories are quoted once each, not once per row."""
    columns = {}
    for name in frame.columns:
        series = frame[name]
        if isinstance(series.dtype, pd.CategoricalDtype):
            series = series.cat.rename_categories([quoted(str(category)) for category in series.cat.categories])
        elif series.dtype == object or isinstance(series.dtype, pd.StringDtype):
            series = series.map(lambda value: quoted(value) if isinstance(value, str) else value)
        columns[quoted(str(name))] = series
    return pd.DataFrame(columns)

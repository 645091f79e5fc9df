"""Table 1 as lines of text, for a page, a file or a report."""

from typing import Any

from engine.core.numerals import minus


def lines(table_one: dict[str, Any]) -> list[dict[str, str]]:
    """One line per figure of :func:`engine.evaluation.table_one.table_one`, all with the same keys.

    ``characteristic`` (indented below its column), ``statistic``, one text per table, and ``smd_synthetic`` and
    ``smd_holdout`` on a column's first line.
    """
    tables = list(table_one["tables"])
    out = [{"characteristic": "Rows", "statistic": "n"} | {t: table_one["tables"][t]["text"] for t in tables}]
    for column in table_one["columns"]:
        unit = f" ({column['unit']})" if column["unit"] else ""
        title = {"characteristic": f"{column['label']}{unit}"}
        smd = {f"smd_{t}": _smd_text(figure) for t, figure in column["smd"].items()}
        if column["form"] == "none":
            out.append(title | {"statistic": column["reason"]})
        elif column["form"] == "category":
            out.append(title | {"statistic": "n (%)"} | smd)
            out += [
                {"characteristic": f"  {category['label']}"} | {t: category[t]["text"] for t in tables}
                for category in column["categories"]
            ]
        else:
            shown = [("mean_sd", "mean (SD)"), ("median_iqr", "median [Q1, Q3]")][column["form"] == "date" :]
            for at, (key, name) in enumerate(shown):
                figures = {t: column["tables"][t][key] for t in tables}
                out.append((title | smd if at == 0 else {"characteristic": ""}) | {"statistic": name} | figures)
        if any(column["tables"][t]["missing"]["share"] != 0 for t in tables):
            missing = {t: column["tables"][t]["missing"]["text"] for t in tables}
            out.append({"characteristic": "  missing", "statistic": "n (%)"} | missing)
    keys = ["characteristic", "statistic", *tables, *(f"smd_{t}" for t in tables if t != "real")]
    return [{key: line.get(key, "") for key in keys} for line in out]


def _smd_text(figure: dict[str, Any]) -> str:
    return "not assessable" if figure["value"] is None else minus(f"{figure['value']:.2f}")

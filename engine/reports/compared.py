"""Sections of the internal report that describe: cards, reference, Table 1, distributions, associations, what tells."""

from collections.abc import Callable, Sequence
from typing import Any

from engine.evaluation.table_lines import lines
from engine.reports.content import (
    Block,
    Card,
    Cards,
    Heading,
    Section,
    Table,
    Text,
    Tiles,
    notes,
    number_text,
    value_text,
)
from engine.reports.difference_figures import heat_map, love
from engine.reports.distribution_figures import distribution

_HEADS = {
    "characteristic": "Characteristic",
    "statistic": "Statistic",
    "real": "Real",
    "synthetic": "Synthetic",
    "holdout": "Held-out real",
    "smd_synthetic": "SMD, synthetic",
    "smd_holdout": "SMD, held-out",
}


def section(report: dict[str, Any], name: str, title: str, build: Callable[[Any], Sequence[Block]]) -> Section:
    """The section ``name`` of a comparison, made by ``build`` of its value; or that it is not there, and why."""
    told = report["sections"].get(name, {"state": "pending", "reason": ""})
    if told["state"] == "pending":
        blocks: Sequence[Block] = (Text("Pending: this section was not made yet when the report was.", "absent"),)
    elif told["state"] == "failed":
        blocks = (Text(f"Failed: this section is not there. {told['reason']}", "absent"),)
    else:
        blocks = build(report[name])
    return Section(title, tuple(blocks), on_real_rows=True)


def glance(report: dict[str, Any]) -> Section:
    """The three cards, each with its reference on held-out real patients."""
    found = []
    for card in report["cards"].values():
        is_pending = card["state"] == "pending"
        reference = (
            "Pending: not made yet." if is_pending else card["reference"] or "Hold-out reference: not assessable."
        )
        found.append(
            Card(card["label"], "…" if is_pending else card["value"], reference, card["sentence"], card["meaning"])
        )
    return Section("At a glance", (Cards(tuple(found)),), on_real_rows=True)


def reference(report: dict[str, Any]) -> Section:
    """Which real rows the cohort was compared with, and what to know about it."""
    told = report["reference"]
    blocks: list[Block] = [Text(told["sentence"])]
    parts = [
        ("training part", "train_text"),
        ("hold-out", "holdout_text"),
        ("rows that meet every criterion", "meeting_text"),
    ]
    rows = tuple((f"Real rows, {name}", str(told[key])) for name, key in parts if told.get(key))
    rows += (("Synthetic rows", f"{report['synthetic_rows']:,}"),)
    blocks.append(Table("The rows that are compared", ("Table", "Rows"), rows, wide=(0, 1)))
    minimum = report["small_cell_minimum"]
    blocks.append(
        Text(f"Counts of 1 to {minimum - 1} real patients, and figures that would tell them, are not shown.", "note")
    )
    return Section("What it was compared with", (*blocks, *notes(report["notes"])), on_real_rows=True)


def table_one(report: dict[str, Any]) -> list[Section]:
    """Table 1 with standardised differences, and the Love plot of them."""

    def table(found: dict[str, Any]) -> Sequence[Block]:
        return (table_of_lines(found, "Table 1: real, synthetic and held-out real patients"), *notes(found["notes"]))

    def plot(found: dict[str, Any]) -> Sequence[Block]:
        figure = love(found)
        return (
            (Text("Not assessable: no column has a standardised difference.", "absent"),)
            if figure is None
            else (figure,)
        )

    return [
        section(report, "table_one", "Table 1", table),
        section(report, "table_one", "Standardised differences (Love plot)", plot),
    ]


def table_of_lines(found: dict[str, Any], caption: str, heads: dict[str, str] | None = None) -> Table:
    """Table 1 as a table; ``heads`` by key of :func:`engine.evaluation.table_lines.lines`."""
    made = lines(found)
    heads = {key: title for key, title in (heads or _HEADS).items() if key in made[0]}
    return Table(caption, tuple(heads.values()), tuple(tuple(one[key] for key in heads) for one in made), words=(1,))


def distributions(report: dict[str, Any]) -> Section:
    """A small figure per column, by group, and the columns that are not shown."""
    return section(report, "columns", "Distributions", lambda columns: distribution_blocks(columns))


def distribution_blocks(columns: list[dict[str, Any]], **options: Any) -> list[Block]:
    """Small multiples of column entries under the headings of their groups."""
    blocks: list[Block] = []
    for group in dict.fromkeys(one["group"] or "Other" for one in columns):
        members = [one for one in columns if (one["group"] or "Other") == group]
        blocks.append(Heading(group))
        shown = tuple(distribution(one, **options) for one in members if one["shown"])
        if shown:
            blocks.append(Tiles(shown))
        blocks += notes([f"{one['title']}: not shown. {one['reason']}" for one in members if not one["shown"]])
    return blocks or [Text("Not assessable: the tables share no column.", "absent")]


def associations(report: dict[str, Any]) -> list[Section]:
    """Heat maps of real, synthetic and their difference; and SDMetrics' scores."""

    def maps(found: dict[str, Any]) -> Sequence[Block]:
        if not found.get("titles"):
            few = "Not assessable: there are too few real patients to show associations."
            return (Text(found.get("reason") or few, "absent"),)
        gaps = found["mean_difference"]
        sentence = f"Mean absolute difference over every pair: synthetic {number_text(gaps.get('synthetic'), 3)}"
        for table, name in (("holdout", "held-out real"), ("halves", "real half against half")):
            sentence += f", {name} {number_text(gaps.get(table), 3)}"
        shown = [heat_map(found, which) for which in ("real", "synthetic", "difference")]
        return (Text(f"{sentence}.", "finding"), Text(f"{found['measure']}."), *shown)

    def scores(found: dict[str, Any]) -> Sequence[Block]:
        rows = tuple(
            (one["label"], *(_share(one[table]) for table in ("synthetic", "holdout", "halves")), one["meaning"])
            for one in found["figures"].values()
        )
        heads = ("Score", "Synthetic", "Held-out real", "Real, half against half", "Meaning")
        return (Table("Scores, each beside what real rows reach", heads, rows, wide=(0, 4)), *notes(found["notes"]))

    return [
        section(report, "associations", "Associations", maps),
        section(report, "scores", "Scores of columns and pairs", scores),
    ]


def _share(figure: dict[str, Any]) -> str:
    return "not assessable" if figure["value"] is None else f"{figure['value']:.1%}"


def detection(report: dict[str, Any]) -> Section:
    """How well a classifier tells synthetic from real rows, and by which columns and pairs."""
    return section(report, "detection", "What gives the synthetic rows away", _detection)


def _detection(found: dict[str, Any]) -> Sequence[Block]:
    if found["reason"]:
        return (Text(found["reason"], "absent"),)
    areas = found["auc"]
    blocks: list[Block] = [
        Text(found["sentence"], "finding"),
        Table(
            "Area under the ROC curve; 0.5 is guessing", ("Rows told from the real ones", "AUC [95 % interval]"),
            (("Synthetic", value_text(areas["synthetic"])), ("Held-out real", value_text(areas["holdout"]))),
        ),
    ]  # fmt: skip
    if found["columns"]:
        heads = ("Column", "AUC lost without it", "AUC lost, held-out", "AUC by itself", "AUC by itself, held-out")
        rows = tuple(
            (
                one["label"],
                *(number_text(one[part][table]) for part in ("drop", "alone") for table in ("synthetic", "holdout")),
            )
            for one in found["columns"]
        )
        blocks.append(Table("Columns that tell, the most telling first", heads, rows))
    if found["pairs"]:
        heads = ("Pair", "AUC together", "AUC of each", "AUC together, held-out")
        rows = tuple(
            (" and ".join(one["labels"]), number_text(one["auc"]["synthetic"]),
             " and ".join(number_text(value) for value in one["alone"]), number_text(one["auc"]["holdout"]))
            for one in found["pairs"]
        )  # fmt: skip
        blocks.append(Table("Pairs that tell more than either column", heads, rows))
    return (*blocks, *notes(found["notes"]))

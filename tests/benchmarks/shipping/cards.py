"""The card of a shipped model: what it is, where its people come from, what it may be used for, and how good it is."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.schema.table import TableSchema
from tests.benchmarks.shipping.figures import Score
from tests.benchmarks.shipping.recipes import Recipe

_WIDTH = 120
_TEXTS = Path(__file__).parent / "texts"
SECTIONS = (
    "What it is", "Data and derivations", "Columns", "Licence and citation", "Privacy", "Scores",
    "Figures of the people", "Limits",
)  # fmt: skip


def card(
    recipe: Recipe,
    *,
    fit: Mapping[str, Any],
    schema: TableSchema,
    people: Mapping[str, int],
    scores: Sequence[Score],
    figures: Sequence[Sequence[str]],
    command: str,
) -> str:
    """The card as markdown, with the sections of :data:`SECTIONS` in that order.

    Args:
        recipe: the model's.
        fit: the report of its training.
        schema: of the rows that it draws.
        people: people in ``training`` and in ``holdout``.
        scores: lines about fidelity, usefulness and privacy.
        figures: a table, its header first: label, then one figure per table of rows.
        command: what repeats all of it.
    """
    texts = _texts(recipe.name)
    privacy = fit["privacy"]
    bodies = {
        "What it is": f"{texts['what']}\n\n{len(schema.features)} columns, one row per person.",
        "Data and derivations": texts["data"],
        "Columns": _columns(schema),
        "Licence and citation": f"{recipe.source}. Licence: {recipe.licence}.\n\n{recipe.citation}\n\n{recipe.url}\n\n"
        f"{texts['licence']}",
        "Privacy": _guarantee(privacy) + "\n\n" + texts["privacy"],
        "Scores": _measured(people, command)
        + "\n\n"
        + _table([["Score", "Model", "Held-out people"], *([one.label, one.model, one.reference] for one in scores)]),
        "Figures of the people": texts["figures"] + "\n\n" + _table(figures),
        "Limits": texts["limits"],
    }
    parts = [f"# {recipe.title}", recipe.sentence]
    parts += [f"## {section}\n\n{bodies[section]}" for section in SECTIONS]
    return "\n\n".join(_wrapped(part) for part in parts) + "\n"


def _guarantee(privacy: Mapping[str, Any]) -> str:
    return (
        f"(ε, δ) = ({privacy['epsilon']:.3f}, {privacy['delta']:g})\n\n"
        f"- Unit: one {privacy['unit']} (person), with one row.\n"
        f"- Neighbours: {privacy['neighbours']}.\n"
        f"- Public: {privacy['public']}.\n"
        "- Whatever is drawn from the model, and its private summary, is covered by the same (ε, δ): it costs no more."
    )


def _measured(people: Mapping[str, int], command: str) -> str:
    return (
        f"Of {people['training']:,} people in training; {people['holdout']:,} others were held out, never seen by the "
        "fit. As many rows were drawn as there were people in training and compared by `python -m engine evaluate`; in "
        "brackets 95 % intervals. Scores of real people were computed on the release that everybody can download; they "
        "are not part of what (ε, δ) covers, nor of the model.\n\n"
        f"The whole, from the download to this card, is repeated by\n\n    {command}\n\n"
        "with fresh noise: its key is drawn anew and thrown away, so the figures differ a little each time."
    )


def _columns(schema: TableSchema) -> str:
    return "\n".join(
        f"- `{column.name}`: {column.title}" + (f". {column.description}" if column.description else "")
        for column in schema.features
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *lines = rows
    marked = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in marked)


def _texts(name: str) -> dict[str, str]:
    """The paragraphs that a person wrote for the card, by their headings in ``texts/NAME.md``."""
    parts = (_TEXTS / f"{name}.md").read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}


def _wrapped(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        indent = "  " if line.startswith("- ") else ""
        keep = line.startswith(("|", "#", "    ")) or len(line) <= _WIDTH
        lines.append(line if keep else textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False))
    return "\n".join(lines)

"""A report as one PDF, by typst: the template gets the report as data, so that no text in it is ever markup."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typst

from engine.core.errors import InternalError
from engine.core.workspace import ASSETS
from engine.reports.content import Block, Cards, Figure, Heading, Report, Table, Text, Tiles, breakable, clean

_TEMPLATE = ASSETS / "report.typ"


def as_pdf(report: Report) -> bytes:
    """The file, tagged after PDF/UA-1 (headings, table heads and the figures' sentences are told to screen readers).

    Raises:
        InternalError: the template does not compile.
    """
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        return compiled(report, Path(folder), pdf_standards="ua-1")


def compiled(report: Report, folder: Path, **options: Any) -> Any:
    """What typst makes of the report in the empty ``folder``; ``options`` of ``typst.compile``.

    Raises:
        InternalError: the template does not compile.
    """
    writer = _Writer(folder)
    told = {
        "title": clean(report.title), "about": clean(report.about), "mark": report.mark, "view": report.view,
        "date": report.made_at,
        "sections": [
            {"title": clean(one.title), "marked": one.on_real_rows, "blocks": [writer.block(b) for b in one.blocks]}
            for one in report.sections
        ],
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    (folder / "report.typ").write_bytes(_TEMPLATE.read_bytes())
    try:
        return typst.compile(
            str(folder / "report.typ"), root=str(folder), font_paths=[str(_letters())], ignore_system_fonts=False,
            **options,
        )  # fmt: skip
    except typst.TypstError as error:
        # Its text quotes the template, never the data, but what it says is of use to a developer only.
        raise InternalError("the report could not be set as PDF") from error


def _letters() -> Path:
    """The folder of DejaVu Sans, which the figures are lettered with too."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


class _Writer:
    """Blocks as JSON values; figures become files beside them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._figures = 0

    def block(self, block: Block) -> dict[str, Any]:
        match block:
            case Text(words, role):
                return {"kind": "text", "words": _words(words), "role": role}
            case Heading(words):
                return {"kind": "heading", "words": _words(words)}
            case Table():
                return self._table(block)
            case Figure():
                return {"kind": "figure", **self._figure(block)}
            case Tiles(figures):
                return {"kind": "tiles", "figures": [self._figure(one) for one in figures]}
            case Cards(cards):
                shown = [{name: _words(text) for name, text in asdict(one).items()} for one in cards]
                return {"kind": "cards", "cards": shown}

    def _table(self, table: Table) -> dict[str, Any]:
        return {
            "kind": "table", "caption": _words(table.caption), "wide": list(table.wide), "words": list(table.words),
            "heads": [_words(one) for one in table.heads],
            "rows": [
                {"indented": row[0].startswith("  "), "cells": [_words(one.strip()) for one in row]}
                for row in table.rows
            ],
        }  # fmt: skip

    def _figure(self, figure: Figure) -> dict[str, Any]:
        self._figures += 1
        name = f"figure-{self._figures}.svg"
        (self._folder / name).write_text(figure.svg, encoding="utf-8")
        return {"file": name, "alt": clean(figure.alt), "share": figure.share}


def _words(text: str) -> str:
    return breakable(clean(text))

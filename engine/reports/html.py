"""A report as one HTML file: no script, no request, figures as images inside; readable on a phone and in print."""

from collections.abc import Iterable
from html import escape
from itertools import count
from urllib.parse import quote

from engine.core.workspace import ASSETS
from engine.reports.content import Block, Cards, Figure, Heading, Report, Section, Table, Text, Tiles, clean

_STYLE = ASSETS / "report.css"


def as_html(report: Report) -> str:
    """The document.

    Every text is escaped; figures are SVG inside of images, where nothing in them can run or be requested.
    """
    numbers = count(1)
    body = "\n".join(_section(one, report, next(numbers)) for one in report.sections)
    entries = "".join(
        f'<li><a href="#section-{at}">{_text(one.title)}</a></li>' for at, one in enumerate(report.sections, start=1)
    )
    style = _STYLE.read_text(encoding="utf-8").replace("MARK", _css(report.mark))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{_text(report.title)}</title>
<style>
{style}
</style>
</head>
<body class="{report.view}">
<header>
<p class="banner">{_text(report.mark)}</p>
<p class="about">{_text(report.about)}</p>
<h1>{_text(report.title)}</h1>
<p class="date">Cohort Studio · <time datetime="{_text(report.made_at)}">{_text(report.made_at)}</time></p>
<nav aria-label="Contents"><ol>{entries}</ol></nav>
</header>
<main>
{body}
</main>
<footer><p>{_text(report.mark)}. Not for clinical decisions.</p></footer>
</body>
</html>
"""


def _section(section: Section, report: Report, number: int) -> str:
    mark = f'<p class="mark">{_text(report.mark)}</p>' if section.on_real_rows else ""
    blocks = "\n".join(_block(block, f"table-{number}-{at}") for at, block in enumerate(section.blocks))
    return (
        f'<section id="section-{number}" aria-labelledby="title-{number}">\n'
        f'<h2 id="title-{number}">{_text(section.title)}</h2>{mark}\n{blocks}\n</section>'
    )


def _block(block: Block, name: str) -> str:
    match block:
        case Text(words, role):
            return f'<p class="{role}">{_text(words)}</p>'
        case Heading(words):
            return f"<h3>{_text(words)}</h3>"
        case Table():
            return _table(block, name)
        case Figure():
            return f'<figure class="full" tabindex="0">{_image(block)}</figure>'
        case Tiles(figures):
            return f'<div class="tiles">{_joined(f"<figure>{_image(one)}</figure>" for one in figures)}</div>'
        case Cards(cards):
            return f'<div class="cards">{_joined(_card(one) for one in cards)}</div>'


def _card(card: object) -> str:
    value, reference = (_text(getattr(card, part)) for part in ("value", "reference"))
    label, sentence, meaning = (_text(getattr(card, part)) for part in ("label", "sentence", "meaning"))
    return (
        f'<div class="card"><h3>{label}</h3><p class="value">{value}</p><p class="reference">{reference}</p>'
        f'<p>{sentence}</p><p class="note">{meaning}</p></div>'
    )


def _table(table: Table, name: str) -> str:
    def kind(at: int) -> str:
        return ' class="words wide"' if at in table.wide else ' class="words"' if at in table.words else ""

    heads = _joined(f'<th scope="col"{kind(at)}>{_text(head)}</th>' for at, head in enumerate(table.heads))
    rows = []
    for first, *others in ([clean(cell) for cell in row] for row in table.rows):
        indent = ' class="indented"' if first.startswith("  ") else ""
        # A row without a name goes on with the one above it.
        start = f'<th scope="row"{indent}>{_text(first.strip())}</th>' if first.strip() else "<td></td>"
        cells = _joined(f"<td{kind(at)}>{_text(cell)}</td>" for at, cell in enumerate(others, start=1))
        rows.append(f"<tr>{start}{cells}</tr>")
    # Wider than a phone's screen, it is scrolled by itself; the keyboard has to reach it for that.
    return (
        f'<div class="scrolled" role="group" aria-labelledby="{name}" tabindex="0"><table>'
        f'<caption id="{name}">{_text(table.caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{_joined(rows)}</tbody></table></div>"
    )


def _image(figure: Figure) -> str:
    return f'<img src="data:image/svg+xml,{quote(figure.svg, safe=_UNQUOTED)}" alt="{_text(figure.alt)}">'


_UNQUOTED = " ()*,-./:;=?@_~!$'"
"""What need not be quoted in an attribute between double quotes; quoting it would double the file."""


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _text(words: str) -> str:
    return escape(clean(words), quote=True)


def _css(words: str) -> str:
    return words.replace("\\", "").replace('"', "")

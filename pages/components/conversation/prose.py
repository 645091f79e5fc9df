"""Text with a little Markdown as HTML: paragraphs, lists, quotations, emphasis. Everything else is shown as written.

An answer may repeat names of columns and tables that a stranger chose, so there are no links, images or tags in it.
"""

import html
import re
from collections.abc import Iterable

_ITEM = re.compile(r"(?:[-*•]|\d+[.)])\s+")
_QUOTED = re.compile(r"^[>\s]+")
_MARKS = (
    (re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])"), r"<em>\1</em>"),
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
)


def prose(text: str) -> str:
    """``text`` as HTML."""
    return "".join(_block(kind, lines) for kind, lines in _blocks(text.splitlines()))


def _blocks(lines: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
    """Runs of lines of one kind; a list's or paragraph's line goes on until an empty line or another kind."""
    kind, held = "", []
    for line in (*lines, ""):
        stripped = line.strip()
        of = (
            "" if not stripped
            else "quote" if stripped.startswith(">")
            else "list" if _ITEM.match(stripped)
            else "heading" if stripped.startswith("#")
            else "list" if kind == "list" and line.startswith(" ")
            else "text"
        )  # fmt: skip
        if held and of != kind:
            yield kind, held
            held = []
        kind = of
        if stripped:
            held.append(stripped)


def _block(kind: str, lines: list[str]) -> str:
    if kind == "quote":
        # Every mark at once: a quotation in a quotation is none of its own, or a line of marks would nest without end.
        return f"<blockquote>{prose(chr(10).join(_QUOTED.sub('', line) for line in lines))}</blockquote>"
    if kind == "heading":
        return "".join(f"<p><strong>{html.escape(line.lstrip('#').strip())}</strong></p>" for line in lines)
    if kind == "text":
        return f"<p>{_marked(' '.join(lines))}</p>"
    items: list[str] = []
    for line in lines:
        if found := _ITEM.match(line):
            items.append(line[found.end() :])
        else:
            items[-1] += f" {line}"
    return f"<ul>{''.join(f'<li>{_marked(item)}</li>' for item in items)}</ul>"


def _marked(text: str) -> str:
    escaped = html.escape(text)
    for mark, tag in _MARKS:
        escaped = mark.sub(tag, escaped)
    return escaped

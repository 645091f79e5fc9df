"""Parts of a conversation as HTML. Every text is escaped here; ``style.css`` says how they look."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from engine.conversation.changes import Change
from engine.conversation.contract import Answer, RankedColumn, Turn, Understood
from engine.schema.table import TableSchema
from pages.components.conversation.prose import prose

NOT_KEPT = "(not kept: it named a person)"
_SIGNS = {"added": "+", "changed": "→", "removed": "−"}
_BASIS = {"guideline": "guideline", "association": "association in the data", "cohort": "who the patients are"}
_READERS = {
    "rules": "Read by the rules",
    "llama": "Read by the language model on this machine",
    "endpoint": "Read by the endpoint",
}


def request(text: str | None) -> str:
    """What was typed; a long text scrolls in a box of its own."""
    if text is None:
        return f'<p class="cs-request cs-quiet">{escape(NOT_KEPT)}</p>'
    focusable = ' tabindex="0"' if len(text) > 400 or text.count("\n") > 8 else ""
    return f'<p class="cs-request"{focusable}>{escape(text)}</p>'


def understanding(turn: Turn) -> str:
    """A chip for each stretch that was understood, with what it became, and one for each that was not.

    A stretch that a long text repeats has one chip.
    """
    chips = [_chip(part, times) for part, times in Counter(turn.understood).items()]
    chips += [
        f'<li class="cs-chip cs-lost"><span class="cs-label">not understood</span> <q>{escape(words)}</q></li>'
        for words in dict.fromkeys(turn.not_understood)
    ]
    return f'<ul class="cs-chips" aria-label="What was understood">{"".join(chips)}</ul>' if chips else ""


def _chip(part: Understood, times: int) -> str:
    again = f' <span class="cs-label">{times} times</span>' if times > 1 else ""
    note = f' <span class="cs-note">{escape(part.note)}</span>' if part.note else ""
    return (
        f'<li class="cs-chip"><q>{escape(part.text)}</q> <span class="cs-arrow">→</span> '
        f"<b>{escape(part.meaning)}</b>{note}{again}</li>"
    )


def answer(given: Answer) -> str:
    """An answer: quoted where it has sources, each named."""
    if not given.sources:
        return f'<div class="cs-answer">{prose(given.text)}</div>'
    sources = "".join(f"<li>{escape(one.title)}, {escape(one.section)}</li>" for one in given.sources)
    return (
        f'<div class="cs-answer cs-quoted">{prose(given.text)}</div>'
        f'<ul class="cs-sources" aria-label="Sources">{sources}</ul>'
    )


def ranked(columns: Sequence[RankedColumn], schema: TableSchema) -> str:
    """The ranked columns, each with its reason and source."""
    if not columns:
        return ""
    rows = "".join(
        f"<tr><td>{number}</td><th scope='row'>{escape(_title(one.column, schema))}</th><td>{escape(one.reason)}"
        f"<span class='cs-cited'><span class='cs-basis cs-{one.basis}'>{_BASIS[one.basis]}</span> "
        f"{escape(one.source.title)}, {escape(one.source.section)}</span></td></tr>"
        for number, one in enumerate(columns, 1)
    )
    return (
        '<div class="cs-scroll" tabindex="0" role="region" aria-label="Columns by importance">'
        '<table class="cs-ranked"><thead><tr><th scope="col">No.</th><th scope="col">Column</th>'
        f'<th scope="col">Why, and source</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def difference(found: Sequence[Change], *, title: str) -> str:
    """What a proposal changes in the form."""
    if not found:
        return '<p class="cs-title">The form says this already.</p>'
    lines = "".join(
        f'<li class="cs-{one.kind}"><span class="cs-sign" aria-hidden="true">{_SIGNS[one.kind]}</span>'
        f'<span class="cs-kind">{one.kind}</span><span class="cs-words">{_words(one)}</span></li>'
        for one in found
    )
    return f'<p class="cs-title">{escape(title)}</p><ul class="cs-difference">{lines}</ul>'


def _words(change: Change) -> str:
    before = f"<del>{escape(change.before)}</del>" if change.before else ""
    after = f"<ins>{escape(change.after)}</ins>" if change.after else ""
    return f"{before} → {after}" if before and after else before or after


def notice(turn: Turn) -> str:
    """What should be known about who read the request."""
    return f'<p class="cs-notice">{escape(turn.notice)}</p>' if turn.notice else ""


def origin(turn: Turn, when: str) -> str:
    """Who read the request, how long it took and when."""
    took = f"{turn.seconds:.2f} s" if turn.seconds >= 0.005 else "under 0.01 s"
    return f'<p class="cs-quiet">{_READERS[turn.backend]} in {took} · {escape(when)}</p>'


def progress(said: str) -> str:
    """The explanation so far, while the answer is on its way."""
    return f'<div class="cs-answer" role="status">{prose(said) if said else "<p>Reading the request …</p>"}</div>'


def _title(name: str, schema: TableSchema) -> str:
    return schema[name].title if name in schema else name

"""Texts of the data on the screen, as they are written there."""

import re
from datetime import datetime

from engine.cohort.spec import Value
from engine.core.numerals import minus

_SIGNS = frozenset("\\`*_{}()#+-.!|~<>$:")
_BRACKETS = {"[": "&#91;", "]": "&#93;"}
"""As entities: an escaped bracket still ends a badge's label."""
_LINKED = re.compile(r"\bhttps?:(?=//)|\bwww(?=\.)|@", re.IGNORECASE)
_JOINER = "\N{WORD JOINER}"
"""Takes no room. Addresses are looked for when the escapes are already gone, so that escaping alone stops no link."""


def plain(text: str) -> str:
    """``text`` so that Markdown shows it as it is typed: ``[70-80)`` and ``www.a.org`` link nowhere, ``a*b`` stays."""
    unlinked = _LINKED.sub(lambda found: found.group() + _JOINER, text)
    return "".join(f"\\{sign}" if sign in _SIGNS else _BRACKETS.get(sign, sign) for sign in unlinked)


def told(text: str) -> str:
    """A sentence of the engine as Markdown shows it literally, its negative numbers with a minus sign."""
    return plain(minus(text))


def category_label(category: Value) -> str:
    """A category as the screen writes it."""
    if isinstance(category, bool):
        return "yes" if category else "no"
    return f"{category:.15g}" if isinstance(category, float) else str(category)


def moment(when: datetime) -> str:
    """A moment on this machine's clock."""
    return f"{when.astimezone():%d %b %Y, %H:%M}"

"""Negative numbers on the screen and in charts: one rule for sentences, tables and labels."""

import re

MINUS = "\N{MINUS SIGN}"
_NOTHING = re.compile(r"(?<![\w\])])-(?=0(?:\.0+)?(?![\d.]))")
_NEGATIVE = re.compile(r"(?<![\w\])])-(?=\.?\d)")


def minus(text: str) -> str:
    """``text`` with a minus sign before its negative numbers; what rounds to nothing has no sign.

    Hyphens of words, codes, dates and intervals (``ICD-9``, ``2015-01-01``, ``70-80``, ``1e-05``) stay hyphens.
    """
    return _NEGATIVE.sub(MINUS, _NOTHING.sub("", text))

"""Typed commands of the dialogue itself, which change the form and need no understanding of patients."""

import re

_POLITE = r"(?:please\s+|ok(?:ay)?,?\s+|no,?\s+)?"
_UNDO = r"(?:undo|go back|revert|take (?:that|it) back)(?:\s+(?:that|this|it|the last(?: one| change| step)?))?"
_OVER = r"(?:start(?:ing)? over|start again|start afresh|start from scratch|begin again|clear (?:everything|the form))"
_END = r"(?:,?\s+please)?\s*[.!]*\s*"
_IS_UNDO = re.compile(rf"\s*{_POLITE}{_UNDO}{_END}", re.IGNORECASE)
_IS_START_OVER = re.compile(rf"\s*{_POLITE}{_OVER}{_END}", re.IGNORECASE)


def is_undo(text: str) -> bool:
    """Whether the whole text asks to take the last change back."""
    return _IS_UNDO.fullmatch(text) is not None


def is_start_over(text: str) -> bool:
    """Whether the whole text asks for an empty form; "start over with 500 men" is a request instead."""
    return _IS_START_OVER.fullmatch(text) is not None

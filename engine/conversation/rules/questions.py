"""Questions in the parser's reading of a request; what answers them is :mod:`engine.conversation.knowledge`."""

from engine.conversation.knowledge.answers import find as answer
from engine.conversation.knowledge.answers import is_question, nothing_recorded

__all__ = ["answer", "is_question", "nothing_recorded"]

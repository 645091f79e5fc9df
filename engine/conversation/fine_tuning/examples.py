"""Pairs as a language model sees them: the messages of its prompt, and the draft that it should write."""

from collections.abc import Iterable
from typing import Any

from engine.conversation.fine_tuning.pairs import Pair
from engine.conversation.language_model.draft import draft_of
from engine.conversation.language_model.prompt import messages
from engine.schema.table import TableSchema


def examples(pairs: Iterable[Pair], schema: TableSchema) -> list[dict[str, Any]]:
    """``{"prompt": messages, "completion": [the draft as the assistant's message]}`` for each pair."""
    return [
        {
            "prompt": messages(pair.text, schema=schema, previous=pair.previous),
            "completion": [{"role": "assistant", "content": draft_of(pair.spec, pair.intent)}],
        }
        for pair in pairs
    ]

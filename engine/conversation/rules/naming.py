"""Names of columns and categories as the words that people say."""

import re

from engine.cohort.vocabulary import category_words
from engine.conversation.rules.concepts import concept_of
from engine.conversation.rules.tokens import key_of
from engine.schema.table import Column


def counted(name: str) -> list[str]:
    """What a column of counts counts: ``"num_medications"`` → "medications", "number of medications"."""
    match = re.fullmatch(r"(?:num|number|n|count)_(?:of_)?(\w+)|(\w+)_(?:count|number)", name)
    if match is None:
        return []
    things = spaced(match.group(1) or match.group(2))
    return [things, f"number of {things}"]


def spaced(name: str) -> str:
    """A name as words: ``"HomeHealth"`` → ``"Home Health"``, ``"num_lab_procedures"`` → ``"num lab procedures"``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")


def words_for(column: Column) -> dict[str, tuple[str, ...]]:
    """Category of the catalogue → words; for a column under another name, of the group that most of its own are in."""
    known = category_words().get(concept_of(column) or column.name)
    if known is not None:
        return known
    own = {key_of(spaced(value)) for value in column.categories or ()}
    for words in category_words().values():
        folded = {key_of(text) for category, synonyms in words.items() for text in (category, *synonyms)}
        if len(own & folded) > max(1, len(own) // 2):
            return words
    return {}

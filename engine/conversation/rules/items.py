"""A request as items: stretches of tokens with the parts of speech they can play in it."""

from dataclasses import dataclass, field, replace
from typing import Any

from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.near_titles import reordered_title
from engine.conversation.rules.numbers import read_feet, read_number, read_one
from engine.conversation.rules.spelling import correct
from engine.conversation.rules.titles import long_title_words, longest_title, title_words
from engine.conversation.rules.tokens import GLUE, Token, tokenize

_OPERATORS = {">": ">", "<": "<", ">=": ">=", "<=": "<=", "=": "="}
_LONGEST = 14
_STRONG = frozenset(["category", "column", "condition", "fraction", "equal_shares"])
"""Parts that a title in other words does not take a word from."""


@dataclass(frozen=True)
class Item:
    """Tokens ``first`` to ``last`` (exclusive) of a request, with every part they can play and its meaning there."""

    first: int
    last: int
    parts: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def get(self, part: str) -> Any:
        """The meaning as ``part``; None where it cannot play it (meanings are never None)."""
        return self.parts.get(part)

    def is_(self, *parts: str) -> bool:
        """Whether it can play one of ``parts``."""
        return any(part in self.parts for part in parts)


@dataclass(frozen=True)
class Request:
    """A text with its tokens and items."""

    text: str
    tokens: list[Token]
    items: list[Item]

    def span(self, first: int, last: int) -> str:
        """The exact text of items ``first`` to ``last`` (exclusive)."""
        start = self.tokens[self.items[first].first].start
        end = self.tokens[self.items[last - 1].last - 1].end
        return self.text[start:end]

    def spelled(self, first: int, last: int) -> str:
        """The folded words of items ``first`` to ``last`` (exclusive), as they were meant."""
        return " ".join(token.key for token in self.tokens[self.items[first].first : self.items[last - 1].last])

    def ends_a_sentence(self, at: int) -> bool:
        """Whether the full stop at item ``at`` is no decimal point or abbreviation: a blank or the end follows."""
        end = self.tokens[self.items[at].last - 1].end
        return end >= len(self.text) or self.text[end].isspace()

    def notes(self, first: int, last: int) -> str:
        """The corrections of spelling inside items ``first`` to ``last``."""
        return "; ".join(item.note for item in self.items[first:last] if item.note)


def read_items(text: str, lexicon: Lexicon) -> Request:
    """Cut ``text`` into items: at each place the longest phrase of the lexicon, an ICD-9 title, a number or a code."""
    tokens = tokenize(text)
    keys, notes = _spelled(tokens, lexicon)
    for i in notes:
        tokens[i] = replace(tokens[i], key=keys[i])
    items, at = [], 0
    while at < len(tokens):
        item = _item(tokens, keys, notes, at, lexicon)
        items.append(item)
        at = item.last
    return Request(text, tokens, items)


def _spelled(tokens: list[Token], lexicon: Lexicon) -> tuple[list[str], dict[int, str]]:
    """The tokens' keys with unknown words exchanged for the one known word that is a slip away."""
    keys, notes = [token.key for token in tokens], {}
    printed = 0  # the end of a title as the classification prints it, with its abbreviations
    for i, token in enumerate(tokens):
        if token.kind == "word" and (title := longest_title(keys, i)) is not None:
            printed = max(printed, title[1])
        if token.kind != "word" or i < printed or _known(token.key, lexicon):
            continue
        better = _corrected(token, lexicon)
        if better is not None:
            keys[i], notes[i] = better, f"“{token.text}” was read as “{better}”"
    return keys, notes


def _corrected(token: Token, lexicon: Lexicon) -> str | None:
    written = token.text.lower()
    # "adlts" is a plural of five letters.
    shortest = 4 if len(written) > 4 else 5
    if token.key in title_words():
        # Short titles abbreviate ("emergncy"): only the commonest words are put right there.
        return None if token.key in long_title_words() else correct(token.key, lexicon.core, shortest=shortest)
    # "sepsys" and "stauts" are no plurals, so the word is tried as it is written first; "smoers" folds into "smer".
    for attempt in dict.fromkeys((written, written.removesuffix("s"), token.key)):
        if better := correct(attempt, lexicon.words, preferred=lexicon.core):
            return better
    near = correct(token.key, lexicon.core, shortest=4) if len(token.key) == 4 else None
    return near if near is not None and near[0] == token.key[0] else None


def _known(key: str, lexicon: Lexicon) -> bool:
    return key in lexicon.words or (key,) in lexicon.phrases or (key,) in lexicon.prefixes


def _item(tokens: list[Token], keys: list[str], notes: dict[int, str], at: int, lexicon: Lexicon) -> Item:
    token = tokens[at]
    parts, end = longest_phrase(keys, at, lexicon)
    if (
        parts.keys() & {"upward", "downward"}
        and keys[at] in ("and", "or")
        and (_digits(tokens, end) or keys[end : end + 1] == ["than"])
    ):
        # "65 and below" looks back, "white and below 71" and "and older than 20" look ahead.
        parts, end = lexicon.phrases[(keys[at],)], at + 1
    title = None
    if token.kind == "word" and lexicon.code_column is not None:
        title = longest_title(keys, at) or (reordered_title(keys, at) if not parts.keys() & _STRONG else None)
    if title is not None and title[1] > end:
        # A misspelling is not taken back for a rare title; a title is text as the classification prints it.
        parts, end = {"title": title[0]}, title[1]
    number = read_number(tokens, at) or read_one(keys, at)
    if (inches := read_feet(tokens, at)) is not None:
        return Item(at, inches.end, {"number": inches})  # the sign of the inches follows as the unit
    if number is not None and number.end >= end:
        parts = {**(parts if number.end == end else {}), "number": number}
        end = number.end
    if not number and len(token.text) == 1 and token.text in lexicon.letters and not _after_number(tokens, at):
        parts = {"category": lexicon.letters[token.text]}
    if token.text in lexicon.letters and _is_aged(tokens, at):
        parts = {"category": lexicon.letters[token.text], "aged": ""}
    if not parts and token.kind == "code":
        parts = {"icd": token.text}
    if number is not None and _is_bullet(tokens, at):
        parts = {"bullet": ""}
    if not parts and token.kind == "symbol":
        parts = _symbol(token.key)
    note = "; ".join(notes[i] for i in range(at, max(end, at + 1)) if i in notes)
    return Item(at, max(end, at + 1), parts or {"unknown": token.text}, note)


def _is_bullet(tokens: list[Token], at: int) -> bool:
    """Whether the number only counts the lines of a list: "1. Age 40-80", "2) COPD"."""
    if at + 2 >= len(tokens) or tokens[at + 1].key not in (".", ")") or not tokens[at].text.isdigit():
        return False
    touches = tokens[at + 1].start == tokens[at].end and tokens[at + 2].start > tokens[at + 1].end
    return (
        touches
        and len(tokens[at].text) < 3
        and (at == 0 or tokens[at - 1].key in (":", ";", ".", ",", "(", "-") or tokens[at].opens_line)
    )


def _is_aged(tokens: list[Token], at: int) -> bool:
    """Whether a letter touches an age: "65F", "72M"."""
    before = tokens[at - 1] if at else None
    return (
        before is not None and before.end == tokens[at].start and before.text.isdigit() and 12 < int(before.text) < 111
    )


def _after_number(tokens: list[Token], at: int) -> bool:
    return at > 0 and tokens[at - 1].kind == "number"


def _digits(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].kind == "number"


def _symbol(key: str) -> dict[str, Any]:
    if key == "!=":
        return {"not": ""}
    if key in _OPERATORS:
        return {"operator": _OPERATORS[key], "symbol": key}
    if key in '"”″':
        return {"symbol": key, "unit": "inch"}
    if key in "-~":
        return {"to": "", "symbol": key}
    if key == "+":
        return {"upward": "", "and": "", "symbol": key}
    if key == "&":
        return {"and": "", "symbol": key}
    return {"symbol": key}


def longest_phrase(keys: list[str], at: int, lexicon: Lexicon) -> tuple[dict[str, Any], int]:
    """The parts of the longest phrase of the lexicon that starts at token ``at``, and where it ends (``at``: none)."""
    best: tuple[dict[str, Any], int] = ({}, at)
    key: tuple[str, ...] = ()
    for i in range(at, min(len(keys), at + _LONGEST)):
        if keys[i] in GLUE:
            if i == at:
                break
            continue
        key = (*key, keys[i])
        if key in lexicon.phrases:
            best = (lexicon.phrases[key], i + 1)
        if key not in lexicon.prefixes:
            break
    return best

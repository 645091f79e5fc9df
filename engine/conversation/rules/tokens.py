"""A request as tokens that know their place in the text, and the folding under which words are compared."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

GLUE = frozenset("-–—'/^,()[].&;:\"’")
"""Symbols that may stand inside a phrase without changing it ("non-small-cell", "hemiplegia, unspecified")."""

_TOKEN = re.compile(
    r"""
      (?P<short>w/out\b|w/o\b|(?:y/o|d/c|h/o|s/p|c/o|p/w|a/w|c/w|f/u)\b|w/(?=\s|\w|$)   # w/o, y/o, h/o
        |[A-Za-z](?:\.[A-Za-z])+\.?(?!\w))   # U.S.
    | (?P<code>[A-Za-z]\d{2}[0-9A-Za-z]{0,2}(?:\.[0-9A-Za-z]{1,4})?(?!\w))   # E11.9, V45.81, N18
    | (?P<number>\d{1,3}(?:[,'’\u202f\u00a0]\d{3})+(?:\.\d+)?(?!\d)
        | (?<![\w-])\d{1,3}(?:[ ]\d{3})+(?![.,]?\d) | \d+[.,]\d+ | \d+)
    | (?P<word>[^\W\d_][\w]*(?:['’](?:s|t|re|ve|m|d|ll)\b)?)
    | (?P<symbol>-+>|>=|=>|<=|=<|!=|<>|\S)
    """,
    re.VERBOSE,
)
_DECADE = re.compile(r"(?:twen|thir|for|fif|six|seven|eigh|nine)ties")
_SYMBOLS = {"≥": ">=", "⩾": ">=", "=>": ">=", "≤": "<=", "⩽": "<=", "=<": "<=", "<>": "!=", "–": "-", "—": "-",
            "−": "-", "％": "%"}  # fmt: skip


@dataclass(frozen=True)
class Token:
    """``text[start:end]`` of a request; ``key`` is what is compared."""

    text: str
    key: str
    start: int
    end: int
    kind: Literal["word", "number", "code", "symbol"]
    opens_line: bool = False


def tokenize(text: str) -> list[Token]:
    """The tokens of ``text``, in order; blanks separate and vanish."""
    tokens = []
    for match in _TOKEN.finditer(text):
        group = match.lastgroup or "symbol"
        found = match.group()
        if group == "symbol":
            key = _SYMBOLS.get(found, found)
        elif group == "number":
            key = found
        else:
            key = fold(found)
        kind = "word" if group == "short" else group
        opens = not tokens or "\n" in text[tokens[-1].end : match.start()]
        tokens.append(Token(found, key, match.start(), match.end(), kind, opens))  # type: ignore[arg-type]
    return tokens


@lru_cache(maxsize=50_000)
def fold(word: str) -> str:
    """``word`` without case, accents, possessive and plural endings, in American spelling: "Anaemias" → "anemia"."""
    plain = unicodedata.normalize("NFKD", word.replace("µ", "u").replace("μ", "u"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower().replace("’", "'")
    plain = plain.removesuffix("'s")
    if "." in plain:
        plain = plain.replace(".", "")
    if len(plain) > 4:
        plain = plain.replace("ae", "e").replace("oe", "e").replace("umour", "umor")
    if len(plain) > 4 and plain.endswith("ies") and not _DECADE.fullmatch(plain):
        plain = f"{plain[:-3]}y"
    elif len(plain) > 3 and plain.endswith("s") and not plain.endswith(("ss", "us", "is")):
        plain = plain[:-1]
    return plain


def key_of(phrase: str) -> tuple[str, ...]:
    """The keys of a phrase's tokens without glue: how it is looked up."""
    return tuple(token.key for token in tokenize(phrase) if token.key not in GLUE)

"""Numbers as people write them: 2k, 1,250, 18,5, two thousand, a dozen, 1.5 million."""

import re
from dataclasses import dataclass

from engine.conversation.rules.tokens import Token

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_UNITS = {word: value for value, word in enumerate(_ONES.split(sep=None))}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000,
           "k": 1_000, "mio": 1_000_000, "mn": 1_000_000}  # fmt: skip
_PARTS = {"half": 0.5, "quarter": 0.25, "couple": 2}
_LONGEST = 30
_BEFORE_ONE = frozenset(
    ["at", "than", "over", "least", "most", "for", "under", "exceeding", "beyond", "above", "below", "within"]
)
_TIMES = frozenset(["hour", "day", "week", "month", "year"])
_GROUPED = re.compile(r"\d{1,3}(?:[,'’\u202f\u00a0 ]\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class NumberRead:
    """A number and the index of the token after it; ``code`` is its text where it is one run of digits."""

    value: float
    end: int
    code: str | None = None


def number_words() -> frozenset[str]:
    """The words of which numbers are made."""
    return frozenset((*_UNITS, *_TENS, *_SCALES))


def read_number(tokens: list[Token], at: int) -> NumberRead | None:
    """The number that starts at token ``at``, if one does. A minus that touches its first digit belongs to it."""
    token = tokens[at]
    if token.key == "-" and at + 1 < len(tokens) and tokens[at + 1].kind == "number":
        follows_a_number = at > 0 and tokens[at - 1].kind == "number"
        if tokens[at + 1].start == token.end and not follows_a_number and not _touches(tokens, at):
            inner = read_number(tokens, at + 1)
            return inner and NumberRead(-inner.value, inner.end)
    if token.key == "minus" and at + 1 < len(tokens) and (inner := read_number(tokens, at + 1)) is not None:
        return NumberRead(-inner.value, inner.end)
    if token.kind == "number":
        return _digits(tokens, at)
    if token.kind == "word" and token.text.lower() != "ones":
        return _words(tokens, at)
    return None


def _part_of_a_scale(tokens: list[Token], at: int) -> NumberRead | None:
    """Reads "half a million", "a couple of hundred", "a quarter million"."""
    keys = [token.key for token in tokens[at : at + 5]]
    while keys and keys[0] in ("a", "an"):
        keys, at = keys[1:], at + 1
    if not keys or keys[0] not in _PARTS:
        return None
    skipped = next((i for i, word in enumerate(keys) if i and word not in ("a", "of")), len(keys))
    if skipped >= len(keys) or keys[skipped] not in _SCALES or len(keys[skipped]) < 3:
        return None
    return NumberRead(_PARTS[keys[0]] * _SCALES[keys[skipped]], at + skipped + 1)


def read_feet(tokens: list[Token], at: int) -> NumberRead | None:
    """Reads 6'2" and "5 ft 10 in" as inches, up to the sign of the inches."""
    parts = tokens[at : at + 4]
    if len(parts) < 4 or parts[0].kind != "number" or parts[2].kind != "number":
        return None
    if parts[1].key not in ("'", "’", "′", "ft", "foot", "feet") or parts[3].key not in (
        '"',
        "”",
        "″",
        "in",
        "inch",
        "inche",
    ):
        return None
    if not (parts[0].text.isdigit() and float(parts[2].text.replace(",", ".")) < 12):
        return None
    return NumberRead(12 * float(parts[0].text) + float(parts[2].text.replace(",", ".")), at + 3)


def read_one(keys: list[str], at: int) -> NumberRead | None:
    """The one of "more than a day", "at least an hour", "for a week"."""
    if keys[at] not in ("a", "an") or not 0 < at < len(keys) - 1:
        return None
    return NumberRead(1.0, at + 1) if keys[at - 1] in _BEFORE_ONE and keys[at + 1] in _TIMES else None


def _touches(tokens: list[Token], at: int) -> bool:
    return at > 0 and tokens[at - 1].end == tokens[at].start and tokens[at - 1].kind == "word"


def _digits(tokens: list[Token], at: int) -> NumberRead | None:
    text = tokens[at].text
    if len(text) > _LONGEST:
        return None
    grouped = _GROUPED.fullmatch(text) is not None
    value = float(re.sub(r"[,'’\u202f\u00a0 ]", "", text) if grouped else text.replace(",", "."))
    end = at + 1
    if end < len(tokens) and tokens[end].key in _SCALES and tokens[end].kind == "word":
        scale = tokens[end]
        # "2 k" could be anything; "2k" and "2 thousand" cannot.
        if len(scale.key) > 1 or scale.start == tokens[at].end:
            return NumberRead(value * _SCALES[scale.key], end + 1)
    # "2M" is two million, "65M" a man of 65.
    if end < len(tokens) and tokens[end].text == "M" and value < 13 and tokens[end].start == tokens[at].end:
        return NumberRead(value * 1_000_000, end + 1)
    return NumberRead(value, end, code=text)


def _words(tokens: list[Token], at: int) -> NumberRead | None:
    if (part := _part_of_a_scale(tokens, at)) is not None:
        return part
    total, group, i, seen = 0, 0, at, False
    if tokens[at].key == "a" or tokens[at].key == "an":
        if at + 1 >= len(tokens) or tokens[at + 1].key not in _SCALES or len(tokens[at + 1].key) < 3:
            return None
        group, i = 1, at + 1
    last = i
    while i < len(tokens):
        word = tokens[i].key
        if word in _UNITS:
            group, seen = group + _UNITS[word], True
        elif word in _TENS:
            group, seen = group + _TENS[word], True
        elif word in _SCALES and len(word) > 2 and (seen or group):
            scale = _SCALES[word]
            if scale < 1_000:
                group *= scale
            else:
                total, group = total + group * scale, 0
            seen = True
        elif seen and (word == "-" or (word == "and" and tokens[i - 1].key in _SCALES)):
            following = tokens[i + 1].key if i + 1 < len(tokens) else ""
            if following not in _UNITS and following not in _TENS:
                break
            i += 1
            continue
        else:
            break
        i += 1
        last = i
    return NumberRead(float(total + group), last) if seen else None

"""How people write numbers: digits, separators, words, "2k", "a dozen", fractions."""

from random import Random

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
FRACTIONS = {
    0.5: ("half",), 0.25: ("a quarter", "one quarter"), 0.75: ("three quarters",), 1 / 3: ("a third", "one third"),
    2 / 3: ("two thirds",), 0.2: ("a fifth", "one fifth"), 0.1: ("a tenth", "one tenth"),
}  # fmt: skip
"""A share → words for it."""
DECADES = {20: "twenties", 30: "thirties", 40: "forties", 50: "fifties", 60: "sixties", 70: "seventies",
           80: "eighties", 90: "nineties"}  # fmt: skip

NUMBER_WORDS = frozenset((*_ONES, *_TENS, *DECADES.values(), "hundred", "thousand", "quarter", "quarters"))
"""Words that make a number, alone or with others."""


def in_words(number: int) -> str:
    """``number`` (0 to 999,999) in words: 1,250 is "one thousand two hundred fifty"."""
    if number >= 1000:
        rest = f" {in_words(number % 1000)}" if number % 1000 else ""
        return f"{in_words(number // 1000)} thousand{rest}"
    if number >= 100:
        rest = f" {in_words(number % 100)}" if number % 100 else ""
        return f"{_ONES[number // 100]} hundred{rest}"
    if number >= 20:
        return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    return _ONES[number]


def plain(number: float) -> str:
    """``number`` with the digits that it needs."""
    return f"{number:.10g}"


def count(number: int, random: Random) -> str:
    """A number of patients as somebody may write it."""
    ways = [str(number)] * 6
    if number >= 1000:
        ways += [f"{number:,}"] * 2
        if number % 100 == 0:
            ways += [f"{plain(number / 1000)}k"] * 2
    if number % 1000 == 0:
        ways += [f"{number // 1000} thousand"]
    if number < 100 or number % 100 == 0:
        ways += [in_words(number)]
    if number == 12:
        ways += ["a dozen"] * 3
    return random.choice(ways)


def measured(number: float, random: Random) -> str:
    """A measured value as somebody may write it; decimal commas now and then."""
    if number >= 10_000 and random.random() < 0.5:
        return f"{number:,.10g}"
    text = plain(number)
    return text.replace(".", ",") if random.random() < 0.04 else text


def share(number: float, random: Random) -> str:
    """A share as a percentage or a fraction in words."""
    endless = abs(number * 100 - round(number * 100)) > 1e-6
    if number in FRACTIONS and (endless or random.random() < 0.6):
        return random.choice(FRACTIONS[number])
    percent = plain(round(number * 100, 6))
    return random.choice([f"{percent}%", f"{percent}%", f"{percent} %", f"{percent} percent", f"{percent} per cent"])

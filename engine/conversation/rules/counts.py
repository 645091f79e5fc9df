"""How many patients a request asks for, and the words that act on the whole of the previous spec."""

import re

from engine.cohort.spec import CohortSpec
from engine.conversation.rules.facts import Count, Fact, Population, Proportion, Restart
from engine.conversation.rules.reading import Reading

_NEAR = 7


def count(reading: Reading, at: int) -> Fact | None:
    """Reads "2k patients", "n = 750", "cohort of 300", "500 elderly women"."""
    item = reading.items[at]
    if item.is_("operator"):
        # "at least 500 patients" is a size, not an age.
        following, noun = reading.at(at + 1), reading.at(at + 2)
        if following is None or noun is None or not (following.is_("number") and noun.is_("patients")):
            return None
        value = following.get("number").value
        if item.get("operator") not in (">=", "<=") and value <= 130:
            return None
        return Count(at, at + 3, patients=value)
    if item.is_("size", "patients"):
        i = reading.skip(at + 1, "filler", "to", "size", symbols=":")
        while (sign := reading.at(i)) is not None and sign.get("operator") == "=":
            i += 1
        numbered = reading.at(i)
        if numbered is None or not numbered.is_("number") or (i == at + 1 and item.is_("patients")):
            return None
        if _is_measure(reading, i) or any(part.is_("column") for part in reading.items[at + 1 : i]):
            return None  # "patients aged 45"
        end = i + 1
        if (noun := reading.at(end)) is not None and noun.is_("patients"):
            end += 1
        return Count(at, end, patients=numbered.get("number").value)
    if not item.is_("number") or _is_measure(reading, at):
        return None
    if any(isinstance(fact, Count) for fact in reading.facts):
        return None
    return _before_a_noun(reading, at)


def _is_measure(reading: Reading, at: int) -> bool:
    following = reading.at(at + 1)
    return following is not None and following.is_("unit", "upward", "downward", "to", "plural_s")


def _before_a_noun(reading: Reading, at: int) -> Fact | None:
    number = reading.items[at].get("number")
    # Patients are whole: "1.500 patients" has a dot between its thousands.
    written = number.code or ""
    value = float(written.replace(".", "")) if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", written) else number.value
    if at and reading.items[at - 1].is_("stage"):
        return None
    if len(reading.items) == 1 or at + 1 == len(reading.items):
        told = at == 0 or (value >= 1 and not reading.items[at - 1].is_("unknown", "operator", "to"))
        return Count(at, at + 1, patients=value) if told else None
    for i in range(at + 1, min(len(reading.items), at + 1 + _NEAR)):
        item = reading.items[i]
        if item.is_("patients"):
            last = i + 1 if i == at + 1 else at + 1
            return Count(at, last, patients=value)
        if item.is_("category", "condition"):
            return Count(at, at + 1, patients=value)
        if item.is_("column") and not item.is_("filler", "but"):
            break
        if not item.is_("filler", "category", "condition", "unavailable", "title", "symbol", "all", "unknown"):
            break
    return None


def restart(reading: Reading, at: int) -> Fact | None:
    """Reads "start over"."""
    return Restart(at, at + 1) if reading.items[at].is_("restart") else None


def population(reading: Reading, at: int) -> Fact | None:
    """Reads "based on the US population"."""
    return Population(at, at + 1) if reading.items[at].is_("population_us") else None


def bare_number(reading: Reading, previous: CohortSpec) -> Fact | None:
    """A follow-up of nothing but a number: "make it 20 %" is the last share, "50 is enough" the patients."""
    numbered = [at for at, item in enumerate(reading.items) if item.is_("number")]
    if len(numbered) != 1 or any(item.is_("unknown", "operator") for item in reading.items):
        return None
    named = {name for item in reading.items if not item.is_("filler") for name in item.get("column") or ()}
    if named and not named & {share.column for share in previous.shares}:
        return None
    at, following = numbered[0], reading.at(numbered[0] + 1)
    value = reading.items[at].get("number").value
    if following is not None and following.get("unit") == "%":
        last = next((one for one in reversed(previous.shares) if not named or one.column in named), None)
        if last is None or (isinstance(last.category, (int, float)) and not isinstance(last.category, bool)):
            return None
        return Proportion(at, at + 2, column=last.column, category=last.category, share=value / 100)  # type: ignore[arg-type]
    if following is not None and following.is_("unit"):
        return None
    return Count(at, at + 1, patients=value)

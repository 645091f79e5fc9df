"""Diagnosis codes in requests: ICD-9-CM codes, ranges and chapters, and ICD-10-CM codes mapped to them."""

import re

from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import chapters
from engine.conversation.rules.facts import Demand, Fact, Problem
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.titles import icd9_of_icd10, is_icd9

_ICD9 = re.compile(r"(?:\d{3}|V\d{2}|E\d{3})(?:\.?\d{0,2})?", re.IGNORECASE)
_ICD10 = re.compile(r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?", re.IGNORECASE)
_DOTTED = re.compile(r"\d{3}\.\d{1,2}")


def codes(reading: Reading, at: int) -> Fact | None:
    """The codes, code range or chapter that starts at item ``at``."""
    return _chapter(reading, at) or _cued(reading, at) or _bare(reading, at)


def _chapter(reading: Reading, at: int) -> Fact | None:
    item = reading.items[at]
    i = at
    if item.is_("code") and not item.is_("chapter"):
        i = at + 1
    following = reading.at(i)
    if following is None or not following.is_("chapter"):
        return None
    named = reading.at(i + 1)
    if named is None:
        return None
    text = reading.request.span(i + 1, i + 2).upper()
    chapter = next((chapter for chapter in chapters() if chapter.number == text), None)
    if chapter is None:
        message = f"There is no ICD-9 chapter {text}: chapters are 1 to 17, V and E."
        return Problem(at, i + 2, code="invalid", message=message)
    column = reading.lexicon.code_column
    if column is None:
        return _no_codes(at, i + 2)
    return _demand(reading, at, i + 2, Criterion(column=column.name, between_codes=(chapter.range,)), "")


def _cued(reading: Reading, at: int) -> Fact | None:
    """Reads "ICD-9 code 428", "diagnosis icd9 code is 40391", "codes 410-414", "icd 428, 427.31"."""
    item, column = reading.items[at], reading.lexicon.code_column
    named = column is not None and column.name in (item.get("column") or ())
    if not item.is_("code") and not named:
        return None
    i = reading.skip(at + 1, "code", "filler", "but", "between", symbols=":=()")
    if named and not item.is_("code") and (i >= len(reading.items) or not _valid(_text(reading, i))):
        return None
    return _listed(reading, at, i, cued=True)


def _bare(reading: Reading, at: int) -> Fact | None:
    """Reads "250.00 to 250.93", "E11.9": written so that they can only be codes."""
    item = reading.items[at]
    text = _text(reading, at)
    if item.is_("icd") and (_valid(text) or icd9_of_icd10(text)):
        return _listed(reading, at, at, cued=False)
    following = reading.at(at + 1)
    if not item.is_("number") or not _DOTTED.fullmatch(text) or (following is not None and following.is_("unit")):
        return None
    return _listed(reading, at, at, cued=False) if _valid(text) else None


def _listed(reading: Reading, first: int, at: int, *, cued: bool) -> Fact | None:
    ranges: list[tuple[str, str]] = []
    prefixes: list[str] = []
    notes: list[str] = []
    end, i = first, at
    while (item := reading.at(i)) is not None and item.is_("number", "icd"):
        text = _text(reading, i)
        ahead, beyond = reading.at(i + 1), reading.at(i + 2)
        spans = ahead is not None and (ahead.is_("to") or (ahead.is_("and") and reading.items[i - 1].is_("between")))
        if spans and beyond is not None and beyond.is_("number", "icd"):
            ranges.append((_bare_code(text), _bare_code(_text(reading, i + 2))))
            end = i + 3
        elif _ICD9.fullmatch(text) and _valid(text):
            prefixes.append(_bare_code(text))
            end = i + 1
        elif _ICD10.fullmatch(text) and (mapped := icd9_of_icd10(text)):
            prefixes += mapped
            notes.append(f"ICD-10 {text.upper()} was mapped to ICD-9 {', '.join(mapped[:6])}{' …' * (len(mapped) > 6)}")
            end = i + 1
        elif cued and not prefixes and not ranges:
            message = f"{text} is not an ICD-9-CM code, nor the beginning of one."
            return Problem(first, i + 1, code="invalid", message=message)
        else:
            break
        i = reading.skip(end, "or", "and", symbols=",")
    if not prefixes and not ranges:
        return None
    column = reading.lexicon.code_column
    if column is None:
        return _no_codes(first, end)
    criterion = Criterion(
        column=column.name, starts_with=tuple(dict.fromkeys(prefixes)) or None, between_codes=tuple(ranges) or None
    )
    if prefixes and ranges:
        # One criterion's parts must all hold; a list means any: single codes become ranges of themselves.
        every = (*ranges, *((code, code) for code in prefixes))
        criterion = Criterion(column=column.name, between_codes=every)
    return _demand(reading, first, end, criterion, "; ".join(notes))


def _demand(reading: Reading, first: int, last: int, criterion: Criterion, note: str) -> Demand:
    return Demand(first, last, note, criterion, reading.negated(first, criterion.column, is_flag=True))


def _no_codes(first: int, last: int) -> Problem:
    return Problem(first, last, code="invalid", message="This source has no column of diagnosis codes.")


def _text(reading: Reading, at: int) -> str:
    return reading.request.span(at, at + 1)


def _bare_code(text: str) -> str:
    return text.replace(".", "").upper()


def _valid(text: str) -> bool:
    return bool(_ICD9.fullmatch(text)) and is_icd9(_bare_code(text))

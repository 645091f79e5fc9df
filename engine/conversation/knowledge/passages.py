"""What can be quoted: passages of the cards that ship, each with the card's title and the section it stands in."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from engine.conversation.contract import Source
from engine.core.workspace import ASSETS

ABOUT = "About & privacy"
"""Title of ``assets/about.md``: the page that shows it."""
_ASKED = re.compile(r"<!-- asked: (.*?) -->\n?", re.DOTALL)


@dataclass(frozen=True)
class Passage:
    """A text that is quoted as it stands."""

    card: str
    section: str
    text: str
    asked: str = ""
    """Words in which people ask for it; only searched, never shown."""

    @property
    def source(self) -> Source:
        """Where it stands."""
        return Source(title=self.card, section=self.section)


@lru_cache(maxsize=1)
def cards() -> tuple[Passage, ...]:
    """Every section of ``assets/cards`` and of ``assets/about.md``, text verbatim."""
    found = []
    for path in sorted((ASSETS / "cards").glob("*.md")):
        found += read_card(path)
    asked = yaml.safe_load((ASSETS / "cards" / "asked_of_about.yaml").read_text(encoding="utf-8"))
    about = (ASSETS / "about.md").read_text(encoding="utf-8")
    found += [Passage(ABOUT, heading, text, asked.get(heading, "")) for heading, text in _sections(about, "###")]
    return tuple(found)


def read_card(path: Path) -> list[Passage]:
    """The sections of one card: ``# title``, then ``## section`` each, with the words that ask for it in a comment.

    Raises:
        ValueError: the card has no title or a section without text.
    """
    text = path.read_text(encoding="utf-8")
    title = re.match(r"# (.+)\n", text)
    if title is None:
        raise ValueError(f"{path.name} has no title")
    found = []
    for heading, body in _sections(text, "##"):
        asked = _ASKED.search(body)
        shown = _ASKED.sub("", body).strip()
        if not shown:
            raise ValueError(f"{path.name}: the section {heading!r} is empty")
        found.append(Passage(title.group(1).strip(), heading, shown, asked.group(1) if asked else ""))
    return found


def _sections(text: str, mark: str) -> list[tuple[str, str]]:
    parts = re.split(rf"^{mark} +(.+)$", text, flags=re.MULTILINE)
    return [(heading.strip(), body.strip()) for heading, body in zip(parts[1::2], parts[2::2], strict=True)]

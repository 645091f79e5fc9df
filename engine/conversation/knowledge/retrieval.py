"""Finds the passage that answers a question: BM25 (Robertson and Zaragoza 2009), and how much of it is covered.

Written out here: the package bm25s loads scipy, which has no place in the dashboard's process.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.conversation.knowledge.passages import Passage
from engine.conversation.rules.tokens import fold

_K1, _B = 1.2, 0.75
_TITLE_WEIGHT = 3
_LEAST_LIKE = 0.3
"""Of a passage's score, where none of the phrases that people ask with is like the question."""
_BODY_COVER = 0.5
"""A word that stands only in the text, not among the words that people ask with, covers half of itself."""
_SILENT = frozenset(
    fold(word)
    for word in re.findall(
        r"\w+",
        """a an the of in on at for as by is was are were be been am do does did how what which whom why where
        whose it its this that these those there here i me my you your we us our they them to and or not with from about
        into can could may might will would should shall must have has had if than then so any some more most much many
        everything please tell say explain describe show let know want like give get got make just also anything
        use happen happens handle handled deal built based part need needed require required""",
    )
)
_SAME = {
    "determin": "comput",
    "deriv": "comput",
    "obtain": "comput",
    "calcul": "comput",
    "flagg": "mark",
    "pick": "chos",
    "choos": "chos",
    "select": "chos",
}
"""Words that ask for the same, without their endings."""
_ENDINGS = re.compile(r"(?:ations?|ated|ates?|ings?|ions?|ed|es|er|e|s|ly)$")


@dataclass(frozen=True)
class Hit:
    """A passage with its score and the share of the question's information that it covers, 0 to 1."""

    passage: Passage
    score: float
    coverage: float
    likeness: float
    """To the nearest phrase in which people ask for it, 0 to 1."""


class Index:
    """Passages, ready to be searched."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = list(passages)
        self._titles = [set(terms(f"{one.section} {one.card} {one.asked}")) for one in self._passages]
        self._asked = [[set(terms(words)) for words in (one.section, *one.asked.split(";"))] for one in self._passages]
        self._counts = [
            Counter(terms(f"{one.section} {one.asked}") * _TITLE_WEIGHT + terms(one.text)) for one in self._passages
        ]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._lengths) / max(1, len(self._lengths))
        self._holding = Counter(term for counts, title in zip(self._counts, self._titles, strict=True)
                                for term in counts.keys() | title)  # fmt: skip

    def search(self, text: str) -> list[Hit]:
        """The passages that share a word with ``text``, the best first."""
        asked = list(dict.fromkeys(terms(text)))
        weight = {term: self._weight(term) for term in asked}
        total = sum(weight.values())
        hits = []
        for passage, title, phrases, counts, length in zip(
            self._passages, self._titles, self._asked, self._counts, self._lengths, strict=True
        ):
            score = sum(weight[term] * self._saturated(counts[term], length) for term in asked)
            covered = sum(
                weight[term] * (1 if term in title else _BODY_COVER)
                for term in asked
                if term in counts or term in title
            )
            if covered:
                like = max(self._likeness(weight, phrase) for phrase in phrases)
                hits.append(Hit(passage, score * (_LEAST_LIKE + like), covered / total, like))
        return sorted(hits, key=lambda hit: -hit.score)

    def _likeness(self, weight: dict[str, float], phrase: set[str]) -> float:
        """How alike the question's words and those of one phrase are: shared information over all of it, 0 to 1."""
        shared = sum(value for term, value in weight.items() if term in phrase)
        return shared / (sum(weight.values()) + sum(self._weight(term) for term in phrase - weight.keys()))

    def _weight(self, term: str) -> float:
        holding = self._holding[term]
        return math.log(1 + (len(self._passages) - holding + 0.5) / (holding + 0.5))

    def _saturated(self, count: int, length: int) -> float:
        return count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length / self._mean)) if count else 0.0


def terms(text: str) -> list[str]:
    """The words of ``text`` that carry sense, folded and without endings: "calculated" and "calculation" are one."""
    words = (fold(word) for word in re.findall(r"[^\W_][\w'’]*", text))
    return [_stem(word) for word in words if word not in _SILENT and (len(word) > 1 or not word.isascii())]


def _stem(word: str) -> str:
    word = re.sub(r"is(e|ed|es|ing|ation)$", r"iz\1", word).replace("licence", "license")
    short = _ENDINGS.sub("", word)
    short = short if len(short) >= 4 else word
    return _SAME.get(short, short)

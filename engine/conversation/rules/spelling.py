"""Corrects a misspelt word to the one word of the vocabulary that is a slip of the finger away, or leaves it alone."""

from collections.abc import Collection

from rapidfuzz import process
from rapidfuzz.distance import OSA


def correct(
    word: str, vocabulary: Collection[str], *, shortest: int = 5, preferred: Collection[str] = ()
) -> str | None:
    """The vocabulary's word within one slip of ``word`` (two from eight letters on); None where none or several are.

    A slip is a letter too many, too few, exchanged or swapped with its neighbour (optimal string alignment). Words
    of fewer letters than ``shortest`` are not corrected: too many are one slip from another. Of several words equally
    near, the one that is ``preferred`` is meant.
    """
    if len(word) < shortest or not word.isalpha():
        return None
    allowed = 2 if len(word) >= 8 else 1
    near = process.extract(word, vocabulary, scorer=OSA.distance, score_cutoff=allowed, limit=8)
    if not near:
        return None
    # Abbreviations are not what somebody meant to type: COVID is no misspelt CVID.
    near = [one for one in near if len(one[0]) >= 5]
    if not near:
        return None
    best = near[0][1]
    winners = [found for found, distance, _ in near if distance == best]
    # A slip on the first letter is rare, and a letter is rather left out than put in: "chldren" is no "chldrn".
    if len(winners) > 1:
        winners = [found for found in winners if found[0] == word[0]]
    if len(winners) > 1 and sum(found in preferred for found in winners) == 1:
        winners = [found for found in winners if found in preferred]
    if len(winners) > 1:
        longest = max(map(len, winners))
        winners = [found for found in winners if found[-1] == word[-1] and len(found) == longest]
    return winners[0] if len(winners) == 1 else None

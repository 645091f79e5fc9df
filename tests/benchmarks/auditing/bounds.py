"""What an experiment proves about epsilon: lower bounds that hold with a stated confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.stats import beta, binom

from engine.privacy.gaussian import gaussian_epsilon

CONFIDENCE = 0.95
SHARES_GUESSED = (0.01, 0.05, 0.25, 0.9)
"""Shares of the canaries that are guessed; the best is reported, at a confidence that pays for having tried all."""
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
_MOST = 60.0


def p_value(*, canaries: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """Largest probability of ``correct`` or more right guesses of a mechanism that is (``epsilon``, ``delta``)-DP.

    Steinke, Nasr and Jagielski 2023, "Privacy auditing with one (1) training run", theorem 5.2: at most as many are
    right as heads of coins of probability e^ε/(1 + e^ε), but for what delta adds.
    """
    accuracy = 1 / (1 + math.exp(-epsilon))
    above = float(binom.sf(correct - 1, guesses, accuracy))
    below = binom.pmf(np.arange(correct - 1, -1, -1), guesses, accuracy).cumsum()
    worst = float((below / np.arange(1, correct + 1)).max()) if correct else 0.0
    return min(above + 2 * canaries * delta * worst, 1.0)


def epsilon_of_guesses(
    *, canaries: int, guesses: int, correct: int, delta: float, confidence: float = CONFIDENCE
) -> float:
    """Lower bound on epsilon from how many guesses were right; 0 where they prove nothing."""

    def refuted(epsilon: float) -> bool:
        found = p_value(canaries=canaries, guesses=guesses, correct=correct, epsilon=epsilon, delta=delta)
        return found < 1 - confidence

    if not refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while refuted(high) and high < _MOST:
        low, high = high, high + 1
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class OneRun:
    """The outcome of a one-run audit.

    Attributes:
        bound: lower bound on epsilon.
        canaries: how many were included or not by a coin.
        guesses: how many of them were guessed.
        correct: how many guesses were right.
        gaussian: lower bound on epsilon if every canary is an independent trial of a Gaussian mechanism.
    """

    bound: float
    canaries: int
    guesses: int
    correct: int
    gaussian: float = 0.0


def one_run(scores: np.ndarray, included: np.ndarray, *, delta: float, confidence: float = CONFIDENCE) -> OneRun:
    """The best lower bound from guessing the highest scores to be included and as many of the lowest not to be.

    Args:
        scores: float64 (canaries,), higher where inclusion is more likely.
        included: bool (canaries,), the coins.
        delta: of the claim.
        confidence: of the bound, whichever share of guesses is best.
    """
    order = np.argsort(scores, kind="stable")
    each = 1 - (1 - confidence) / len(SHARES_GUESSED)
    outcomes = []
    for share in SHARES_GUESSED:
        half = max(1, round(share * len(scores) / 2))
        correct = int(included[order[-half:]].sum() + (~included[order[:half]]).sum())
        bound = epsilon_of_guesses(
            canaries=len(scores), guesses=2 * half, correct=correct, delta=delta, confidence=each
        )
        outcomes.append(OneRun(bound, len(scores), 2 * half, correct))
    best = max(outcomes, key=lambda outcome: outcome.bound)
    return replace(best, gaussian=gaussian_trials(scores, included, delta=delta, confidence=confidence))


def gaussian_trials(scores: np.ndarray, included: np.ndarray, *, delta: float, confidence: float = CONFIDENCE) -> float:
    """Lower bound on epsilon from how well thresholds tell included canaries from others.

    Much nearer to the truth than guesses (Nasr et al. 2023, "Tight auditing of differentially private machine
    learning"), but it takes every canary for an independent trial and the mechanism for a Gaussian one: false
    positives and negatives give mu = Φ⁻¹(1 - FPR) - Φ⁻¹(FNR). Thresholds are chosen on a tenth of the canaries.
    """
    trial = len(scores) // 10
    thresholds = np.quantile(scores[:trial], _QUANTILES)
    scores, included = scores[trial:], included[trial:]
    each, normal, best = 1 - (1 - confidence) / len(_QUANTILES), NormalDist(), 0.0
    for threshold in thresholds:
        above = scores > threshold
        # Two one-sided statements, so each interval may err by half.
        positive = share_interval(int(above[~included].sum()), int((~included).sum()), confidence=each)[1]
        negative = share_interval(int((~above[included]).sum()), int(included.sum()), confidence=each)[1]
        if positive < 1 and negative < 1:
            best = max(best, normal.inv_cdf(1 - positive) - normal.inv_cdf(negative))
    return gaussian_epsilon(mu=best, delta=delta) if best > 0 else 0.0


def share_interval(hits: int, tries: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper-Pearson interval of a probability."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, tries - hits + 1))
    high = 1.0 if hits == tries else float(beta.ppf(1 - tail, hits + 1, tries - hits))
    return low, high


def epsilon_of_event(with_patient: Sequence[bool], without: Sequence[bool], *, delta: float) -> float:
    """Lower bound on epsilon from how often an event happens on a table with a patient and without her.

    Both directions of the neighbour relation and the event's complement; each of the four bounds at a quarter of the
    error. The event must have been chosen before.
    """
    best = 0.0
    each = 1 - (1 - CONFIDENCE) / 4
    counts = [(sum(part), len(part)) for part in (with_patient, without)]
    for happens in (True, False):
        hits = [(count if happens else tries - count, tries) for count, tries in counts]
        for (one, tries_one), (other, tries_other) in (hits, hits[::-1]):
            low = share_interval(one, tries_one, confidence=each)[0]
            high = share_interval(other, tries_other, confidence=each)[1]
            if low > delta:
                best = max(best, math.log((low - delta) / high))
    return best

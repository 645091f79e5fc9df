"""How much privacy events cost together, by two independent accountants of which the larger figure counts.

Neighbours: one patient added or removed. Ours is exact for Gaussian mechanisms (:mod:`.gaussian`) and an upper bound
within 0.2 % where patients are sampled (:mod:`.loss_distribution`); the other is Google's (:mod:`.second_accountant`).
A :class:`Threshold` fails with its own delta, so those are taken from delta first and the rest converted (basic
composition of a failure event). That is for the patient's arrival; for her removal, the failure being independent of
all else, the probabilities differ by a factor 1/(1 - delta) more, which adds less than 2 · delta to epsilon.

``quick`` figures are ours alone: the dashboard shows them without loading scipy.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.errors import InternalError, UserError
from engine.privacy.events import (
    Event,
    Gaussian,
    PoissonGaussian,
    Threshold,
    check_delta,
    check_epsilon,
    events_from_json,
    from_json,
)
from engine.privacy.gaussian import gaussian_delta, gaussian_epsilon, largest_mu
from engine.privacy.loss_distribution import sampled_delta, sampled_epsilon

__all__ = [
    "Event", "Gaussian", "PoissonGaussian", "Spent", "Threshold", "delta_of", "epsilon", "events_from_json",
    "from_json", "gaussian_mu", "noise_multiplier", "quick_epsilon",
]  # fmt: skip

_TOLERANCE = 0.01
"""Largest relative difference of the two accountants."""
_TINY = 2e-3
"""Differences below this are the grids' own."""
_LEAST_NOISE = 0.1
"""Less noise than this protects nobody, and a loss distribution that wide cannot be computed."""
_STEP_BACK = 2e-5
_STEPS_BACK = 400


@dataclass(frozen=True)
class Spent:
    """What was spent at ``delta``, by both accountants.

    Attributes:
        epsilon: the larger of the two.
        delta: the delta of the statement, thresholds included.
        ours: by the closed form or our own loss distribution.
        second: by ``dp_accounting``.
    """

    epsilon: float
    delta: float
    ours: float
    second: float


def epsilon(events: Sequence[Event], delta: float) -> Spent:
    """What ``events`` cost together at ``delta``; nothing costs 0.

    Raises:
        UserError: ``delta`` is out of range, or the thresholds leave nothing of it.
        InternalError: the two accountants differ by more than 1 %.
    """
    return _spent(events, delta)


def agreed(ours: float, second: float, *, delta: float) -> Spent:
    """Both figures as one statement.

    Raises:
        InternalError: they differ by more than 1 %: one of them is wrong, and nobody can tell which.
    """
    larger = max(ours, second)
    # Written so that NaN is refused.
    if not abs(ours - second) <= max(_TOLERANCE * larger, _TINY):
        raise InternalError(
            f"two privacy accountants disagree: epsilon {ours:.6g} and {second:.6g} at delta {delta:g}",
            remedy="Nothing is trained or released on such a figure. Please report it with the options used.",
        )
    return Spent(larger, delta, ours, second)


def quick_epsilon(events: Sequence[Event], delta: float) -> float:
    """Epsilon by our own accountant alone, for what is only shown; loads neither scipy nor ``dp_accounting``.

    Raises:
        UserError: ``delta`` is out of range, or the thresholds leave nothing of it.
    """
    noisy = _collected(events)
    left = _left_of(delta, events)
    return _ours(noisy, left) + _removal(events) if noisy else 0.0


def delta_of(events: Sequence[Event], epsilon: float) -> float:
    """The larger of both accountants' delta at ``epsilon``, plus the thresholds'.

    Raises:
        UserError: ``epsilon`` is out of range.
    """
    check_epsilon(epsilon)
    noisy = _collected(events)
    added = _thresholds(events)
    if not noisy:
        return added
    removal = _removal(events)
    if removal >= epsilon:
        raise UserError(f"epsilon ({epsilon:g}) is below what the thresholds cost ({removal:g})")
    epsilon -= removal
    from engine.privacy.second_accountant import second_delta

    sampled, mu = _parts(noisy)
    ours = sampled_delta(sampled, mu=mu, epsilon=epsilon) if sampled else gaussian_delta(mu=mu, epsilon=epsilon)
    return added + max(ours, second_delta(noisy, epsilon=epsilon))


def gaussian_mu(*, epsilon: float, delta: float) -> float:
    """Largest mu for which both accountants find mu-Gaussian-DP to be (``epsilon``, ``delta``)-DP.

    Raises:
        UserError: a value is out of range.
        InternalError: no value satisfies both accountants.
    """
    mu = largest_mu(epsilon=epsilon, delta=delta)
    return 1 / _certified(1 / mu, lambda noise: (Gaussian(noise),), epsilon=epsilon, delta=delta)


def noise_multiplier(
    *, epsilon: float, delta: float, sampling_rate: float, steps: int, others: Sequence[Event] = ()
) -> float:
    """Smallest noise multiplier for which the steps and ``others`` together stay within (``epsilon``, ``delta``).

    Solved before training and certified by both accountants; within about 0.1 % of the smallest.

    Raises:
        UserError: a value is out of range, or ``others`` alone leave nothing.
        InternalError: no value satisfies both accountants.
    """
    check_epsilon(epsilon)
    left = _left_of(delta, others)
    PoissonGaussian(1.0, sampling_rate, steps)
    before = quick_epsilon(others, delta)
    if before >= epsilon:
        raise UserError(
            f"the other measurements cost epsilon {before:.4g} of {epsilon:g} at delta {delta:g} already",
            remedy="Give them less, or ask for a larger epsilon.",
        )

    def events(noise: float) -> tuple[Event, ...]:
        return (*others, PoissonGaussian(noise, sampling_rate, steps))

    def cost(noise: float) -> float:
        return _ours(_collected(events(noise)), left) + _removal(others)

    high, above = 1.0, cost(1.0)
    while above > epsilon:
        high *= 2
        above = cost(high)
        if high > 1e7:
            raise UserError(f"no noise is large enough for epsilon ({epsilon}) beside the other measurements")
    low, below = high, above
    while below <= epsilon and low > _LEAST_NOISE:
        high, above = low, below
        low /= 2
        below = cost(low)
    while high / low > 1.0005:
        # Epsilon is nearly a power of the noise, so the chord in logarithms lands close; kept off the ends of the
        # interval, it cannot stall.
        place = math.log(below / epsilon) / math.log(below / above) if below > epsilon and above > 0 else 0.5
        middle = low * (high / low) ** min(max(place, 0.02), 0.98)
        found = cost(middle)
        if found > epsilon:
            low, below = middle, found
        else:
            high, above = middle, found
    return _certified(high, events, epsilon=epsilon, delta=delta)


def _certified(noise: float, events: Callable[[float], Sequence[Event]], *, epsilon: float, delta: float) -> float:
    """``noise``, raised little by little until both accountants find ``events(noise)`` within the budget."""
    for attempt in range(_STEPS_BACK):
        tried = noise * (1 + _STEP_BACK * attempt * (attempt + 1) / 2)
        if _spent(events(tried), delta).epsilon <= epsilon:
            return tried
    raise InternalError(f"no noise near {noise:.6g} satisfies both accountants at epsilon {epsilon:g}, delta {delta:g}")


def _spent(events: Sequence[Event], delta: float) -> Spent:
    left = _left_of(delta, events)
    noisy = _collected(events)
    if not noisy:
        return Spent(0.0, delta, 0.0, 0.0)
    from engine.privacy.second_accountant import second_epsilon

    ours, removal = _ours(noisy, left), _removal(events)
    return agreed(ours + removal, second_epsilon(noisy, delta=left, about=ours) + removal, delta=delta)


def _ours(noisy: Sequence[Event], delta: float) -> float:
    sampled, mu = _parts(noisy)
    return sampled_epsilon(sampled, mu=mu, delta=delta) if sampled else gaussian_epsilon(mu=mu, delta=delta)


def _parts(noisy: Sequence[Event]) -> tuple[list[PoissonGaussian], float]:
    squares = sum(event.count / event.noise_multiplier**2 for event in noisy if isinstance(event, Gaussian))
    return [event for event in noisy if isinstance(event, PoissonGaussian)], math.sqrt(squares)


def _collected(events: Sequence[Event]) -> list[Event]:
    """The events that add noise, equal ones put together: composition does not ask for the order."""
    plain: dict[float, int] = {}
    sampled: dict[tuple[float, float], int] = {}
    for event in events:
        match event:
            case Gaussian():
                plain[event.noise_multiplier] = plain.get(event.noise_multiplier, 0) + event.count
            case PoissonGaussian(sampling_rate=1):
                plain[event.noise_multiplier] = plain.get(event.noise_multiplier, 0) + event.steps
            case PoissonGaussian():
                key = (event.noise_multiplier, event.sampling_rate)
                sampled[key] = sampled.get(key, 0) + event.steps
    return [
        *(Gaussian(noise, count) for noise, count in plain.items()),
        *(PoissonGaussian(noise, rate, steps) for (noise, rate), steps in sampled.items()),
    ]


def _thresholds(events: Sequence[Event]) -> float:
    return math.fsum(event.delta for event in events if isinstance(event, Threshold))


def _removal(events: Sequence[Event]) -> float:
    """What thresholds add to epsilon: -ln(1 - x) ≤ 2x for x ≤ 1/2."""
    return 2 * _thresholds(events)


def _left_of(delta: float, events: Sequence[Event]) -> float:
    check_delta(delta)
    taken = _thresholds(events)
    if taken >= delta:
        raise UserError(
            f"the thresholds' deltas ({taken:g}) leave nothing of delta ({delta:g})",
            remedy="Give them a smaller share of delta.",
        )
    return delta - taken

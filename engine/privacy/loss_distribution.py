"""Our own accountant for the Poisson-subsampled Gaussian: the distribution of the privacy loss, composed by FFT.

For one step with noise multiplier s and sampling rate q the pair of worst output distributions is, for a patient who is
removed, P = (1-q) N(0, s^2) + q N(1, s^2) against Q = N(0, s^2), and for one who is added Q against P (Zhu, Dong and
Wang 2022, theorem 11). Neighbours stay the same through all steps, so each direction is composed by itself and the
worse of the two counts. With the privacy loss L = log(P/Q) under P, delta(epsilon) = E[max(0, 1 - exp(epsilon - L))],
and the loss of a composition is the sum of independent losses.

The sum is computed as in Gopi, Lee and Wutschitz 2021 (the PRV accountant): each loss is rounded to the *nearest* point
of a grid of width h and shifted by a constant so that its mean is exact. The errors then are independent, centred and
within an interval of length h, so by Hoeffding their sum over n losses exceeds ``t = h sqrt(n log(1/eta) / 2)`` with
probability at most eta, and

    delta(epsilon) <= delta_grid(epsilon - t) + eta.

What is returned is this upper bound; h is chosen so that t is 0.2 % of epsilon. Losses below the grid are moved up to
its lower end and losses above it count as certain failure; a sum that leaves the grid downwards comes back at its upper
end, and the probability of one that leaves it upwards is bounded by Chernoff and added. Each of these errs upwards.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.core.errors import UserError
from engine.privacy.events import PoissonGaussian

SMALLEST_DELTA = 1e-10
"""Below, the rounding of the Fourier transform is no longer negligible beside delta."""
_LARGEST_GRID = 1 << 25
_SHARE = 0.002
"""Of epsilon: how much the discretisation may add to it."""
_FAILURE = 1e-3
"""Of delta: how much the discretisation may take of it."""
_DEVIATIONS = 9.0
_LARGEST_LOSS = 600.0


@dataclass(frozen=True)
class Composition:
    """The composed loss in one direction: the points (n,) of its grid and delta at each, ascending and falling."""

    losses: np.ndarray
    deltas: np.ndarray
    slack: float

    @classmethod
    def of(cls, losses: np.ndarray, probabilities: np.ndarray, *, failure: float, slack: float) -> "Composition":
        """The composition of ``losses`` (n,) with ``probabilities`` (n,), and ``failure`` where there is no bound."""
        # delta(l_j) is the sum over i >= j of p_i (1 - exp(l_j - l_i)): two sums from the top, for all j at once.
        kept = losses > -1
        losses, probabilities = losses[kept], probabilities[kept]
        mass = np.cumsum(probabilities[::-1])[::-1]
        shrunk = np.cumsum((probabilities * np.exp(-losses))[::-1])[::-1]
        return cls(losses, np.maximum(mass - np.exp(losses) * shrunk, 0.0) + failure, slack)

    def delta(self, epsilon: float) -> float:
        """An upper bound on delta at ``epsilon``."""
        place = int(np.searchsorted(self.losses, epsilon - self.slack, side="right")) - 1
        return float(self.deltas[max(place, 0)])

    def epsilon(self, delta: float) -> float:
        """An upper bound on epsilon at ``delta``."""
        place = int(np.argmax(self.deltas <= delta))
        if self.deltas[place] > delta:
            raise UserError(
                f"delta ({delta}) is too small for this accountant", remedy="Choose a larger delta or more noise."
            )
        return max(0.0, float(self.losses[place]) + self.slack)


def sampled_epsilon(sampled: Sequence[PoissonGaussian], *, mu: float, delta: float) -> float:
    """An upper bound, at most about 0.2 % too large, on epsilon of the steps and a mu-Gaussian-DP mechanism together.

    Args:
        sampled: the steps.
        mu: of all plain Gaussian mechanisms together; 0 for none.
        delta: of the statement.

    Raises:
        UserError: ``delta`` is below 1e-10, or the losses are too large for the grid.
    """
    if delta < SMALLEST_DELTA:
        raise UserError(f"delta ({delta}) must be at least {SMALLEST_DELTA} where patients are sampled")
    target = 0.05
    while True:
        found = max(one.epsilon(delta) for one in _compositions(sampled, mu, slack=target, eta=_FAILURE * delta))
        wanted = _SHARE * max(found - target, found / 4, 0.01)
        if target <= 1.5 * wanted:
            return found
        target = wanted


def sampled_delta(sampled: Sequence[PoissonGaussian], *, mu: float, epsilon: float) -> float:
    """An upper bound on delta of the steps and a mu-Gaussian-DP mechanism together; see :func:`sampled_epsilon`."""
    slack = _SHARE / 2 * max(epsilon, 0.02)
    return max(one.delta(epsilon) for one in _compositions(sampled, mu, slack=slack, eta=SMALLEST_DELTA / 10))


def _compositions(
    sampled: Sequence[PoissonGaussian], mu: float, *, slack: float, eta: float
) -> tuple[Composition, Composition]:
    losses = sum(event.steps for event in sampled) + (mu > 0)
    width = slack / math.sqrt(losses * math.log(1 / eta) / 2)
    return (
        _composed(sampled, mu, removed=True, width=width, slack=slack, eta=eta),
        _composed(sampled, mu, removed=False, width=width, slack=slack, eta=eta),
    )


def _composed(
    sampled: Sequence[PoissonGaussian], mu: float, *, removed: bool, width: float, slack: float, eta: float
) -> Composition:
    parts = [_Part.sampled(event, removed=removed) for event in sampled]
    if mu > 0:
        parts.append(_Part.gaussian(mu))
    mean = sum(part.count * part.mean for part in parts)
    deviation = math.sqrt(sum(part.count * part.variance for part in parts))
    reach = max(abs(mean) + _DEVIATIONS * deviation, *(part.reach for part in parts), 1.0)
    while True:
        half = math.ceil(reach / width)
        if 2 * half > _LARGEST_GRID or reach > _LARGEST_LOSS:
            raise UserError(
                "these mechanisms lose more privacy than can be accounted for",
                remedy="Use more noise, fewer steps or a smaller sampling rate.",
            )
        size = 1 << (2 * half).bit_length()
        start = -(size // 2)
        grid = (start + np.arange(size)) * width
        spectrum: np.ndarray | None = None
        shift, failure = 0.0, eta
        for part in parts:
            probabilities, beyond, moved = part.on_grid(grid, width)
            shift += part.count * moved
            failure += part.count * beyond
            # The grid's zero is put first, so that the transform of a sum is the product of the transforms.
            transformed = np.fft.rfft(np.roll(probabilities, start)) ** part.count
            spectrum = transformed if spectrum is None else spectrum * transformed
        escaped = _chernoff(parts, bound=float(grid[-1]), width=width, deviation=deviation)
        if escaped <= eta:
            break
        reach *= 1.5
    if spectrum is None:
        raise UserError("nothing was composed")
    probabilities = np.roll(np.fft.irfft(spectrum, size), -start)
    return Composition.of(grid + shift, np.maximum(probabilities, 0.0), failure=failure + escaped, slack=slack)


@dataclass(frozen=True)
class _Part:
    """One loss variable, repeated ``count`` times, with its cumulative and survival functions of thresholds (n,)."""

    count: int
    mean: float
    variance: float
    reach: float
    cumulative: Callable[[np.ndarray], np.ndarray]
    survival: Callable[[np.ndarray], np.ndarray]
    log_moment: Callable[[float], float]
    """log E[exp(t L)] by t."""

    @classmethod
    def gaussian(cls, mu: float) -> "_Part":
        """The loss of mu-Gaussian-DP: normal with mean mu^2/2 and variance mu^2 (Dong, Roth and Su 2022)."""
        mean = mu * mu / 2
        return cls(
            1, mean, mu * mu, mean + _DEVIATIONS * mu,
            lambda losses: _normal((losses - mean) / mu), lambda losses: _normal((mean - losses) / mu),
            lambda tilt: tilt * mean + (tilt * mu) ** 2 / 2,
        )  # fmt: skip

    @classmethod
    def sampled(cls, event: PoissonGaussian, *, removed: bool) -> "_Part":
        """The loss of one step in one direction."""
        s, q = event.noise_multiplier, event.sampling_rate

        # The trapezoid rule is exact to rounding for such analytic functions on the whole line.
        x = np.linspace(-12 * s, 1 + 12 * s, 24_001)
        step = (x[1] - x[0]) / (s * math.sqrt(2 * math.pi))
        base, moved = step * np.exp(-0.5 * (x / s) ** 2), step * np.exp(-0.5 * ((x - 1) / s) ** 2)
        loss = np.logaddexp(math.log1p(-q) if q < 1 else -np.inf, math.log(q) + (2 * x - 1) / (2 * s * s))
        weight, value = ((1 - q) * base + q * moved, loss) if removed else (base, -loss)
        mean = float(np.dot(weight, value))
        variance = float(np.dot(weight, (value - mean) ** 2))
        # One step's losses beyond this have a probability below that of nine standard deviations.
        reach = float(max(abs(loss[0]), np.logaddexp(0.0, math.log(q) + (1 + 2 * _DEVIATIONS * s) / (2 * s * s))))

        def output(losses: np.ndarray) -> np.ndarray:
            """The output x at which log(P/Q) reaches each loss; -inf where it always lies above."""
            out = np.full(losses.shape, -np.inf)
            large = losses > 1
            out[large] = losses[large] + np.log1p(-(1 - q) * np.exp(-losses[large]))
            ratio = np.expm1(np.minimum(losses, 1.0)) + q
            small = ~large & (ratio > 0)
            out[small] = np.log(ratio[small])
            return s * s * (out - math.log(q)) + 0.5

        def cumulative(losses: np.ndarray) -> np.ndarray:
            if not removed:
                return _normal(-output(-losses) / s)
            at = output(losses)
            return (1 - q) * _normal(at / s) + q * _normal((at - 1) / s)

        def survival(losses: np.ndarray) -> np.ndarray:
            if not removed:
                return _normal(output(-losses) / s)
            at = output(losses)
            return (1 - q) * _normal(-at / s) + q * _normal((1 - at) / s)

        def log_moment(tilt: float) -> float:
            top = float(value.max())
            return tilt * top + math.log(float(np.dot(weight, np.exp(tilt * (value - top)))))

        return cls(event.steps, mean, variance, reach, cumulative, survival, log_moment)

    def on_grid(self, grid: np.ndarray, width: float) -> tuple[np.ndarray, float, float]:
        """Probabilities of the grid's points (n,), that of losses above it, and the shift that makes the mean exact."""
        edges = np.append(grid - width / 2, grid[-1] + width / 2)
        below, above = self.cumulative(edges), self.survival(edges)
        # Differences of numbers near 1 would leave only noise in the upper tail, which is what delta is made of.
        probabilities = np.where(below[1:] < 0.5, np.diff(below), -np.diff(above))
        probabilities = np.maximum(probabilities, 0.0)
        probabilities[0] += below[0]
        return probabilities, float(above[-1]), self.mean - float(np.dot(probabilities, grid))


def _chernoff(parts: Sequence[_Part], *, bound: float, width: float, deviation: float) -> float:
    """An upper bound on the probability that the sum of the losses on the grid exceeds ``bound``."""
    best = 0.0
    for tilt in np.geomspace(0.1, 50, 20).tolist():
        tilt /= max(deviation, 1e-3)
        # A loss moves by half a width at most, and the mass below the grid, moved up to -bound, adds next to nothing.
        exponent = sum(
            part.count * (float(np.logaddexp(part.log_moment(tilt), -tilt * bound)) + tilt * width / 2)
            for part in parts
        )
        best = min(best, exponent - tilt * bound)
    return math.exp(best)


def _normal(z: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, with full relative precision in its lower tail."""
    # math.erfc keeps scipy out of the dashboard's process; beyond 38 it is 0 or 2 anyway.
    scaled = np.clip(z, -38.0, 38.0) / -math.sqrt(2)
    inside = np.abs(z) < 38.0
    out = np.where(z > 0, 1.0, 0.0)
    values = scaled[inside].tolist()
    out[inside] = 0.5 * np.fromiter(map(math.erfc, values), float, len(values))
    return out

"""The privacy of Gaussian mechanisms in closed form, with nothing but :mod:`math`.

A Gaussian measurement of noise multiplier s is mu-Gaussian-DP with mu = 1/s, and any number of them together exactly
with mu = sqrt(sum of 1/s^2) (Dong, Roth and Su 2022, corollary 3.3). Its privacy profile is

    delta(epsilon) = Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu)

(Balle and Wang 2018, theorem 8). The same for a patient added as for one removed.
"""

import math

from engine.core.errors import UserError
from engine.privacy.events import check_delta, check_epsilon

_ROUNDS = 200
_ASYMPTOTIC = 25.0


def gaussian_delta(*, mu: float, epsilon: float) -> float:
    """Smallest delta at which mu-Gaussian-DP holds with ``epsilon`` (0 allowed); 0 where it is below what floats hold.

    Raises:
        UserError: ``mu`` is not positive, or ``epsilon`` negative.
    """
    if not (mu > 0 and math.isfinite(mu)):
        raise UserError(f"mu ({mu}) must be a positive finite number")
    if not epsilon >= 0:
        raise UserError(f"epsilon ({epsilon}) must not be negative")
    low = epsilon / mu - mu / 2
    if low < 0:
        return 0.5 * math.erfc(low / math.sqrt(2)) - _density(low) * _mills(low + mu)
    # Both terms carry the same tiny density; taken out, neither overflows nor underflows before the difference.
    return _density(low) * (_mills(low) - _mills(low + mu))


def gaussian_epsilon(*, mu: float, delta: float) -> float:
    """Smallest epsilon (0 allowed) at which mu-Gaussian-DP holds with ``delta``, rounded up in its last digits.

    Raises:
        UserError: a value is out of range.
    """
    check_delta(delta)
    if gaussian_delta(mu=mu, epsilon=0.0) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while gaussian_delta(mu=mu, epsilon=high) > delta:
        low, high = high, 2 * high
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if gaussian_delta(mu=mu, epsilon=middle) > delta else (low, middle)
    return high


def largest_mu(*, epsilon: float, delta: float) -> float:
    """Largest mu whose Gaussian-DP is (``epsilon``, ``delta``)-DP, rounded down in its last digits.

    Raises:
        UserError: a value is out of range.
    """
    check_epsilon(epsilon)
    check_delta(delta)
    low, high = 0.0, 1.0
    while gaussian_delta(mu=high, epsilon=epsilon) <= delta:
        low, high = high, 2 * high
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if gaussian_delta(mu=middle, epsilon=epsilon) <= delta else (low, middle)
    if low == 0:
        raise UserError(f"no noise is large enough for epsilon ({epsilon}) and delta ({delta})")
    return low


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _mills(x: float) -> float:
    """(1 - Phi(x)) / phi(x) for ``x`` above about -30 (Mills' ratio)."""
    if x < _ASYMPTOTIC:
        return 0.5 * math.erfc(x / math.sqrt(2)) / _density(x)
    # erfc would underflow; Laplace's continued fraction has converged to all digits here after a few terms.
    value = x
    for term in range(30, 0, -1):
        value = x + term / value
    return 1 / value

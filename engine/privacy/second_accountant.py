"""The second opinion: Google's ``dp_accounting`` (loss distributions by connect-the-dots, Doroshenko et al. 2022).

It shares no code and no method with :mod:`engine.privacy.loss_distribution`. Importing it takes half a second and loads
scipy, so only the worker and the command line do, inside these functions.
"""

from collections.abc import Sequence
from typing import Any

from engine.privacy.events import Event, Gaussian, PoissonGaussian

_FINEST, _COARSEST = 1e-6, 1e-2
_SHARE = 1e-4
"""Of the expected epsilon: the width of the grid of losses."""


def second_epsilon(events: Sequence[Event], *, delta: float, about: float) -> float:
    """Epsilon of the Gaussian and sampled events at ``delta``; ``about`` is roughly the answer, for the precision."""
    return float(_composed(events, about).get_epsilon(delta))


def second_delta(events: Sequence[Event], *, epsilon: float) -> float:
    """Delta of the Gaussian and sampled events at ``epsilon``."""
    return float(_composed(events, epsilon).get_delta(epsilon))


def _composed(events: Sequence[Event], about: float) -> Any:
    import dp_accounting
    from dp_accounting import pld

    width = min(_COARSEST, max(_FINEST, _SHARE * about))
    accountant = pld.PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=width
    )
    for event in events:
        match event:
            case Gaussian():
                accountant.compose(dp_accounting.GaussianDpEvent(event.noise_multiplier), event.count)
            case PoissonGaussian():
                step = dp_accounting.GaussianDpEvent(event.noise_multiplier)
                accountant.compose(dp_accounting.PoissonSampledDpEvent(event.sampling_rate, step), event.steps)
    return accountant

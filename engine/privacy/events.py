"""What a mechanism did to the data, as frozen records that any accountant can read.

Neighbouring data sets differ by one patient, added or removed. A record says how much noise, not how it was made: the
noise of a histogram is rounded to whole numbers, which is post-processing, so the Gaussian analysis holds for it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from engine.core.errors import DataError, UserError


@dataclass(frozen=True)
class Gaussian:
    """``count`` measurements with Gaussian noise.

    Attributes:
        noise_multiplier: standard deviation of the noise over the L2 sensitivity of what is measured.
        count: how many such measurements.

    Raises:
        UserError: a value is out of range; names it.
    """

    mechanism: ClassVar[str] = "gaussian"
    noise_multiplier: float
    count: int = 1

    def __post_init__(self) -> None:
        _positive("noise_multiplier", self.noise_multiplier)
        _whole("count", self.count)

    def as_json(self) -> dict[str, Any]:
        """JSON values, read back by :func:`from_json`."""
        return {"mechanism": self.mechanism, "noise_multiplier": self.noise_multiplier, "count": self.count}


@dataclass(frozen=True)
class PoissonGaussian:
    """``steps`` sums with Gaussian noise, each over patients of whom every one is drawn independently.

    Valid for Poisson sampling only; batches of a shuffled list are another mechanism.

    Attributes:
        noise_multiplier: standard deviation of the noise over the L2 sensitivity of the sum.
        sampling_rate: probability in (0, 1] with which a patient takes part in a step.
        steps: how many sums.

    Raises:
        UserError: a value is out of range; names it.
    """

    mechanism: ClassVar[str] = "poisson_gaussian"
    noise_multiplier: float
    sampling_rate: float
    steps: int

    def __post_init__(self) -> None:
        _positive("noise_multiplier", self.noise_multiplier)
        _positive("sampling_rate", self.sampling_rate)
        if self.sampling_rate > 1:
            raise UserError(f"sampling_rate ({self.sampling_rate}) must be at most 1", remedy="It is a probability.")
        _whole("steps", self.steps)

    def as_json(self) -> dict[str, Any]:
        """JSON values, read back by :func:`from_json`."""
        return {
            "mechanism": self.mechanism, "noise_multiplier": self.noise_multiplier,
            "sampling_rate": self.sampling_rate, "steps": self.steps,
        }  # fmt: skip


@dataclass(frozen=True)
class Threshold:
    """A release that is private except with probability ``delta``, such as categories found by a noisy threshold.

    The noise of its histogram is a :class:`Gaussian` beside it; this is only the added failure.

    Raises:
        UserError: ``delta`` is out of range.
    """

    mechanism: ClassVar[str] = "threshold"
    delta: float

    def __post_init__(self) -> None:
        check_delta(self.delta)

    def as_json(self) -> dict[str, Any]:
        """JSON values, read back by :func:`from_json`."""
        return {"mechanism": self.mechanism, "delta": self.delta}


Event = Gaussian | PoissonGaussian | Threshold
_KINDS: dict[str, type[Gaussian] | type[PoissonGaussian] | type[Threshold]] = {
    kind.mechanism: kind for kind in (Gaussian, PoissonGaussian, Threshold)
}


def from_json(value: Any) -> Event:
    """The event that ``as_json`` gave.

    Raises:
        DataError: it is no event, or one of another version.
        UserError: a value is out of range.
    """
    kind = _KINDS.get(str(value.get("mechanism"))) if isinstance(value, Mapping) else None
    if kind is None:
        raise DataError("a privacy record names no known mechanism", remedy=f"Known are: {', '.join(_KINDS)}.")
    fields = {name: part for name, part in value.items() if name != "mechanism"}
    try:
        return kind(**fields)
    except TypeError as error:
        raise DataError(f"a privacy record of {kind.mechanism} lacks a field or has one too many") from error


def events_from_json(values: Iterable[Any]) -> tuple[Event, ...]:
    """Several events; see :func:`from_json`."""
    return tuple(from_json(value) for value in values)


def continues(new: Sequence[Event], old: Sequence[Event]) -> bool:
    """Whether ``new`` is ``old`` and what came after it: more events, or more repetitions of the last one."""
    if len(new) < len(old) or not old:
        return not old
    *done, last = old
    return list(new[: len(done)]) == done and _repeats(new[len(done)], last)


def _repeats(new: Event, old: Event) -> bool:
    if isinstance(new, Gaussian) and isinstance(old, Gaussian):
        return new.count >= old.count and replace(new, count=old.count) == old
    if isinstance(new, PoissonGaussian) and isinstance(old, PoissonGaussian):
        return new.steps >= old.steps and replace(new, steps=old.steps) == old
    return new == old


def check_epsilon(value: float) -> float:
    """``value``, a positive finite epsilon.

    Raises:
        UserError: it is not.
    """
    return _positive("epsilon", value)


def check_delta(value: float) -> float:
    """``value``, a delta strictly between 0 and 1.

    Raises:
        UserError: it is not.
    """
    _positive("delta", value)
    if value >= 1:
        raise UserError(f"delta ({value}) must be below 1", remedy="Below one over the number of patients is usual.")
    return value


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise UserError(f"{name} ({value}) must be a positive finite number")
    return value


def _whole(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{name} ({value}) must be a whole number of at least 1")

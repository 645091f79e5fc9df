"""A generator's options as data: what a form shows, and the one check of what was given.

Nothing heavy is imported here: the dashboard reads this to draw its forms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.core.errors import UserError
from engine.generators.base import Capability


@dataclass(frozen=True)
class Option:
    """One setting of a generator.

    Attributes:
        name: as in ``fit(options=…)`` and on the command line.
        label: as on the screen.
        kind: what the value is.
        default: the value when it is not given, of the type that ``kind`` names; None where nothing may be assumed
            (a privacy budget): it then stays None, and the generator says when it is required.
        minimum: smallest allowed number, included; None for booleans or without limit.
        maximum: largest allowed number, included; None for booleans or without limit.
        help: one sentence on what it changes.
    """

    name: str
    label: str
    kind: Literal["integer", "number", "boolean"]
    default: int | float | bool | None
    minimum: int | float | None = None
    maximum: int | float | None = None
    help: str = ""


@dataclass(frozen=True)
class GeneratorInfo:
    """What there is to know about a generator before it is loaded."""

    name: str
    label: str
    privacy: str
    options: tuple[Option, ...]
    capabilities: frozenset[Capability]


def resolve(given: Mapping[str, Any], known: Sequence[Option], *, generator: str) -> dict[str, Any]:
    """``given`` checked and completed with defaults, in the order of ``known``; None where there is no default.

    Raises:
        UserError: an option is unknown, of the wrong type or out of range; names it, the value and what is allowed.
    """
    unknown = sorted(set(given) - {option.name for option in known})
    if unknown:
        raise UserError(
            f"{generator} has no option {unknown[0]!r}",
            remedy=f"Its options are: {', '.join(option.name for option in known)}.",
        )
    return {option.name: _checked(given.get(option.name, option.default), option) for option in known}


def _checked(value: Any, option: Option) -> int | float | bool | None:
    if value is None and option.default is None:
        return None
    if option.kind == "boolean":
        if not isinstance(value, bool):
            raise UserError(f"option {option.name!r} ({value!r}) must be true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"option {option.name!r} ({value!r}) must be a number", remedy=_allowed(option))
    if option.kind == "integer" and value % 1 != 0:
        raise UserError(f"option {option.name!r} ({value!r}) must be a whole number", remedy=_allowed(option))
    # Written so that NaN, which compares false with everything, is refused as well.
    low = option.minimum is None or value >= option.minimum
    high = option.maximum is None or value <= option.maximum
    if not (low and high and value == value):
        raise UserError(f"option {option.name!r} ({value!r}) is out of range", remedy=_allowed(option))
    return int(value) if option.kind == "integer" else float(value)


def _allowed(option: Option) -> str:
    if option.minimum is not None and option.maximum is not None:
        return f"Give one from {option.minimum:,} to {option.maximum:,}."
    if option.minimum is not None:
        return f"Give {option.minimum:,} or more."
    return "" if option.maximum is None else f"Give {option.maximum:,} or less."

"""What a bake-off compares, as data; imports nothing heavy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from engine.core.errors import UserError

LEAST_ROWS, MOST_ROWS = 100, 200_000
"""Synthetic rows that each contender draws."""


@dataclass(frozen=True)
class Contender:
    """A generator with its options.

    Attributes:
        key: names it within the bake-off; letters, digits, dots and underscores.
        generator: of the registry.
        label: its name in the table.
        options: of its fit.
    """

    key: str
    generator: str
    label: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Contest:
    """What is compared.

    Attributes:
        contenders: in the order of the table.
        rows: that each draws.
        seed: of every fit, draw and figure.
        outcome: key of the outcome that models predict; None for none.
        limit_seconds: most time on the clock for one fit; counted anew after an interruption.
    """

    contenders: tuple[Contender, ...]
    rows: int
    seed: int
    outcome: str | None
    limit_seconds: float

    @classmethod
    def of(
        cls, asked: Sequence[tuple[str, Mapping[str, Any]]], *, rows: int, seed: int, outcome: str | None,
        limit_seconds: float,
    ) -> "Contest":  # fmt: skip
        """The contest of (generator, options) pairs.

        Raises:
            UserError: there is none, one is named twice or unknown, or a number is out of range.
        """
        if not asked:
            raise UserError("no generator was chosen", remedy="Choose at least one.")
        if not LEAST_ROWS <= rows <= MOST_ROWS:
            raise UserError(f"rows ({rows:,}) must lie between {LEAST_ROWS:,} and {MOST_ROWS:,}")
        if not 0 < limit_seconds < inf:
            raise UserError(f"the time limit ({limit_seconds:g} s) must be a positive number of seconds")
        contenders = tuple(_contender(generator, options, rows) for generator, options in asked)
        keys = [one.key for one in contenders]
        doubled = next((key for key in keys if keys.count(key) > 1), None)
        if doubled is not None:
            raise UserError(f"{doubled} is there twice", remedy="Choose each generator and level of privacy once.")
        return cls(contenders, rows, seed, outcome, limit_seconds)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Contest":
        """The contest that :meth:`as_json` wrote."""
        contenders = tuple(Contender(**one) for one in value["contenders"])
        return cls(contenders, value["rows"], value["seed"], value["outcome"], value["limit_seconds"])

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"contenders": [asdict(one) for one in self.contenders]}


def _contender(generator: str, options: Mapping[str, Any], rows: int) -> Contender:
    from engine.generators.registry import info

    described = info(generator)
    known = {option.name for option in described.options}
    # Who made it is told where it is chosen; the table is wide enough.
    key, label, given = generator, described.label.partition(" (")[0], dict(options)
    if "private" in known:
        epsilon = given.get("epsilon")
        key += "" if epsilon is None else f"_eps{epsilon:g}"
        label += ", not private" if epsilon is None else f", ε {epsilon:g}"
    if "reservoir_rows" in known:
        # No more than are asked for: they are drawn during the fit, whose time counts.
        given.setdefault("reservoir_rows", rows)
    return Contender(key, generator, label, given)

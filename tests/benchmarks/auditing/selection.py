"""A distinguishing game on the choice of pairs: one patient who tips it as far as she can."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from engine.generators.dp_cgan.pairs import _strongest
from engine.generators.private_encoding import PrivateEncoding
from engine.privacy.accounting import gaussian_mu
from engine.privacy.noise import NoiseStream
from tests.benchmarks.auditing.bounds import epsilon_of_event
from tests.benchmarks.auditing.measurements import categories_of, margins_of, plain

solved = cache(gaussian_mu)
_SIZES = (3, 3, 3)
_TIPPED = (0, 1)
"""The event is that this pair is chosen."""


@dataclass(frozen=True)
class Game:
    """A table of three columns, and the patient who is added to it."""

    name: str
    table: tuple[tuple[int, int, int], ...]
    patient: tuple[int, int, int]


_BALANCED = tuple((a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1))
_OTHER_PAIR = tuple((a, -1, c) for a in (0, 1) for c in (0, 1))
_EMPTY_HALF = ((0, 0, -1), (0, 1, -1))
"""Nobody is in the second level of the first column: the patient fills it, which the score takes for a large change."""
GAMES = (
    Game("nobody else", (), (0, 0, -1)),
    Game("nobody else, off the diagonal", (), (0, 1, -1)),
    Game("independent columns", _BALANCED, (0, 0, -1)),
    Game("twenty-four in balance", 3 * _BALANCED, (1, 1, -1)),
    Game("two others agree", ((0, 0, 0), (1, 1, 1)), (1, 1, -1)),
    Game("another pair leads", ((0, -1, 0), (1, -1, 1), (0, 0, -1)), (1, 1, -1)),
    *(
        Game(f"an empty half, {2 * own} against {4 * other}", own * _EMPTY_HALF + other * _OTHER_PAIR, (1, 1, -1))
        for own, other in ((3, 2), (3, 8), (6, 2), (12, 3))
    ),
)
_MOST_TRIALS = 1_000


def chosen(
    game: Game, *, with_patient: bool, square: float, keys: range, stream: type[NoiseStream] = NoiseStream
) -> list[bool]:
    """Whether the tipped pair is chosen, once for each key."""
    rows = np.array([*game.table, *([game.patient] if with_patient else [])], dtype=np.int32).reshape(-1, len(_SIZES))
    encoding = categories_of(_SIZES)
    private = PrivateEncoding(encoding, rows, 1.0, 1.0, margins_of(encoding))
    out = []
    for key in keys:
        noise = stream(f"choice {key} {with_patient} {square}".encode())
        (pair,) = _strongest(private, measurer=plain(len(rows), noise), square=square, count=1)
        out.append(pair == _TIPPED)
    return out


def selection_audit(
    *, epsilon: float, delta: float, repetitions: int, seed: int, stream: type[NoiseStream] = NoiseStream
) -> tuple[str, float]:
    """The game that tips most in a trial, and its bound in as many fresh repetitions as asked."""
    square = solved(epsilon=epsilon, delta=delta) ** 2

    def bound(game: Game, keys: range) -> float:
        sides = [chosen(game, with_patient=side, square=square, keys=keys, stream=stream) for side in (True, False)]
        return epsilon_of_event(*sides, delta=delta) if keys.start else _distance(*sides)

    trial = range(min(_MOST_TRIALS, max(50, repetitions // 4)))
    best = max(GAMES, key=lambda game: bound(game, trial))
    start = 1_000_000 * (1 + seed)
    return best.name, bound(best, range(start, start + repetitions))


def _distance(one: list[bool], other: list[bool]) -> float:
    """How far the event's odds differ; smooth, unlike a bound."""
    shares = [(sum(part) + 0.5) / (len(part) + 1) for part in (one, other)]
    return abs(np.log(shares[0] / shares[1])) + abs(np.log((1 - shares[0]) / (1 - shares[1])))

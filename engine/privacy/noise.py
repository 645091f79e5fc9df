"""Noise that nobody can take off again, and that a resumed fit draws alike.

Rounded Gaussian noise on whole numbers: for integer counts c, c + round(N(0, σ²)) = round(c + N(0, σ²)), so the
released number is a post-processing of the Gaussian mechanism and costs exactly what that costs; and as everything is
an integer, there are no low bits of floats that could tell c (Mironov 2012). The noise is looked up in a table of the
rounded Gaussian's distribution function, computed with 50 digits, by 128-bit words. Per draw, the distribution drawn
from differs from the true one by less than (entries of the table) · 2⁻¹²⁸ in total variation; a stream refuses to
exceed 2⁴⁰ entries in all, so a whole fit is off by less than τ = 2⁻⁸⁸, which costs (1 + e^ε) τ <
:data:`SAMPLER_DELTA` of delta for any epsilon up to :data:`MOST_EPSILON`.

The words are SHAKE-256 of a secret key and a purpose. The key is derived from the workspace's secret and from *all*
inputs of a fit: whoever gets the model cannot repeat the noise, the same fit repeated is the same release, and a fit
on any other table has unrelated noise. (That the words are as good as random is the usual assumption on HMAC and
SHAKE.)
"""

import hashlib
import hmac
import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from engine.core.errors import InternalError

SAMPLER_DELTA = 1e-12
"""Delta that a fit books for the finite precision of its noise."""
MOST_EPSILON = 30.0
"""Up to here the above holds; beyond, a guarantee says nothing anyway."""
_MOST_ENTRIES = 2**40
_BITS = 128
_DIGITS = 50
_REACH = 13.3
"""The table ends at this many standard deviations: 2⁻¹²⁸ lies at 13.1."""
_MOST_SIGMA = 40_000.0


@dataclass
class NoiseStream:
    """Noise for one purpose after another; the same key and purpose give the same noise, so a purpose is used once."""

    key: bytes
    _entries: int = 0
    _used: set[tuple[str, ...]] = field(default_factory=set)

    def words(self, count: int, *purpose: str) -> np.ndarray:
        """``count`` uniform 64-bit words, uint64 ``(count,)``."""
        digest = hashlib.shake_256(self.key + _label(purpose)).digest(8 * count)
        return np.frombuffer(digest, dtype="<u8")

    def rounded_gaussian(self, count: int, *purpose: str, sigma: float) -> np.ndarray:
        """``count`` draws of round(N(0, ``sigma``²)), int64 ``(count,)``.

        Raises:
            ValueError: ``sigma`` is not positive, or too large for the table.
            InternalError: the purpose had its noise already (two releases would share it and give each other away), or
                more was drawn than :data:`SAMPLER_DELTA` pays for.
        """
        if purpose in self._used:
            raise InternalError(f"noise for {'/'.join(purpose)} is drawn twice")
        self._used.add(purpose)
        table = _table(sigma)
        self._entries += count * len(table.first)
        if self._entries > _MOST_ENTRIES:
            raise InternalError("more noise is drawn than the fit's delta pays for", remedy="Fit fewer columns.")
        # Another sigma or number of cells is another release: on the same words, the two would give each other away.
        words = self.words(2 * count, *purpose, repr(float(sigma)), str(count))
        first, second = words[:count], words[count:]
        place = np.searchsorted(table.first, first, side="left")
        # Where the first half of a word equals that of thresholds (about never), the second half decides.
        for tie in np.flatnonzero(np.searchsorted(table.first, first, side="right") > place):
            while place[tie] < len(table.first) and table.first[place[tie]] == first[tie]:
                if table.second[place[tie]] > second[tie]:
                    break
                place[tie] += 1
        return place.astype(np.int64) + table.lowest

    def generator(self, *purpose: str) -> np.random.Generator:
        """A floating-point generator for what needs many draws (gradient noise): keyed as well, but not exact.

        Raises:
            InternalError: the purpose had its noise already.
        """
        if purpose in self._used:
            raise InternalError(f"noise for {'/'.join(purpose)} is drawn twice")
        self._used.add(purpose)
        return np.random.Generator(np.random.Philox(key=self.words(2, *purpose, "philox")))

    def pick(self, names: list[str], *purpose: str) -> np.ndarray:
        """A uniform word for each of ``names`` that depends on nothing but its name, uint64 ``(len(names),)``."""
        label = _label(purpose)
        digests = [hmac.digest(self.key, label + name.encode(), hashlib.sha256)[:8] for name in names]
        return np.frombuffer(b"".join(digests), dtype="<u8")


def _label(purpose: tuple[str, ...]) -> bytes:
    # Lengths are written too: ("a", "bc") and ("ab", "c") are different purposes.
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in purpose)


@dataclass(frozen=True)
class _Table:
    """Thresholds of uniform 128-bit words, ascending, in halves: from the i-th on, a value is above lowest + i."""

    first: np.ndarray
    second: np.ndarray
    lowest: int


@lru_cache(maxsize=64)
def _table(sigma: float) -> _Table:
    if not (sigma > 0 and sigma <= _MOST_SIGMA):
        raise ValueError(f"sigma ({sigma}) must be positive and at most {_MOST_SIGMA:g}")
    from mpmath import mp, mpf

    whole, half = 2**_BITS, 2 ** (_BITS // 2)
    with mp.workdps(_DIGITS):
        root = mpf(sigma) * mp.sqrt(2)
        # P(noise > k) for k = 0, 1, …; the lower half follows by symmetry.
        above = [
            int(mp.floor(mp.erfc((k + mpf(0.5)) / root) / 2 * whole)) for k in range(max(1, math.ceil(_REACH * sigma)))
        ]
    above = [part for part in above if part > 0]
    thresholds = [*reversed(above), *(whole - part for part in above)]
    return _Table(
        np.array([part // half for part in thresholds], dtype=np.uint64),
        np.array([part % half for part in thresholds], dtype=np.uint64),
        -len(above),
    )

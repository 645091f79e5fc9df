"""Histograms of patients under the Gaussian mechanism, each announced before it is taken.

A histogram counts every patient in at most one cell, so adding or removing a patient changes it by at most 1 in L2:
with noise of standard deviation σ it is a Gaussian mechanism of noise multiplier σ, and a series of them composes
exactly (Dong, Roth and Su 2022: 1/σ² adds up). That holds for pairs of columns too, whose cells are pairs of levels.

Where the categories themselves are not public, cells that nobody is in must not be told from cells with somebody: only
categories that occur get noise, and only those above a threshold are released. A category that one patient alone has is
released with a probability of at most P(1 + noise ≥ threshold); summed over the columns that is ``Threshold.delta``.
The threshold's event is independent of everything else, so for the patient's removal it costs a factor 1/(1 - delta)
on the probabilities instead, that is less than ``2 · delta`` of epsilon, which the budget sets aside
(:mod:`engine.generators.dp_cgan.budget`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from engine.core.errors import InternalError
from engine.privacy.events import Event, Gaussian, Threshold
from engine.privacy.noise import NoiseStream


@dataclass(frozen=True)
class Histogram:
    """A histogram that is to be measured.

    Attributes:
        purpose: unique name of the measurement, for its noise.
        cells: returns the cell of each patient, integers (patients,); a negative one is in no cell.
        size: how many cells there are.
        noise_multiplier: standard deviation of the noise, in patients.
        threshold_delta: where the cells' existence is not public: the probability with which a cell of one patient may
            be released. Cells below the threshold come back as -1.
        always: of a histogram with a threshold, the last so many cells exist publicly and are always released.
    """

    purpose: tuple[str, ...]
    cells: Callable[[], np.ndarray]
    size: int
    noise_multiplier: float
    threshold_delta: float | None = None
    always: int = 0

    @property
    def threshold(self) -> int:
        """Smallest noisy count that is released: P(1 + rounded noise ≥ threshold) ≤ ``threshold_delta``."""
        if self.threshold_delta is None:
            raise InternalError("this histogram has no threshold")
        far = -NormalDist().inv_cdf(self.threshold_delta)
        # The rounded noise reaches k where the noise reaches k - 1/2.
        return math.ceil(1.5 + far * self.noise_multiplier)


@dataclass
class Measurer:
    """Takes measurements on one row per patient and keeps what they cost.

    Attributes:
        patients: rows that may be measured; every ``cells()`` must return one entry for each.
        stream: where the noise comes from.
        announce: told of all events so far *before* the noise of the last ones is added, so that whatever happens
            then, the ledger knows.
        events: what was measured.
    """

    patients: int
    stream: NoiseStream
    announce: Callable[[Sequence[Event]], None]
    events: list[Event] = field(default_factory=list)

    def measure(self, histograms: Sequence[Histogram]) -> list[np.ndarray]:
        """Noisy counts of each, int64 ``(size,)``; may be negative.

        Raises:
            InternalError: ``cells`` does not return one entry per patient, or a cell that is not there.
        """
        for histogram in histograms:
            self.events.append(Gaussian(histogram.noise_multiplier))
            if histogram.threshold_delta is not None:
                self.events.append(Threshold(histogram.threshold_delta))
        self.announce(tuple(self.events))
        return [self._noisy(histogram) for histogram in histograms]

    def _noisy(self, histogram: Histogram) -> np.ndarray:
        cells = histogram.cells()
        if cells.shape != (self.patients,):
            raise InternalError(f"histogram {'/'.join(histogram.purpose)} does not count one cell per patient")
        counts = np.bincount(cells[cells >= 0].astype(np.intp), minlength=histogram.size)
        if len(counts) != histogram.size:
            raise InternalError(f"histogram {'/'.join(histogram.purpose)} has {len(counts)} cells, not as announced")
        noise = self.stream.rounded_gaussian(histogram.size, *histogram.purpose, sigma=histogram.noise_multiplier)
        noisy = counts.astype(np.int64) + noise
        if histogram.threshold_delta is None:
            return noisy
        public = np.arange(histogram.size) >= histogram.size - histogram.always
        return np.where(public | ((counts > 0) & (noisy >= histogram.threshold)), noisy, -1)

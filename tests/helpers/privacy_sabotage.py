"""Privacy mechanisms that were broken on purpose: every check and every audit must fail on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.generators.dp_cgan.gradients import GradientMechanism
from engine.generators.dp_cgan.network import Network
from engine.privacy.measurement import Histogram, Measurer
from engine.privacy.noise import NoiseStream


@dataclass
class Quiet(NoiseStream):
    """Counts get less noise than was claimed."""

    share: float = 0.05

    def rounded_gaussian(self, count: int, *purpose: str, sigma: float) -> np.ndarray:
        return super().rounded_gaussian(count, *purpose, sigma=self.share * sigma)


@dataclass
class HalfQuiet(Quiet):
    """Counts get half the noise that was claimed."""

    share: float = 0.5


class Silent(NoiseStream):
    """Counts get no noise at all."""

    def rounded_gaussian(self, count: int, *purpose: str, sigma: float) -> np.ndarray:
        return np.zeros(count, dtype=np.int64)


class Unannounced(Measurer):
    """Measures first and tells the ledger afterwards."""

    def measure(self, histograms: Sequence[Histogram]) -> list[np.ndarray]:
        announce, self.announce = self.announce, lambda events: None
        measured = super().measure(histograms)
        announce(self.events)
        return measured


class Forgetful(Measurer):
    """Never tells the ledger."""

    def measure(self, histograms: Sequence[Histogram]) -> list[np.ndarray]:
        self.announce = lambda events: None
        return super().measure(histograms)


class CountsTwice(Measurer):
    """Counts every patient twice."""

    def _noisy(self, histogram: Histogram) -> np.ndarray:
        cells = histogram.cells()
        again = np.bincount(cells[cells >= 0], minlength=histogram.size)
        return super()._noisy(histogram) + again


class IgnoresThresholds(Measurer):
    """Releases every category that occurs."""

    def _noisy(self, histogram: Histogram) -> np.ndarray:
        cells = histogram.cells()
        counts = np.bincount(cells[cells >= 0], minlength=histogram.size)
        noise = self.stream.rounded_gaussian(histogram.size, *histogram.purpose, sigma=histogram.noise_multiplier)
        return np.maximum(counts + noise, 1) if histogram.threshold_delta is not None else counts + noise


class Unclipped(GradientMechanism):
    """A patient's gradient counts in full."""

    def factors(self, norms: Tensor) -> Tensor:
        return torch.ones_like(norms)


class HalfTheNoise(GradientMechanism):
    """Noise of half the claimed standard deviation."""

    share = 0.5

    def noisy_mean(self, sums: Mapping[str, Tensor], random: np.random.Generator) -> dict[str, Tensor]:
        spread = self.share * self.noise_multiplier * self.clip
        return {
            name: (value + torch.from_numpy(random.normal(0.0, spread, tuple(value.shape))).to(value.dtype))
            / self.expected
            for name, value in sums.items()
        }


class TwentiethOfTheNoise(HalfTheNoise):
    """Noise of a twentieth of the claimed standard deviation."""

    share = 0.05


class OneScalarPerTensor(GradientMechanism):
    """One draw of noise for all coordinates of a weight."""

    def noisy_mean(self, sums: Mapping[str, Tensor], random: np.random.Generator) -> dict[str, Tensor]:
        spread = self.noise_multiplier * self.clip
        return {name: (value + float(random.normal(0.0, spread))) / self.expected for name, value in sums.items()}


@dataclass(frozen=True)
class NoiseOnce(GradientMechanism):
    """The first step's noise is used again in every step."""

    kept: dict[str, Tensor] = field(default_factory=dict)

    def noisy_mean(self, sums: Mapping[str, Tensor], random: np.random.Generator) -> dict[str, Tensor]:
        if not self.kept:
            self.kept.update(super().noisy_mean({name: value * 0 for name, value in sums.items()}, random))
        return {name: value / self.expected + self.kept[name] for name, value in sums.items()}


class EveryRow(GradientMechanism):
    """Every patient takes part in every step, and sampling is booked."""

    def drawn(self, patients: int, random: np.random.Generator) -> np.ndarray:
        return np.arange(patients)


class ShuffledBatches(GradientMechanism):
    """A batch of fixed size, as from a shuffled list."""

    def drawn(self, patients: int, random: np.random.Generator) -> np.ndarray:
        return np.sort(random.permutation(patients)[: round(self.sampling_rate * patients)])


class ByCategory(GradientMechanism):
    """A category is drawn first and then patients of it: as many of the rare one (a tenth) as of the other."""

    def drawn(self, patients: int, random: np.random.Generator) -> np.ndarray:
        rare = np.arange(patients) < patients // 10
        wanted = self.sampling_rate * patients / 2
        rate = np.where(rare, wanted / max(rare.sum(), 1), wanted / max((~rare).sum(), 1))
        return np.flatnonzero(random.random(patients) < rate)


@dataclass(frozen=True)
class ByActualBatch(GradientMechanism):
    """The sum is divided by how many took part."""

    last: list[int] = field(default_factory=list)

    def drawn(self, patients: int, random: np.random.Generator) -> np.ndarray:
        chosen = super().drawn(patients, random)
        self.last[:] = [len(chosen)]
        return chosen

    def noisy_mean(self, sums: Mapping[str, Tensor], random: np.random.Generator) -> dict[str, Tensor]:
        made = super().noisy_mean(sums, random)
        return {name: value * self.expected / max(1, self.last[0]) for name, value in made.items()}


def sums_clipped_per_layer(
    network: Network, levels: Tensor, mechanism: GradientMechanism
) -> tuple[dict[str, Tensor], float]:
    """Sums of gradients of which every weight was clipped by itself, to ``clip`` each."""
    from tests.helpers.patient_gradients import patient_gradient

    total: dict[str, Tensor] = {}
    for row in levels:
        for name, value in patient_gradient(network, row).items():
            clipped = value * float(mechanism.factors(value.norm()[None])[0])
            total[name] = total.get(name, torch.zeros_like(value)) + clipped
    return total, 0.0

"""White-box audit of private gradients in one run: every canary is a patient, included or not by a fair coin."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from engine.generators.dp_cgan.gradients import LEARNED, GradientMechanism, PrivateTraining
from engine.generators.dp_cgan.network import Network, Shape
from engine.privacy.accounting import noise_multiplier
from engine.privacy.noise import NoiseStream
from tests.benchmarks.auditing.bounds import OneRun, one_run

CLIP = 0.7
_LARGE = 50.0
"""A canary's gradient over the clip: without clipping it would stand out."""

solved = cache(noise_multiplier)


def mechanism_of(
    kind: type[GradientMechanism], *, epsilon: float, delta: float, rate: float, steps: int
) -> GradientMechanism:
    """The mechanism, perhaps a broken one, with the noise that the accountants solve for the claim."""
    noise = solved(epsilon=epsilon, delta=delta, sampling_rate=rate, steps=steps)
    return kind(CLIP, noise, rate, 1_000 * rate, steps)


class Overheard:
    """A mechanism whose releases are added up, as a white-box adversary would."""

    def __init__(self, mechanism: GradientMechanism) -> None:
        self.mechanism = mechanism
        self.steps = mechanism.steps
        self.released: dict[str, Tensor] = {}

    def drawn(self, patients: int, random: np.random.Generator) -> np.ndarray:
        return self.mechanism.drawn(patients, random)

    def factors(self, norms: Tensor) -> Tensor:
        return self.mechanism.factors(norms)

    def noisy_mean(self, sums: Mapping[str, Tensor], random: np.random.Generator) -> dict[str, Tensor]:
        made = self.mechanism.noisy_mean(sums, random)
        for name, value in made.items():
            self.released[name] = self.released.get(name, torch.zeros(value.shape, dtype=torch.float64)) + value
        return made


def dirac_audit(mechanism: GradientMechanism, *, canaries: int, delta: float, seed: int) -> OneRun:
    """Canaries whose gradient is one coordinate of their own, 50 times the clip, through the mechanism's own steps."""
    coins, stream = np.random.default_rng(seed), NoiseStream(f"dirac {seed} {mechanism}".encode())
    included = coins.random(canaries) < 0.5
    patients = np.flatnonzero(included)
    draws, noise = stream.generator("draws"), stream.generator("gradients")
    heard = Overheard(mechanism)
    for _ in range(mechanism.steps):
        chosen = torch.from_numpy(patients[mechanism.drawn(len(patients), draws)])
        norms = torch.full((len(chosen),), _LARGE * mechanism.clip)
        sums = torch.zeros(canaries)
        sums[chosen] += norms * mechanism.factors(norms)
        heard.noisy_mean({"weights": sums}, noise)
    return one_run(heard.released["weights"].numpy(), included, delta=delta)


def network_audit(mechanism: GradientMechanism, *, canaries: int, delta: float, seed: int) -> OneRun:
    """Canaries who are alone with their level of a column, through the real training step and its clipped sums.

    A canary's gradient is mostly that of her level's bias. The weights stand still, which favours the adversary.
    """
    coins, stream = np.random.default_rng(seed), NoiseStream(f"network {seed} {mechanism}".encode())
    included = coins.random(canaries) < 0.5
    patients = np.flatnonzero(included)
    # Of the second column nothing is known, so that the whole gradient lies in the canary's own level.
    levels = np.column_stack([patients, np.full(len(patients), -1)])
    shape = Shape(levels=(canaries, 2), ordered=(False, False), width=2)
    start = Network.initial(
        shape, marginals=[torch.ones(size) / size for size in shape.levels], random=torch.Generator().manual_seed(seed)
    )
    heard = Overheard(mechanism)
    training = PrivateTraining(start, heard, rate=0.0)  # type: ignore[arg-type]
    draws, noise = stream.generator("draws"), stream.generator("gradients")
    for _ in range(mechanism.steps):
        training.take_step(levels, draws=draws, noise=noise)
    assert set(heard.released) == set(LEARNED)
    return one_run(-heard.released["bias_3"].numpy()[:canaries], included, delta=delta)

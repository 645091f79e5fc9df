"""Private gradients: training steps on patients' rows whose sum is clipped per patient and noised (Abadi et al. 2016).

One step. Every patient takes part with probability q, independently of everything else (Poisson sampling; a batch of a
shuffled list would be another mechanism, and so would drawing rows by category: conditions never choose who takes
part). A patient's gradient is that of the *whole* loss of her one row, and is scaled to an L2 norm of at most
``clip`` over all weights together. The sum gets Gaussian noise of standard deviation ``noise_multiplier · clip`` in
every coordinate, drawn afresh at every step, and is divided by the constant ``expected`` (never by how many took
part). Adding or removing a patient moves the sum by at most ``clip``: a Poisson-sampled Gaussian mechanism. What the
optimiser makes of it is post-processing.

Per-patient norms come without per-patient gradients: a linear layer's gradient is an outer product x ⊗ g, whose norm
under a 0/1 mask M is Σ x_i² M_ij g_j² (the "ghost norm" of Li et al. 2022, here with masks). That costs about one
more forward pass; ``tests/generators/test_private_gradients.py`` holds it to gradients taken patient by patient.

Limits: the noise is floating-point (Philox keyed by the workspace's secret), so the proof is one over the reals.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import InternalError
from engine.generators.dp_cgan.network import Network
from engine.privacy.events import PoissonGaussian

LEARNED = ("embed", "bias_1", "residual", "bias_2", "output", "bias_3")
"""The weights that private steps change: all but the condition input, whose conditions would have to be drawn
privately."""


@dataclass(frozen=True)
class GradientMechanism:
    """A series of noisy sums.

    Attributes:
        clip: largest L2 norm of a patient's gradient.
        noise_multiplier: standard deviation of the noise over ``clip``.
        sampling_rate: probability with which a patient takes part in a step.
        expected: the constant that sums are divided by: about how many patients take part.
        steps: how many steps are taken.
    """

    clip: float
    noise_multiplier: float
    sampling_rate: float
    expected: float
    steps: int

    @property
    def event(self) -> PoissonGaussian:
        """All steps, as the accountants read them."""
        return PoissonGaussian(self.noise_multiplier, self.sampling_rate, self.steps)

    def drawn(self, patients: int, random: np.random.Generator) -> np.ndarray:
        """Indices of the patients that take part in one step."""
        return np.flatnonzero(random.random(patients) < self.sampling_rate)

    def factors(self, norms: Tensor) -> Tensor:
        """What each patient's gradient is multiplied by, in (0, 1], from the norms (patients,).

        Raises:
            InternalError: a norm is not finite: its gradient could not be clipped.
        """
        if not bool(torch.isfinite(norms).all()):
            raise InternalError("a gradient is not finite, so it cannot be clipped", remedy="Train without them.")
        return (self.clip / norms.clamp_min(1e-12)).clamp_max(1.0)

    def noisy_mean(self, sums: Mapping[str, Tensor], random: np.random.Generator) -> dict[str, Tensor]:
        """The sums of clipped gradients with fresh noise in every coordinate, over the expected number of patients."""
        spread = self.noise_multiplier * self.clip
        return {
            name: (value + torch.from_numpy(random.normal(0.0, spread, tuple(value.shape))).to(value.dtype))
            / self.expected
            for name, value in sums.items()
        }


def clipped_sums(network: Network, levels: Tensor, mechanism: GradientMechanism) -> tuple[dict[str, Tensor], float]:
    """Sums over the patients of their clipped gradients by weight, and the mean loss (which is not private: for tests).

    Args:
        network: whose weights the gradient is taken at.
        levels: int64 (patients, columns), one row each; a negative level is not known and counts neither as input nor
            in the loss.
        mechanism: whose ``clip`` is the largest norm of a patient's gradient.
    """
    parts = _backward(network, levels)
    factor = mechanism.factors(parts.norms(network))[:, None]
    first, second, logits = parts.first_gradient * factor, parts.second_gradient * factor, parts.logit_gradient * factor
    shape = network.shape
    own = parts.second.split(shape.width, dim=1)
    readers = logits.split(shape.levels, dim=1)
    return {
        "embed": (parts.inputs.T @ first) * network.embed_mask,
        "bias_1": first.sum(0),
        "residual": (parts.first.T @ second) * network.residual_mask,
        "bias_2": second.sum(0),
        "output": torch.cat([units.T @ reader for units, reader in zip(own, readers, strict=True)], dim=1),
        "bias_3": logits.sum(0),
    }, parts.loss


@dataclass(frozen=True)
class _Pass:
    """One forward and backward pass: activations and gradients (patients, …) at the inputs of each layer."""

    inputs: Tensor
    first: Tensor
    second: Tensor
    first_gradient: Tensor
    second_gradient: Tensor
    logit_gradient: Tensor
    loss: float

    def norms(self, network: Network) -> Tensor:
        """L2 norm of each patient's gradient over all learned weights (patients,)."""
        first, second, logits = self.first_gradient**2, self.second_gradient**2, self.logit_gradient**2
        square = ((self.inputs**2) @ network.embed_mask * first).sum(1) + first.sum(1)
        square += ((self.first**2) @ network.residual_mask * second).sum(1) + second.sum(1)
        shape = network.shape
        units = (self.second**2).reshape(len(logits), shape.columns, shape.width).sum(2)
        readers = torch.stack([part.sum(1) for part in logits.split(shape.levels, dim=1)], 1)
        return (square + (units * readers).sum(1) + readers.sum(1)).sqrt()


def _backward(network: Network, levels: Tensor) -> _Pass:
    w, shape = network.weights, network.shape
    inputs = shape.inputs(levels)
    before_1 = torch.addmm(w["bias_1"], inputs, w["embed"] * network.embed_mask)
    first = before_1.relu()
    residual = w["residual"] * network.residual_mask
    before_2 = torch.addmm(w["bias_2"], first, residual)
    second = first + before_2.relu()
    own = second.split(shape.width, dim=1)
    readers = w["output"].split(shape.levels, dim=1)
    biases = w["bias_3"].split(shape.levels)
    gradient, units, loss = [], [], 0.0
    for column, (unit, reader, bias) in enumerate(zip(own, readers, biases, strict=True)):
        logits = torch.addmm(bias, unit, reader)
        known = levels[:, column] >= 0
        target = levels[:, column].clamp_min(0)
        log_share = logits.log_softmax(1)
        loss -= float((log_share.gather(1, target[:, None]).squeeze(1) * known).sum())
        part = log_share.exp()
        part[torch.arange(len(part)), target] -= 1.0
        part *= known[:, None]
        gradient.append(part)
        units.append(part @ reader.T)
    above = torch.cat(units, 1)
    second_gradient = above * (before_2 > 0)
    first_gradient = (above + second_gradient @ residual.T) * (before_1 > 0)
    return _Pass(
        inputs, first, second, first_gradient, second_gradient, torch.cat(gradient, 1), loss / max(1, len(levels))
    )


class PrivateTraining:
    """Adam on noisy means of clipped gradients; the state of any step can be kept and continued.

    Args:
        network: where to start; its weights are copied.
        mechanism: what each step releases.
        rate: learning rate.
    """

    _AVERAGE = 0.95

    def __init__(self, network: Network, mechanism: GradientMechanism, *, rate: float) -> None:
        self.mechanism = mechanism
        self.rate = rate
        self.step = 0
        self._shape = network.shape
        self.weights = {name: value.clone() for name, value in network.weights.items()}
        self.average = {name: self.weights[name].clone() for name in LEARNED}
        self.first_moment = {name: torch.zeros_like(self.weights[name]) for name in LEARNED}
        self.second_moment = {name: torch.zeros_like(self.weights[name]) for name in LEARNED}

    def take_step(self, levels: np.ndarray, *, draws: np.random.Generator, noise: np.random.Generator) -> None:
        """One step on ``levels`` (patients, columns)."""
        network = Network(self._shape, self.weights)
        chosen = self.mechanism.drawn(len(levels), draws)
        with torch.no_grad():
            sums, _ = clipped_sums(network, torch.from_numpy(levels[chosen].astype(np.int64)), self.mechanism)
            self._move(self.mechanism.noisy_mean(sums, noise))

    def _move(self, gradient: Mapping[str, Tensor]) -> None:
        self.step += 1
        done = self.step / self.mechanism.steps
        rate = self.rate * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)
        for name, value in gradient.items():
            first = self.first_moment[name].lerp_(value, 0.1)
            second = self.second_moment[name].lerp_(value**2, 0.01)
            scale = (second / (1 - 0.99**self.step)).sqrt() + 1e-8
            self.weights[name] -= rate * (first / (1 - 0.9**self.step)) / scale
            self.average[name].lerp_(self.weights[name], 1 - min(self._AVERAGE, (1 + self.step) / (10 + self.step)))

    def state(self) -> dict[str, Tensor]:
        """Everything that later steps depend on, by ``group.name``."""
        groups = {
            "now": {name: self.weights[name] for name in LEARNED}, "average": self.average,
            "first_moment": self.first_moment, "second_moment": self.second_moment,
        }  # fmt: skip
        return {f"{group}.{name}": value for group, part in groups.items() for name, value in part.items()}

    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what :meth:`state` gave after ``step`` steps."""
        self.step = step
        for key, value in self.state().items():
            value.copy_(tensors[key])

    def network(self) -> Network:
        """The network of the averaged weights."""
        return Network(self._shape, self.weights | self.average)

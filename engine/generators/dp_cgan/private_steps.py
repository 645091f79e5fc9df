"""Private gradients after the network has learned from the critic's chains; off unless a share of the budget is given.

Sampling rate and noise follow from the options alone, before anything is measured: what the measurements may spend is
fixed (:attr:`.budget.Budget.measured`), whatever they turn out to be, so no parameter of the steps depends on the data.
The noisy number of patients only sets the constant that sums are divided by. The steps are taken in segments. Before
a segment the ledger's record says that its steps are taken, after it the state is kept, so that a fit that was killed
continues at a segment's start with the same draws and the same noise.
"""

from pathlib import Path

import numpy as np

from engine.core.progress import Progress
from engine.generators.dp_cgan.budget import Budget
from engine.generators.dp_cgan.checkpoint import read_tensors, write_tensors
from engine.generators.dp_cgan.gradients import GradientMechanism, PrivateTraining
from engine.generators.dp_cgan.material import PrivateFit
from engine.generators.dp_cgan.network import Network
from engine.privacy.accounting import noise_multiplier
from engine.privacy.events import Event, Gaussian, PoissonGaussian, Threshold
from engine.privacy.noise import SAMPLER_DELTA

_STEPS = 400
_SEGMENT = 50
_SAMPLING_RATE = 0.1
_CLIP = 1.0
_RATE = 2e-3


def steps_noise(budget: Budget) -> float:
    """Noise multiplier of the steps, solved beside everything that the measurements may spend."""
    others: list[Event] = [Threshold(SAMPLER_DELTA), Threshold(budget.threshold_delta)]
    if budget.measured > 0:
        others.append(Gaussian(budget.measured**-0.5))
    return noise_multiplier(
        epsilon=budget.epsilon, delta=budget.delta, sampling_rate=_SAMPLING_RATE, steps=_STEPS, others=others
    )


def take_private_steps(
    network: Network,
    levels: np.ndarray,
    private: PrivateFit,
    *,
    patients: float,
    checkpoint: Path | None,
    progress: Progress,
) -> Network:
    """``network`` after private steps on ``levels`` (patients, columns; negative where unknown)."""
    noise, measured = steps_noise(private.budget), list(private.events)
    mechanism = GradientMechanism(_CLIP, noise, _SAMPLING_RATE, expected=_SAMPLING_RATE * patients, steps=_STEPS)
    training = PrivateTraining(network, mechanism, rate=_RATE)
    folder = checkpoint / "private-steps" if checkpoint else None
    if folder is not None and (kept := read_tensors(folder, private.identity)) is not None:
        training.restore(*kept)
        # Where nothing is left to do, the steps that were taken before must still be told.
        private.announce([*measured, PoissonGaussian(noise, _SAMPLING_RATE, training.step)])
    while training.step < _STEPS:
        segment = training.step // _SEGMENT
        taken = training.step + _SEGMENT
        private.announce([*measured, PoissonGaussian(noise, _SAMPLING_RATE, taken)])
        draws = private.stream.generator("draws", str(segment))
        steps = private.stream.generator("gradients", str(segment))
        for _ in range(_SEGMENT):
            training.take_step(levels, draws=draws, noise=steps)
        if folder is not None:
            write_tensors(folder, training.step, training.state(), private.identity)
        progress.update(training.step / _STEPS, f"Private step {training.step} of {_STEPS}")
    return training.network()

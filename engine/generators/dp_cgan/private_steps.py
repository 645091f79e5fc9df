"""Private gradients after the network has learned from the critic's chains; off unless a share of the budget is given.

The steps are taken in segments. Before a segment the ledger's record says that its steps are taken, after it the state
is kept, so that a fit that was killed continues at a segment's start with the same draws and the same noise.
"""

from pathlib import Path

import numpy as np

from engine.core.progress import Progress
from engine.generators.dp_cgan.checkpoint import read_tensors, write_tensors
from engine.generators.dp_cgan.gradients import GradientMechanism, PrivateTraining
from engine.generators.dp_cgan.material import PrivateFit
from engine.generators.dp_cgan.network import Network
from engine.privacy.accounting import noise_multiplier
from engine.privacy.events import PoissonGaussian

_STEPS = 400
_SEGMENT = 50
_EXPECTED = 1_000.0
_MOST_RATE = 0.2
_CLIP = 1.0
_RATE = 2e-3


def take_private_steps(
    network: Network,
    levels: np.ndarray,
    private: PrivateFit,
    *,
    patients: float,
    checkpoint: Path | None,
    progress: Progress,
) -> Network:
    """``network`` after private steps on ``levels`` (patients, columns; negative where unknown).

    The noise is solved from what the measurements left of the budget, before the first step.
    """
    rate = min(_MOST_RATE, _EXPECTED / max(patients, 1.0))
    measured, budget = list(private.events), private.budget
    noise = noise_multiplier(
        epsilon=budget.epsilon, delta=budget.delta, sampling_rate=rate, steps=_STEPS,
        others=measured,
    )  # fmt: skip
    mechanism = GradientMechanism(_CLIP, noise, rate, expected=rate * patients, steps=_STEPS)
    training = PrivateTraining(network, mechanism, rate=_RATE)
    folder = checkpoint / "private-steps" if checkpoint else None
    if folder is not None and (kept := read_tensors(folder, private.identity)) is not None:
        training.restore(*kept)
    while training.step < _STEPS:
        segment = training.step // _SEGMENT
        taken = training.step + _SEGMENT
        private.announce([*measured, PoissonGaussian(noise, rate, taken)])
        draws = private.stream.generator("draws", str(segment))
        steps = private.stream.generator("gradients", str(segment))
        for _ in range(_SEGMENT):
            training.take_step(levels, draws=draws, noise=steps)
        if folder is not None:
            write_tensors(folder, training.step, training.state(), private.identity)
        progress.update(training.step / _STEPS, f"Private step {training.step} of {_STEPS}")
    return training.network()

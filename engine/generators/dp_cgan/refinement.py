"""Drawn rows of a cohort follow the critic a few sweeps further, the columns that were asked for held fast.

The network sees a condition through one input layer and forgets part of it for rare cohorts; the critic's conditional
distributions hold every measured pair, so a few sweeps bring the other columns to where the condition puts them.
"""

from collections.abc import Mapping

import numpy as np
import torch

from engine.generators.dp_cgan.persistence import Model

_SWEEPS = 4


def refine(model: Model, levels: np.ndarray, limits: Mapping[int, np.ndarray], *, seed: int) -> np.ndarray:
    """``levels`` (rows, columns; network order) after a few sweeps; columns in ``limits`` stay as they are."""
    critic = model.critic
    if critic is None:
        return levels
    random = torch.Generator().manual_seed((seed + 1) % 2**32)
    back = np.argsort(model.order)
    out = np.empty_like(levels)
    frozen = [model.order[place] for place in limits]
    with torch.inference_mode():
        for start in range(0, len(levels), 20_000):
            rows = critic.one_hot(levels[start : start + 20_000][:, back])
            for _ in range(_SWEEPS):
                critic.sweep(rows, random, frozen=frozen)
            out[start : start + 20_000] = critic.levels(rows)[:, model.order]
    return out

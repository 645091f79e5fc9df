"""Fits the network to encoded rows: AdamW on one cycle, averaged weights, the best epoch on held-back patients kept.

Every epoch draws from a random generator of its own (seed and epoch number), so an interrupted fit that continues from
its last checkpoint repeats exactly what an uninterrupted one does.
"""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.core.progress import Progress
from engine.core.randomness import generator as random_generator
from engine.generators.dp_cgan.checkpoint import read_checkpoint, write_checkpoint
from engine.generators.dp_cgan.network import Network

_AVERAGE = 0.99
_WARM_UP = 0.3
_MOST_GIVEN = 6
_NAMED_SHARE = 0.7
"""Rows whose condition names something; at half of them, conditions on late columns hardly moved early ones."""
_CONDITION_RATE = 3.0
"""Learning rate of the condition input, as a multiple: each of its weights is used in few rows."""
_PATIENCE = 4
_FEWEST_PASSES = 4
_MOST_CELLS = 40_000_000
"""Rows times columns times passes after which more passes hardly lower the held-out loss."""
_BETTER = 1e-3
_REPORT_SECONDS = 0.5


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: most passes over the rows.
        batch: rows of a step.
        rate: highest learning rate of the cycle.
        decay: weight decay of AdamW.
        dropout: share of hidden units switched off.
        patience: epochs without improvement on held-back patients before training stops.
    """

    epochs: int
    batch: int
    rate: float = 5e-3
    decay: float = 0.3
    dropout: float = 0.3
    patience: int = _PATIENCE

    @classmethod
    def suited(cls, *, rows: int, columns: int, levels: int, epochs: int, batch: int) -> "Recipe":
        """The recipe for a table, fixed by its size alone.

        Few rows per level need smaller steps and more restraint; of many rows fewer passes are enough.
        """
        scarce = rows < 3 * levels
        return cls(
            epochs=min(epochs, max(_FEWEST_PASSES, round(_MOST_CELLS / (rows * columns)))),
            batch=max(1, min(batch, max(8, rows // 30))),
            rate=5e-3 if rows >= 1_000 else 2e-3,
            decay=1.0 if scarce else 0.3,
            dropout=0.4 if scarce else 0.3,
        )

    @classmethod
    def of_chains(cls, *, rows: int, epochs: int) -> "Recipe":
        """The recipe for rows that a critic drew: there are many, and copying them closely is wanted."""
        return cls(epochs=min(epochs, 10), batch=max(8, min(500, rows // 30)), decay=0.1, dropout=0.1)


@dataclass
class State:
    """Everything that the rest of a training depends on; tensors by ``group.name``."""

    tensors: dict[str, Tensor]
    epoch: int = 0
    step: int = 0
    best_loss: float = math.inf
    best_epoch: int = 0
    cpu_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def initial(cls, network: Network) -> "State":
        """Before the first step."""
        tensors: dict[str, Tensor] = {}
        for name, value in network.weights.items():
            tensors[f"now.{name}"] = value.clone()
            tensors[f"average.{name}"] = value.clone()
            tensors[f"best.{name}"] = value.clone()
            tensors[f"first_moment.{name}"] = torch.zeros_like(value)
            tensors[f"second_moment.{name}"] = torch.zeros_like(value)
        return cls(tensors)

    def group(self, name: str) -> dict[str, Tensor]:
        """The tensors of one group by weight name."""
        return {
            key.removeprefix(f"{name}."): value for key, value in self.tensors.items() if key.startswith(f"{name}.")
        }

    def stops(self, recipe: Recipe) -> bool:
        """Whether nothing is left to do."""
        return self.epoch >= recipe.epochs or self.epoch - self.best_epoch >= recipe.patience


def train(
    network: Network,
    rows: Tensor,
    held_back: Tensor,
    *,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    checkpoint: Path | None,
    fingerprint: str,
) -> tuple[Network, State]:
    """The network of the best epoch, and how it got there.

    Args:
        network: where to start.
        rows: int64 (n, columns), levels to learn.
        held_back: int64 (m, columns), levels of other patients that choose the epoch; m may be 0.
        recipe: how to train.
        seed: of batches, dropout and conditions.
        progress: told of every epoch, and twice a second within.
        checkpoint: folder of the fit's states; continued when its last state has the same ``fingerprint``.
        fingerprint: of everything that the result depends on.

    Raises:
        Cancelled: from ``progress``; the states of completed epochs are kept.
    """
    state = (read_checkpoint(checkpoint, fingerprint) if checkpoint else None) or State.initial(network)
    begun = time.process_time() - state.cpu_seconds
    while not state.stops(recipe):
        loss = _epoch(network, rows, state, recipe=recipe, seed=seed, progress=progress)
        held = _held_back_loss(network, state, held_back, seed) if len(held_back) else loss
        state.epoch += 1
        if held < state.best_loss - _BETTER:
            state.best_loss, state.best_epoch = held, state.epoch
            for name, value in state.group("average").items():
                state.tensors[f"best.{name}"].copy_(value)
        state.cpu_seconds = time.process_time() - begun
        state.history.append({"epoch": state.epoch, "loss": loss, "validation_loss": held})
        if checkpoint:
            write_checkpoint(checkpoint, state, fingerprint)
        progress.update(
            state.epoch / recipe.epochs,
            f"Epoch {state.epoch} of at most {recipe.epochs}",
            loss=loss,
            validation_loss=held,
        )
    return Network(network.shape, state.group("best")), state


def _epoch(network: Network, rows: Tensor, state: State, *, recipe: Recipe, seed: int, progress: Progress) -> float:
    """One pass over the rows; changes ``state`` only at its end, so that a cancelled epoch leaves no trace."""
    random = torch.Generator()
    random.manual_seed(int(random_generator(seed, "epoch", str(state.epoch)).integers(2**62)))
    weights = {name: value.clone().requires_grad_(True) for name, value in state.group("now").items()}
    average = {name: value.clone() for name, value in state.group("average").items()}
    groups = [
        {"params": [weight], "factor": _CONDITION_RATE if name == "condition" else 1.0}
        for name, weight in weights.items()
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.decay, betas=(0.9, 0.99))
    for name, weight in weights.items():
        optimiser.state[weight] = {
            "step": torch.tensor(float(state.step)),
            "exp_avg": state.tensors[f"first_moment.{name}"].clone(),
            "exp_avg_sq": state.tensors[f"second_moment.{name}"].clone(),
        }
    learner = Network(network.shape, weights)
    steps = max(1, len(rows) // recipe.batch)
    shuffled = torch.randperm(len(rows), generator=random)
    total, step, told = 0.0, state.step, time.monotonic()
    for number in range(steps):
        batch = rows[shuffled[number * recipe.batch : (number + 1) * recipe.batch]]
        given = _given(len(batch), rows.shape[1], random)
        loss = learner.loss(learner.logits(batch, given, dropout=recipe.dropout, random=random), batch, ~given)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = group["factor"] * recipe.rate * _cycle(step / (steps * recipe.epochs))
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        total += loss.item()
        keep = min(_AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in weights.items():
                average[name].lerp_(value, 1 - keep)
        if time.monotonic() - told > _REPORT_SECONDS:
            told = time.monotonic()
            done = (state.epoch + (number + 1) / steps) / recipe.epochs
            progress.update(done, f"Epoch {state.epoch + 1} of at most {recipe.epochs}", loss=total / (number + 1))
    state.step = step
    for name, weight in weights.items():
        moments = optimiser.state[weight]
        state.tensors[f"now.{name}"] = weight.detach()
        state.tensors[f"average.{name}"] = average[name]
        state.tensors[f"first_moment.{name}"] = moments["exp_avg"]
        state.tensors[f"second_moment.{name}"] = moments["exp_avg_sq"]
    return total / steps


def _given(rows: int, columns: int, random: torch.Generator) -> Tensor:
    """Columns that the condition names, bool (rows, columns): none in some rows, 1 to 6 in the others."""
    most = min(_MOST_GIVEN, columns - 1)
    if most < 1:
        return torch.zeros(rows, columns, dtype=torch.bool)
    # Few columns are named more often than many, as in requests: uniform on the logarithm.
    wanted = torch.exp(torch.rand(rows, 1, generator=random) * math.log(most + 1)).floor()
    rank = torch.rand(rows, columns, generator=random).argsort(1).argsort(1)
    return (rank < wanted) & (torch.rand(rows, 1, generator=random) < _NAMED_SHARE)


def _cycle(done: float) -> float:
    """Share of the highest learning rate when ``done`` in [0, 1] of the steps are taken (Smith 2018, one cycle)."""
    if done < _WARM_UP:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / _WARM_UP)) / 2
    return 1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2


def _held_back_loss(network: Network, state: State, held_back: Tensor, seed: int) -> float:
    """Mean of the losses without and with a condition, so that training goes on while either improves."""
    judge = Network(network.shape, state.group("average"))
    random = torch.Generator().manual_seed(seed)
    nothing = torch.zeros(held_back.shape, dtype=torch.bool)
    named = _given(len(held_back), held_back.shape[1], random)
    with torch.no_grad():
        free = judge.loss(judge.logits(held_back, nothing, random=random), held_back, ~nothing)
        told = judge.loss(judge.logits(held_back, named, random=random), held_back, ~named)
    return ((free + told) / 2).item()


def split_rows(patients: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row indices to learn from and to hold back, apart by patient; nothing is held back from fewer than 30 patients.

    Args:
        patients: (rows,) whole numbers that name each row's patient.
        seed: of the choice.
    """
    names = np.unique(patients)
    share = 0.2 if len(names) < 500 else 0.1
    held = min(2_000, round(len(names) * share)) if len(names) >= 30 else 0
    chosen = random_generator(seed, "held back").permutation(names)[:held]
    back = np.isin(patients, chosen)
    return np.flatnonzero(~back), np.flatnonzero(back)

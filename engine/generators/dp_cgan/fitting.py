"""From material to a model: the network is trained, perhaps with private gradients, calibrated, and a pool is drawn."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.progress import Part, Progress
from engine.core.randomness import generator as random_generator
from engine.generators.base import FitReport
from engine.generators.dp_cgan.calibration import rake, shift_to_marginals
from engine.generators.dp_cgan.conditional import Pool
from engine.generators.dp_cgan.material import Material, PrivateFit
from engine.generators.dp_cgan.network import Network, Shape
from engine.generators.dp_cgan.persistence import Model
from engine.generators.dp_cgan.private_steps import take_private_steps
from engine.generators.dp_cgan.sampler import Sampler
from engine.generators.dp_cgan.structure import Nesting, column_order
from engine.generators.dp_cgan.training import Recipe, split_rows, train

_MOST_HIDDEN = 960
_SMOOTHING = 0.5
_POOL_ROWS = 20_000
_POOL_ROWS_WIDE = 10_000
_WIDE = 50


@dataclass(frozen=True)
class Learned:
    """Everything of a model but its report.

    Attributes:
        material: what was learned from.
        order: for each place in the network, the index of its column in the encoding.
        shape: of the network.
        weights: folded and calibrated.
        nestings: by place in the network.
        pool: freely drawn rows.
        history: of the training, by epoch.
        best_epoch: whose weights they are.
        held: rows that chose the epoch.
    """

    material: Material
    order: tuple[int, ...]
    shape: Shape
    weights: dict[str, Tensor]
    nestings: tuple[Nesting, ...]
    pool: Pool
    history: list[dict[str, float]]
    best_epoch: int
    held: int

    def model(self, report: FitReport) -> Model:
        """The model with the report of its fit."""
        summary = self.material.summary
        return Model(
            self.material.encoding, self.order, self.shape, self.weights, self.nestings, self.pool, report,
            self.material.patients, self.material.critic, None if summary is None else summary.stated(report.privacy),
        )  # fmt: skip


def learn(
    material: Material,
    options: Mapping[str, Any],
    *,
    seed: int,
    private: PrivateFit | None,
    real: np.ndarray | None,
    checkpoint: Path | None,
    progress: Progress,
) -> Learned:
    """Train, calibrate and draw the pool.

    Args:
        material: what to learn from.
        options: resolved options of the generator.
        seed: of everything random but private noise.
        private: of a private fit.
        real: of a private fit, the levels of the real rows, for private gradients alone.
        checkpoint: folder of the fit's states.
        progress: told of every epoch.
    """
    encoding = material.encoding
    order = tuple(column_order(encoding.sizes, material.nestings))
    counts = [encoding.columns[column].counts for column in order]
    shape = Shape(
        tuple(len(part) for part in counts),
        tuple(encoding.columns[column].bins is not None for column in order),
        max(4, min(options["hidden_per_column"], _MOST_HIDDEN // len(order))),
    )
    rows = torch.from_numpy(material.levels[:, order].astype(np.int64))
    learned, held = split_rows(material.groups, seed)
    recipe = (
        Recipe.of_chains(rows=len(learned), epochs=options["epochs"])
        if private
        else Recipe.suited(
            rows=len(learned),
            columns=len(order),
            levels=shape.total,
            epochs=options["epochs"],
            batch=options["batch_size"],
        )
    )
    random = torch.Generator().manual_seed(int(random_generator(seed, "weights").integers(2**62)))
    network = Network.initial(shape, marginals=[_smoothed(part) for part in counts], random=random)
    progress.update(0.0, f"Learning {len(order)} columns")
    network, state = train(
        network, rows[learned], rows[held], recipe=recipe, seed=seed, progress=Part(progress, 0.0, 0.9),
        checkpoint=checkpoint, fingerprint=_fingerprint(material, options, seed),
    )  # fmt: skip
    if private and real is not None and private.budget.gradient_share > 0:
        network = take_private_steps(
            network, real[:, order], private, patients=material.patients, checkpoint=checkpoint,
            progress=Part(progress, 0.9, 0.95),
        )  # fmt: skip
    progress.update(0.95, "Calibrating")
    placed = tuple(nesting.placed(order) for nesting in material.nestings)
    folded = without_unseen(network, counts)
    sampler = Sampler(shape, folded, seen=[part > 0 for part in counts], nestings=placed)
    shares = [part / part.sum() for part in counts]
    random_rows = random_generator(seed, "pool")
    pool_rows = _POOL_ROWS if len(order) <= _WIDE else _POOL_ROWS_WIDE
    shift_to_marginals(sampler, shares, rows=pool_rows // 2, random=random_rows)
    drawn = sampler.draw(pool_rows, random_rows).levels
    return Learned(
        material, order, shape, folded | {"bias_3": sampler.output_bias}, placed, Pool(drawn, rake(drawn, shares)),
        state.history, state.best_epoch, len(held),
    )  # fmt: skip


def _smoothed(counts: np.ndarray) -> Tensor:
    """Shares of the levels, every level possible."""
    return torch.from_numpy((counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * len(counts))).float()


def without_unseen(network: Network, counts: Sequence[np.ndarray]) -> dict[str, Tensor]:
    """Folded weights in which a level that no row had says nothing, rather than what it was initialised with."""
    weights = network.folded()
    unseen = torch.from_numpy(np.concatenate([part <= 0 for part in counts]))
    for name in ("embed", "condition"):
        weights[name][unseen] = 0.0
    return weights


def _fingerprint(material: Material, options: Mapping[str, Any], seed: int) -> str:
    """Names the inputs of a training; a checkpoint of other inputs is not continued."""
    digest = hashlib.sha256(np.ascontiguousarray(material.levels).tobytes())
    digest.update(np.ascontiguousarray(material.groups).tobytes())
    about = {
        "columns": [code.as_json() for code in material.encoding.columns], "options": dict(options), "seed": seed,
    }  # fmt: skip
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    digest.update(torch.__version__.encode())
    return digest.hexdigest()

"""Cohort Studio's own generator: a masked autoregressive conditional network over encoded columns, calibrated.

What happens in a fit: the columns are encoded as levels (:mod:`engine.generators.encoding`), columns that are coarser
versions of others are found (:mod:`.structure`), the network learns each column from the ones before it and from a
condition (:mod:`.network`, :mod:`.training`), its logits are shifted to the measured marginals and a pool of rows is
drawn and raked (:mod:`.calibration`). Real rows are read by encoding and training only; everything after works on the
model, which is where a differentially private training can take the place of this one.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from engine.cohort.conditions import Condition
from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.randomness import generator as random_generator
from engine.generators.base import FitReport, Generator
from engine.generators.dp_cgan.calibration import rake, shift_to_marginals, systematic
from engine.generators.dp_cgan.conditional import Pool, draw_within
from engine.generators.dp_cgan.limits import Limit, make_limit
from engine.generators.dp_cgan.network import Network, Shape
from engine.generators.dp_cgan.options import INFO
from engine.generators.dp_cgan.persistence import Model, load_model, save_model
from engine.generators.dp_cgan.sampler import Sampler
from engine.generators.dp_cgan.structure import column_order, find_nestings
from engine.generators.dp_cgan.training import Recipe, split_rows, train
from engine.generators.encoding import Encoding
from engine.generators.options import resolve
from engine.schema.table import TableSchema

_MOST_HIDDEN = 960
_SMOOTHING = 0.5
_POOL_ROWS = 20_000
_POOL_ROWS_WIDE = 10_000
_WIDE = 50
_RAKED_ROWS = 50_000
"""Up to this many rows a request is raked; beyond, its own noise is below what raking would take away."""
_OVERSAMPLING = 3


class DPCGAN(Generator):
    """The conditional generator of this product, in its first version without formal privacy."""

    name = INFO.name
    label = INFO.label
    privacy = INFO.privacy
    capabilities = INFO.capabilities

    def __init__(self) -> None:
        self._model: Model | None = None
        self._sampler: Sampler | None = None

    def fit(
        self,
        table: pd.DataFrame,
        schema: TableSchema,
        *,
        seed: int,
        options: Mapping[str, Any],
        progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:
        """Learn ``table``; see :class:`engine.generators.base.Generator`."""
        chosen = resolve(options, INFO.options, generator=self.name)
        if chosen["private"]:
            raise UserError(
                "this release of dp_cgan has no formal privacy yet, so private=True cannot be honoured",
                remedy="Train with private=False and treat model and cohorts as confidential.",
            )
        wall, cpu = time.monotonic(), time.process_time()
        encoding, levels = Encoding.learn(table, schema)
        sizes = encoding.sizes
        nestings = find_nestings(levels, sizes)
        order = column_order(sizes, nestings)
        shape = Shape(
            tuple(sizes[column] for column in order),
            tuple(encoding.columns[column].bins is not None for column in order),
            max(4, min(chosen["hidden_per_column"], _MOST_HIDDEN // len(order))),
        )
        key = schema.patient_key
        patients = pd.factorize(table[key], use_na_sentinel=False)[0] if key else np.arange(len(table))
        learned, held = split_rows(patients, seed)
        recipe = Recipe.suited(
            rows=len(learned), levels=sum(sizes), epochs=chosen["epochs"], batch=chosen["batch_size"]
        )
        shares = [_smoothed(encoding.columns[column].counts) for column in order]
        rows = torch.from_numpy(levels[:, order].astype(np.int64))
        random = torch.Generator().manual_seed(int(random_generator(seed, "weights").integers(2**62)))
        network = Network.initial(shape, marginals=[torch.from_numpy(share).float() for share in shares], random=random)
        progress.update(0.01, f"Learning {len(table):,} rows of {len(order)} columns")
        network, state = train(
            network, rows[learned], rows[held], recipe=recipe, seed=seed, progress=Part(progress, 0.01, 0.93),
            checkpoint=checkpoint, fingerprint=_fingerprint(levels, patients, encoding, chosen, seed),
        )  # fmt: skip
        progress.update(0.94, "Calibrating")
        counts = [encoding.columns[column].counts for column in order]
        placed = tuple(nesting.placed(order) for nesting in nestings)
        sampler = Sampler(shape, _without_unseen(network, counts), seen=[part > 0 for part in counts], nestings=placed)
        random_rows = random_generator(seed, "pool")
        pool_rows = _POOL_ROWS if len(order) <= _WIDE else _POOL_ROWS_WIDE
        shift_to_marginals(sampler, [part / part.sum() for part in counts], rows=pool_rows // 2, random=random_rows)
        drawn = sampler.draw(pool_rows, random_rows).levels
        pool = Pool(drawn, rake(drawn, [part / part.sum() for part in counts]))
        report = FitReport(
            generator=self.name, rows=len(table), patients=len(np.unique(patients)), columns=len(order), seed=seed,
            fit_cpu_seconds=time.process_time() - cpu, fit_wall_seconds=time.monotonic() - wall,
            history=state.history, notes=_notes(state.best_epoch, len(held), pool, placed, encoding, order),
        )  # fmt: skip
        weights = _without_unseen(network, counts) | {"bias_3": sampler.output_bias}
        self._use(Model(encoding, tuple(order), shape, weights, placed, pool, report))
        progress.update(1.0, "Trained")
        return report

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        """Draw rows; see :class:`engine.generators.base.Generator`."""
        model, sampler = self._fitted()
        limits = {
            model.encoding.position(name): make_limit(model.encoding.columns[model.encoding.position(name)], condition)
            for name, condition in (conditions or {}).items()
        }
        random = random_generator(seed, "sample")
        if rows <= 0:
            levels = model.pool.levels[:0]
        elif limits:
            places = {column: place for place, column in enumerate(model.order)}
            shares = {places[column]: limit.share for column, limit in limits.items()}
            levels = draw_within(sampler, model.pool, rows, shares, random)
        elif rows <= _RAKED_ROWS:
            levels = sampler.draw(_OVERSAMPLING * rows, random).levels
            counts = [model.encoding.columns[column].counts for column in model.order]
            weights = rake(levels, [part / part.sum() for part in counts])
            levels = levels[systematic(weights, rows, random)]
        else:
            levels = sampler.draw(rows, random).levels
        return self._decode(levels, limits, random)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``."""
        save_model(self._fitted()[0], folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote; see :class:`engine.generators.base.Generator`."""
        generator = cls()
        generator._use(load_model(folder))
        return generator

    def _use(self, model: Model) -> None:
        counts = [model.encoding.columns[column].counts for column in model.order]
        self.schema = model.encoding.schema
        self._sampler = Sampler(model.shape, model.weights, seen=[part > 0 for part in counts], nestings=model.nestings)
        self._model = model

    def _fitted(self) -> tuple[Model, Sampler]:
        if self._model is None or self._sampler is None:
            raise UserError("the generator has not been trained", remedy="Train it or load a trained model first.")
        return self._model, self._sampler

    def _decode(self, levels: np.ndarray, limits: Mapping[int, Limit], random: np.random.Generator) -> pd.DataFrame:
        model = self._fitted()[0]
        places = {column: place for place, column in enumerate(model.order)}
        values = {}
        for index, code in enumerate(model.encoding.columns):
            cells = limits[index].cells if index in limits else code.cells()
            values[code.column.name] = code.decode(
                levels[:, places[index]].astype(np.int64), cells=cells, random=random
            )
        return pd.DataFrame(values, index=pd.RangeIndex(len(levels)))


def _smoothed(counts: np.ndarray) -> np.ndarray:
    """Shares of the levels, every level possible."""
    return (counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * len(counts))


def _without_unseen(network: Network, counts: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """Folded weights in which a level that no row had says nothing, rather than what it was initialised with."""
    weights = network.folded()
    unseen = torch.from_numpy(np.concatenate([part <= 0 for part in counts]))
    for name in ("embed", "condition"):
        weights[name][unseen] = 0.0
    return weights


def _fingerprint(
    levels: np.ndarray, patients: np.ndarray, encoding: Encoding, options: Mapping[str, Any], seed: int
) -> str:
    """Names the inputs of a fit; a checkpoint of other inputs is not continued."""
    digest = hashlib.sha256(np.ascontiguousarray(levels).tobytes())
    digest.update(np.ascontiguousarray(patients).tobytes())
    about = {"columns": [code.as_json() for code in encoding.columns], "options": dict(options), "seed": seed}
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    digest.update(torch.__version__.encode())
    return digest.hexdigest()


def _notes(best_epoch: int, held: int, pool: Pool, nestings: tuple, encoding: Encoding, order: list[int]) -> list[str]:
    names = [encoding.columns[column].column.name for column in order]
    notes = ["No formal privacy: the model learned from the patients without a bound on what it remembers of one."]
    if held:
        notes.append(f"Weights of epoch {best_epoch}, the best on {held:,} rows of patients held back.")
    effective = pool.weights.sum() ** 2 / (pool.weights**2).sum() / len(pool.weights)
    notes.append(f"Raking to the columns' distributions keeps {effective:.0%} of the rows' effective number.")
    notes += [f"{names[part.coarse]} follows from {names[part.fine]} and is kept consistent." for part in nestings]
    return notes

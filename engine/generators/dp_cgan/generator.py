"""Cohort Studio's own generator: a masked autoregressive conditional network, with a critic where it is private.

A fit in one paragraph. Without formal privacy, the columns are encoded as levels (:mod:`engine.generators.encoding`),
columns that are coarser versions of others are found (:mod:`.structure`) and the network learns each column from the
ones before it and from a condition (:mod:`.network`, :mod:`.training`). With a budget (ε, δ), the encoding and tables
of pairs are *measured* (:mod:`engine.generators.private_encoding`, :mod:`.pairs`), a critic learns what tells the
measured patients from generated ones (:mod:`.critic`), and the network learns from the rows that the critic's chains
drew. In both cases its logits are shifted to the known marginals and a pool of rows is drawn and raked
(:mod:`.calibration`).

Why a private fit is (ε, δ)-differentially private
--------------------------------------------------
*Neighbours*: two tables that differ by one patient, added or removed, with all her rows. *Public*: column names,
kinds, roles and units that a person confirmed, bounds of the clinical catalogue and declared ones, category lists
that are marked public, the options and the seed. Everything else comes from measurements.

1. Of each patient one row is kept, drawn by a keyed hash of her own name: she has at most one row, and no say in
   others'.
2. Every measurement is a histogram in which a patient is in at most one cell: L2 sensitivity 1, Gaussian noise
   rounded to
   whole numbers on whole counts, which is post-processing of the Gaussian mechanism (:mod:`engine.privacy.noise`).
   They are: the number of patients, the decimals, orders of magnitude, the margins, and tables of pairs. What is
   measured next depends on earlier *noisy* results only; adaptive composition of Gaussian mechanisms is exact in μ² =
   Σ 1/σ² (Dong, Roth and Su 2022), and μ turns into (ε, δ) by Balle and Wang 2018, theorem 8.
3. Category lists that are not public are found by a noisy threshold; a category of one patient alone passes with a
   probability that is taken from δ (:mod:`engine.privacy.measurement` has the argument for both directions).
4. The choice of the pairs reads coarse noisy tables only, so it needs no mechanism of its own.
5. Everything else reads nothing but the above: the critic, its chains, the network with its early stopping (the
   held-back rows are chain rows), the calibration, the pool, cohorts and their support. Optional private gradients
   (``gradient_share``) read the rows again, as Poisson-sampled Gaussian mechanisms (:mod:`.gradients`).
6. The noise is solved before the first measurement from (ε, δ) and the number of measurements; the events are written
   down before each. Two accountants state what was spent and the larger figure is reported; nothing is clamped.

What the guarantee does not cover: the hold-out and every figure computed on real rows outside the fit (evaluation, the
count of supporting patients in the form); the time a fit takes; that the hash and the stream cipher behind the noise
are as good as random; floating point in the private gradients; and the choice of options after looking at results,
for which the ledger charges every run.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition
from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.randomness import generator as random_generator
from engine.generators.base import FitReport, Generator
from engine.generators.dp_cgan.calibration import BALANCED_FROM, balanced
from engine.generators.dp_cgan.conditional import chance, draw_within
from engine.generators.dp_cgan.fitting import learn
from engine.generators.dp_cgan.limits import Limit, make_limit
from engine.generators.dp_cgan.material import PrivateFit, identity_of, of_measurements, of_rows, patient_numbers
from engine.generators.dp_cgan.options import INFO
from engine.generators.dp_cgan.persistence import Model, load_model, save_model
from engine.generators.dp_cgan.refinement import refine
from engine.generators.dp_cgan.reporting import fit_report, private_statement
from engine.generators.dp_cgan.sampler import Sampler
from engine.generators.options import resolve
from engine.schema.table import TableSchema

_BALANCED_ROWS = 20_000
"""Up to this many rows a request is balanced; beyond, its own noise is small anyway."""
_OVERSAMPLING = 1.3 * BALANCED_FROM


class DPCGAN(Generator):
    """The conditional generator of this product: private by budget, obedient by construction."""

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
        """Learn ``table``; see :class:`engine.generators.base.Generator`.

        ``private`` must be given; with True, so must ``epsilon`` and ``delta``.
        """
        chosen = _resolved(options)
        wall, cpu = time.monotonic(), time.process_time()
        private, real = None, None
        if chosen["private"]:
            private = PrivateFit.begin(table, schema, seed=seed, options=chosen, folder=checkpoint)
            progress.update(0.0, "Measuring privately")
            rows = private.one_row_each(table, schema)
            material, real = of_measurements(rows, schema, private, seed=seed, progress=Part(progress, 0.01, 0.4))
        else:
            material = of_rows(table, schema, seed=seed, progress=Part(progress, 0.0, 0.2))
        learned = learn(
            material, chosen, seed=seed, private=private, real=real, checkpoint=checkpoint,
            progress=Part(progress, 0.4 if private else 0.2, 0.99),
        )  # fmt: skip
        report = fit_report(
            learned, private_statement(private) if private else {}, generator=self.name, seed=seed,
            cpu_seconds=time.process_time() - cpu, wall_seconds=time.monotonic() - wall,
            size=None if private else (len(table), int(patient_numbers(table, schema).max()) + 1),
        )  # fmt: skip
        self._use(learned.model(report))
        progress.update(1.0, "Trained")
        return report

    def privacy_identity(
        self, table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any]
    ) -> str:
        """What names the release that a private fit would make: equal inputs give the same one, which costs once."""
        return identity_of(table, schema, seed=seed, options=_resolved(options))

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        """Draw rows; see :class:`engine.generators.base.Generator`."""
        model, sampler = self._fitted()
        limits = self._limits(conditions or {})
        random = random_generator(seed, "sample")
        if rows <= 0:
            levels = model.pool.levels[:0]
        elif limits:
            shares = {model.place(column): limit.share for column, limit in limits.items()}
            levels = draw_within(sampler, model.pool, rows, shares, random)
            levels = refine(model, levels, shares, seed=seed)
        elif rows <= _BALANCED_ROWS:
            levels = sampler.draw(round(_OVERSAMPLING * rows), random).levels
            levels = balanced(levels, model.shape.levels, model.shares, rows=rows, random=random)
        else:
            levels = sampler.draw(rows, random).levels
        return self._decode(levels, limits, random)

    def support(self, conditions: Mapping[str, Condition]) -> float:
        """Patients behind ``conditions`` as the model has it; see :class:`engine.generators.base.Generator`."""
        model, _ = self._fitted()
        shares = {model.place(column): limit.share for column, limit in self._limits(conditions).items()}
        return model.patients * float(np.average(chance(model.pool.levels, shares), weights=model.pool.weights))

    def statement(self) -> dict[str, Any]:
        """Epsilon, delta, unit, neighbours, events; see :class:`engine.generators.base.Generator`."""
        return self._fitted()[0].report.privacy

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
        self.schema = model.encoding.schema
        seen = [share > 0 for share in model.shares]
        self._sampler = Sampler(model.shape, model.weights, seen=seen, nestings=model.nestings)
        self._model = model

    def _fitted(self) -> tuple[Model, Sampler]:
        if self._model is None or self._sampler is None:
            raise UserError("the generator has not been trained", remedy="Train it or load a trained model first.")
        return self._model, self._sampler

    def _limits(self, conditions: Mapping[str, Condition]) -> dict[int, Limit]:
        """The limit on each conditioned column, by its position in the encoding."""
        encoding = self._fitted()[0].encoding
        positions = {name: encoding.position(name) for name in conditions}
        return {
            position: make_limit(encoding.columns[position], conditions[name]) for name, position in positions.items()
        }

    def _decode(self, levels: np.ndarray, limits: Mapping[int, Limit], random: np.random.Generator) -> pd.DataFrame:
        model = self._fitted()[0]
        values = {}
        for index, code in enumerate(model.encoding.columns):
            cells = limits[index].cells if index in limits else code.cells()
            values[code.column.name] = code.decode(
                levels[:, model.place(index)].astype(np.int64), cells=cells, random=random
            )
        return pd.DataFrame(values, index=pd.RangeIndex(len(levels)))


def _resolved(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen = resolve(options, INFO.options, generator=INFO.name)
    if chosen["private"] is None:
        raise UserError(
            f"{INFO.name} is not told whether to be private",
            remedy="Give private=True with epsilon and delta, or private=False.",
        )
    if not chosen["private"] and (chosen["epsilon"] is not None or chosen["delta"] is not None):
        raise UserError("epsilon and delta are given to a fit with private=False", remedy="Give private=True.")
    return chosen

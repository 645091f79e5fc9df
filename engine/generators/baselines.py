"""The single-table synthesizers of SDV 2.0.0, as baselines. The only module that imports sdv (Business Source License).

No formal privacy. Categories and booleans go in as categories with an explicit *missing* level; numbers, integers and
dates as numbers with SDV's own treatment of missing values (drawn at their rate, independent of the row).
"""

from collections.abc import Callable, Mapping
from typing import Any

import ctgan.synthesizers.ctgan as ctgan_module
import ctgan.synthesizers.tvae as tvae_module
import pandas as pd
from copulas.multivariate import GaussianMultivariate
from sdv.logging import disable_single_table_logger
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

from engine.core.progress import Part, Progress
from engine.generators.exchange import Exchange
from engine.generators.reservoir import Drawn, ReservoirGenerator, draw_in_parts, reported_training

TABLE = "patients"
_PACK = 10


class GaussianCopula(ReservoirGenerator):
    """Beta marginals joined by a Gaussian copula."""

    name = "gaussian_copula"
    label = "Gaussian copula (SDV)"
    package = "sdv 2.0.0"

    def _train_and_draw(
        self, exchange: Exchange, *, rows: int, seed: int, options: Mapping[str, Any], progress: Progress
    ) -> Drawn:
        columns = len(exchange.frame.columns)
        learning = Part(progress, 0.0, 0.5)
        fitted = 0

        class Reporting(GaussianMultivariate):
            def _get_distribution_for_column(self, column_name: str) -> Any:
                nonlocal fitted
                learning.update(fitted / columns, f"Learning column {fitted + 1} of {columns}")
                fitted += 1
                return super()._get_distribution_for_column(column_name)

        class Synthesizer(GaussianCopulaSynthesizer):
            def _initialize_model(self, numerical_distributions: Any) -> GaussianMultivariate:
                return Reporting(distribution=numerical_distributions)

        with disable_single_table_logger():
            synthesizer: Any = Synthesizer(_metadata(exchange))
            synthesizer.fit({TABLE: exchange.frame})
            return Drawn(_draw(synthesizer, rows=rows, seed=seed, progress=Part(progress, 0.5, 1.0)))


class CTGAN(ReservoirGenerator):
    """Conditional tabular GAN (Xu et al. 2019)."""

    name = "ctgan"
    label = "CTGAN (SDV)"
    package = "sdv 2.0.0"

    def _train_and_draw(
        self, exchange: Exchange, *, rows: int, seed: int, options: Mapping[str, Any], progress: Progress
    ) -> Drawn:
        batch = max(_PACK, min(int(options["batch_size"]), len(exchange.frame)) // _PACK * _PACK)
        with disable_single_table_logger():
            synthesizer: Any = CTGANSynthesizer(
                _metadata(exchange), epochs=int(options["epochs"]), batch_size=batch, enable_gpu=False
            )

            def losses() -> dict[str, float]:
                last = synthesizer._model.loss_values.iloc[-1]
                return {
                    "generator_loss": float(last["Generator Loss"]),
                    "discriminator_loss": float(last["Discriminator Loss"]),
                }

            return _train_network(synthesizer, exchange, ctgan_module, losses, rows, seed, progress)


class TVAE(ReservoirGenerator):
    """Tabular variational autoencoder (Xu et al. 2019)."""

    name = "tvae"
    label = "TVAE (SDV)"
    package = "sdv 2.0.0"

    def _train_and_draw(
        self, exchange: Exchange, *, rows: int, seed: int, options: Mapping[str, Any], progress: Progress
    ) -> Drawn:
        with disable_single_table_logger():
            synthesizer: Any = TVAESynthesizer(
                _metadata(exchange),
                epochs=int(options["epochs"]),
                batch_size=int(options["batch_size"]),
                enable_gpu=False,
            )

            def losses() -> dict[str, float]:
                values: pd.DataFrame = synthesizer._model.loss_values  # one row per batch, of all epochs so far
                last = values[values["Epoch"] == values["Epoch"].max()]
                return {"loss": float(last["Loss"].to_numpy(dtype=float).mean())}

            return _train_network(synthesizer, exchange, tvae_module, losses, rows, seed, progress)


def _train_network(
    synthesizer: Any,
    exchange: Exchange,
    module: Any,
    losses: Callable[[], dict[str, float]],
    rows: int,
    seed: int,
    progress: Progress,
) -> Drawn:
    columns = len(exchange.frame.columns)
    with reported_training(module, Part(progress, 0.0, 0.9), columns=columns, losses=losses) as history:
        synthesizer.fit({TABLE: exchange.frame})
    return Drawn(_draw(synthesizer, rows=rows, seed=seed, progress=Part(progress, 0.9, 1.0)), history)


def _metadata(exchange: Exchange) -> Metadata:
    columns = {
        code: {"sdtype": "categorical" if code in exchange.categorical else "numerical"}
        for code in exchange.frame.columns
    }
    return Metadata.load_from_dict({"tables": {TABLE: {"columns": columns}}})


def _draw(synthesizer: Any, *, rows: int, seed: int, progress: Progress) -> pd.DataFrame:
    # SDV fixes the seed of its draws unless it was set before.
    synthesizer._set_random_state(seed)
    return draw_in_parts(lambda part: synthesizer.sample(part)[TABLE], rows=rows, progress=progress)

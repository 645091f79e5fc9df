"""The published package ``dp-cgans`` 0.3.0, for reproducing and comparing its results. No formal privacy.

What its audit found, and how this wrapper answers:

- Every fit writes a pickle of fitted transformers and a loss file into the working folder: the pickle is not written,
  the rest goes to a private temporary folder that is deleted. Its own model files are never written or read; only
  synthetic rows are kept.
- ``conditions=`` crashes on pandas 2: conditions are obeyed by filtering.
- Each category value becomes a two-valued column of its own, and all pairs of those are tabulated: time and memory grow
  with the square of the number of values, and again with it in the loss. The sum of values is capped.
- Its cross-pair loss is a sum over pairs of terms that don't depend on the pair; :func:`_cross_pair_loss` is the same
  number in closed form.
- ``private=True`` is refused: gradients are not clipped per example, one noise value is drawn for a whole matrix, its
  hooks pile up at each step, and exact frequencies drive the conditions, so the epsilon that it prints is no bound.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from dp_cgans import DP_CGAN, DPCGANSynthesizer
from dp_cgans.synthesizers import dp_cgan as training_module

from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.generators.base import FitReport
from engine.generators.exchange import Exchange
from engine.generators.reservoir import Drawn, ReservoirGenerator, draw_in_parts, reported_training
from engine.schema.table import TableSchema

MAX_CATEGORY_VALUES = 60
"""Sum over the categorical columns of their numbers of values; 5,000 rows then take 1.2 CPU seconds an epoch."""
_MAX_PAIR_BYTES = 2 * 2**30
"""The package lists the rows of each pair of values: 8 bytes for each row and pair."""
PACK = 10
"""Rows that the package's discriminator judges together; a batch is a multiple."""


class DPCGANSPackage(ReservoirGenerator):
    """DP-CGANS as published (Sun et al. 2023), trained without its privacy switch."""

    name = "dp_cgans"
    label = "DP-CGANS 0.3.0 (published package)"
    package = "dp-cgans 0.3.0"

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
        """As :meth:`ReservoirGenerator.fit`.

        Raises:
            UserError: ``private`` was asked for, or the columns have too many categories for the package.
        """
        if options.get("private"):
            raise UserError(
                "dp_cgans cannot be trained with private=true: the package neither clips each row's gradient nor adds "
                "independent noise, so the epsilon it reports bounds nothing",
                remedy="Train without it and treat the model as confidential.",
            )
        kept = {name: value for name, value in options.items() if name != "private"}
        return super().fit(table, schema, seed=seed, options=kept, progress=progress, checkpoint=checkpoint)

    def _check(self, exchange: Exchange) -> None:
        super()._check(exchange)
        values = {code: exchange.frame[code].nunique() for code in exchange.categorical}
        total = sum(values.values())
        most = category_value_limit(len(exchange.frame))
        if total > most:
            largest = sorted(values, key=lambda code: -values[code])[:5]
            named = ", ".join(f"{exchange.title(code)} ({values[code]})" for code in largest)
            raise UserError(
                f"the categorical columns have {total} values together (missing counted), and dp_cgans can learn at "
                f"most {most} with {len(exchange.frame):,} rows",
                where=f"most values: {named}",
                remedy="Exclude or group such columns, or use the dp_cgan generator.",
            )

    def _train_and_draw(
        self, exchange: Exchange, *, rows: int, seed: int, options: Mapping[str, Any], progress: Progress
    ) -> Drawn:
        values = sum(exchange.frame[code].nunique() for code in exchange.categorical)
        columns = values + len(exchange.frame.columns) - len(exchange.categorical)
        rows_per_step = batch_size(len(exchange.frame), int(options["batch_size"]))
        model = _Model(epochs=int(options["epochs"]), batch_size=rows_per_step, cuda=False, saved_transformer=None)

        def draw(part: int) -> pd.DataFrame:
            return pd.DataFrame(model.sample(part))

        with private_folder() as folder, _no_pickles():
            hooks = reported_training(
                training_module, Part(progress, 0.0, 0.95), columns=columns, losses=lambda: _losses(folder)
            )
            with hooks as history:
                model.fit(exchange.frame)
            frame = draw_in_parts(draw, rows=rows, progress=Part(progress, 0.95, 1.0))
        return Drawn(frame, history)


class _Synthesizer(DPCGANSynthesizer):
    def _cond_loss_pair(self, data: torch.Tensor, c_pair: torch.Tensor, m_pair: torch.Tensor) -> torch.Tensor:
        spans: list[tuple[int, int]] = []
        start = 0
        transformer: Any = self._transformer
        for column in transformer.output_info_list:
            width = sum(int(span.dim) for span in column)
            if len(column) == 1 and column[0].activation_fn == "softmax":
                spans.append((start, start + width))
            start += width
        return _cross_pair_loss(data, c_pair, m_pair, spans)


class _Model(DP_CGAN):
    _MODEL_CLASS = _Synthesizer


def _cross_pair_loss(
    data: torch.Tensor, condition: torch.Tensor, mask: torch.Tensor, spans: list[tuple[int, int]]
) -> torch.Tensor:
    """The package's ``_cond_loss_pair`` without its loop over pairs.

    For D discrete columns and n rows the package averages, over D(D-1)/2 pairs and n rows, the summed binary
    cross-entropies of the pair's columns, each masked by its own column. A column is in D-1 pairs, hence
    ``2 / (n D) * sum of all masked cross-entropies``.

    Args:
        data: logits, ``(n, width)``.
        condition: the conditional vectors, ``(n, sum of span widths)``.
        mask: which columns condition each row, ``(n, D)``.
        spans: where each discrete column lies in ``data``.
    """
    logits = torch.cat([data[:, start:end] for start, end in spans], dim=1)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, condition, reduction="none")
    widths = torch.tensor([end - start for start, end in spans])
    weights = mask.repeat_interleave(widths, dim=1)
    return 2 * (entropy * weights).sum() / (len(data) * len(spans))


def category_value_limit(rows: int) -> int:
    """The largest sum of category values that the package copes with at ``rows`` rows, in time and memory."""
    return min(MAX_CATEGORY_VALUES, int((2 * _MAX_PAIR_BYTES / 8 / rows) ** 0.5))


def batch_size(rows: int, wanted: int) -> int:
    """The largest even multiple of ten that is at most ``wanted`` and ``rows`` (at least ten)."""
    return max(PACK, min(wanted, rows) // PACK * PACK)


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary working folder that only this user can read; left and deleted at the end, whatever happens.

    The working folder belongs to the whole process, so this is for the worker and the command line only.
    """
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="cohort-studio-") as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _no_pickles() -> Iterator[None]:
    original = training_module.joblib
    training_module.joblib = SimpleNamespace(dump=lambda *_: None)
    try:
        yield
    finally:
        training_module.joblib = original


def _losses(folder: Path) -> dict[str, float]:
    # The package keeps its losses nowhere but in this file; it is flushed before the epoch ends.
    files = sorted(folder.glob("loss_output_*.txt"))
    if not files:
        return {}
    _, generator, discriminator, *_ = files[-1].read_text().splitlines()[-1].split(",")
    return {"generator_loss": float(generator), "discriminator_loss": float(discriminator)}

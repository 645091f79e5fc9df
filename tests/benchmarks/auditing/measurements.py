"""Audits of measured counts: canaries in cells of their own, and categories that one patient has."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from engine.generators.dp_cgan.budget import PairBudget
from engine.generators.dp_cgan.pairs import measure_pairs
from engine.generators.encoding import ColumnCode, Encoding
from engine.generators.private_encoding import PrivateEncoding, learn_privately
from engine.privacy.accounting import gaussian_mu
from engine.privacy.measurement import Histogram, Measurer
from engine.privacy.noise import NoiseStream
from engine.privacy.summary import Margin
from engine.schema.table import Column, Kind, TableSchema, conform
from tests.benchmarks.auditing.bounds import OneRun, one_run, share_interval

solved = cache(gaussian_mu)
Measure = Callable[[int, NoiseStream], Measurer]


def plain(patients: int, stream: NoiseStream) -> Measurer:
    """The real measurer."""
    return Measurer(patients, stream, lambda events: None)


def categories_of(sizes: tuple[int, ...]) -> Encoding:
    """An encoding of public categories, for tables that are made of levels outright."""
    codes = []
    for number, size in enumerate(sizes):
        names = tuple(f"level {level}" for level in range(size - 1))
        column = Column(name=f"c{number}", kind=Kind.CATEGORICAL, categories=names, categories_are_public=True)
        codes.append(ColumnCode(column, np.append(np.arange(size - 1, 0, -1), 0).astype(float), names))
    return Encoding(tuple(codes))


def margins_of(encoding: Encoding) -> tuple[Margin, ...]:
    """The columns' counts as if measured with a noise of one patient."""
    return tuple(
        Margin(code.column, code.counts.astype(np.int64), 1.0, code.categories) for code in encoding.columns
    )  # fmt: skip


def histogram_audit(
    *, epsilon: float, delta: float, side: int, seed: int, stream: type[NoiseStream] = NoiseStream, copies: int = 1
) -> OneRun:
    """Each canary alone in a cell of a large histogram and of a table of two columns, half of the budget for each.

    Args:
        epsilon: of the claim.
        delta: of the claim.
        side: levels of each column; there are ``side``² canaries.
        seed: of coins and noise.
        stream: where the noise comes from.
        copies: how often every patient is counted; more than 1 is a bug.
    """
    included = np.random.default_rng(seed).random(side**2) < 0.5
    patients = np.repeat(np.flatnonzero(included), copies)
    square = solved(epsilon=epsilon, delta=delta) ** 2 / 2
    measurer = plain(len(patients), stream(f"histogram {seed} {epsilon}".encode()))
    (margin,) = measurer.measure([Histogram(("margin", "all"), lambda: patients, side**2, square**-0.5)])
    levels = np.column_stack([patients // side, patients % side]).astype(np.int32)
    encoding = categories_of((side, side))
    private = PrivateEncoding(encoding, levels, float(side**2 // 2), 1.0, margins_of(encoding))
    (table,) = measure_pairs(private, measurer=measurer, budget=PairBudget(1, square, 0.0))
    return one_run(margin + table.counts.ravel(), included, delta=delta)


def discovery_audit(
    *, delta: float, noise: float, categories: int, seed: int, measure: Measure = plain
) -> tuple[int, tuple[float, float]]:
    """How many of ``categories`` categories of one patient each are released, and the interval of the probability."""
    schema = TableSchema(columns=(Column(name="code", kind=Kind.CATEGORICAL),))
    table = conform(pd.DataFrame({"code": [f"only {number}" for number in range(categories)]}), schema)
    private = learn_privately(
        table, schema, shape_square=1.0,
        measurer=measure(categories, NoiseStream(f"discovery {seed} {noise}".encode())),
        margin_square=1 / noise**2, threshold_delta=delta, cells=lambda patients: 10, bins=lambda patients: 5,
    )  # fmt: skip
    assert abs(private.margin_noise[0] - noise) < 1e-9
    released = len(private.encoding.columns[0].categories)
    return released, share_interval(released, categories)

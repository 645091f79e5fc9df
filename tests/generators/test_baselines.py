"""The SDV baselines keep the contract, and learn what is planted."""

import numpy as np
import pandas as pd
import pytest
from contract import GeneratorContract

from engine.core.errors import UserError
from engine.core.progress import Silent
from engine.generators.baselines import GaussianCopula
from engine.schema.table import Column, Kind, TableSchema, conform


class TestGaussianCopula(GeneratorContract):
    generator = "gaussian_copula"
    options = {"reservoir_rows": 1_500}  # noqa: RUF012


class TestCTGAN(GeneratorContract):
    generator = "ctgan"
    options = {"epochs": 1, "batch_size": 100, "reservoir_rows": 1_500}  # noqa: RUF012


class TestTVAE(GeneratorContract):
    generator = "tvae"
    options = {"epochs": 1, "batch_size": 100, "reservoir_rows": 1_500}  # noqa: RUF012


PAIR = TableSchema(columns=(Column(name="x", kind=Kind.NUMERIC), Column(name="y", kind=Kind.NUMERIC)))


def test_the_copula_finds_a_planted_correlation() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    table = conform(pd.DataFrame({"x": x, "y": -x + random.normal(scale=0.3, size=400)}), PAIR)
    copula = GaussianCopula()
    copula.fit(table, PAIR, seed=1, options={"reservoir_rows": 1_000}, progress=Silent())
    drawn = copula.sample(1_000, seed=2)
    assert drawn["x"].corr(drawn["y"]) < -0.85


def test_too_few_rows_are_refused_before_the_package_crashes() -> None:
    table = conform(pd.DataFrame({"x": range(19), "y": range(19)}), PAIR)
    with pytest.raises(UserError, match=r"19 rows are too few for gaussian_copula.*20"):
        GaussianCopula().fit(table, PAIR, seed=1, options={}, progress=Silent())

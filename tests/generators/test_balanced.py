"""Drawn rows agree with their model beyond chance, and those of a cohort follow what was asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.generators.base import FitReport
from engine.generators.dp_cgan.calibration import BALANCED_FROM, balanced, rake, systematic
from engine.generators.dp_cgan.conditional import Pool
from engine.generators.dp_cgan.critic import Critic
from engine.generators.dp_cgan.network import Shape
from engine.generators.dp_cgan.persistence import Model
from engine.generators.dp_cgan.refinement import refine
from engine.generators.encoding import ColumnCode, Encoding
from engine.schema.table import Column, Kind

SIZES = [3, 4, 2, 5]
ROWS = 500


def pool_of(seed: int, rows: int = 6 * ROWS) -> np.ndarray:
    """B follows A, C follows B, D is skewed; B's last level is empty."""
    random = np.random.default_rng(seed)
    a = random.choice(3, rows, p=[0.6, 0.3, 0.1])
    b = np.where(random.random(rows) < 0.7, a, random.integers(0, 3, rows))
    c = (random.random(rows) < 0.2 + 0.3 * b).astype(int)
    d = random.choice(5, rows, p=[0.7, 0.15, 0.1, 0.04, 0.01])
    return np.column_stack([a, b, c, d]).astype(np.int32)


def shares_of(levels: np.ndarray) -> list[np.ndarray]:
    return [np.bincount(levels[:, at], minlength=size) / len(levels) for at, size in enumerate(SIZES)]


def pairs(levels: np.ndarray) -> np.ndarray:
    """Shares of all pairs of levels, flat."""
    hot = np.concatenate([np.eye(size)[levels[:, at]] for at, size in enumerate(SIZES)], 1)
    return (hot.T @ hot / len(hot)).ravel()


def gap(levels: np.ndarray, pool: np.ndarray) -> float:
    return float(np.linalg.norm(pairs(levels) - pairs(pool)))


@pytest.mark.parametrize(
    ("rows", "times"),
    [
        (4_000, 2.0),
        (1_000, 1.3),
        (500, 1.5),
    ],
)  # fmt: skip
def test_balanced_rows_have_the_pairs_of_the_pool(rows: int, times: float) -> None:
    even, plain = [], []
    for seed in range(6):
        pool, random = pool_of(seed, rows=6 * rows), np.random.default_rng(seed)
        shares = shares_of(pool)
        chosen = balanced(pool, SIZES, shares, rows=rows, random=random)
        assert chosen.shape == (rows, 4) and chosen.dtype == pool.dtype
        even.append(gap(chosen, pool))
        plain.append(gap(pool[systematic(rake(pool, shares), rows, random)], pool))
        if rows == 4_000:
            # Rare levels are not the price.
            assert np.abs(np.bincount(chosen[:, 3], minlength=5) / rows - shares[3]).max() < 0.01
    assert times * np.mean(even) < np.mean(plain)


@pytest.mark.parametrize("rows", [1, 2, 7, 129, 1_000])
def test_the_rows_are_the_pools_and_as_many_as_asked(rows: int) -> None:
    pool = pool_of(1, rows=BALANCED_FROM * rows + 3)
    chosen = balanced(pool, SIZES, shares_of(pool), rows=rows, random=np.random.default_rng(0))
    assert chosen.shape == (rows, 4)
    assert set(map(tuple, chosen.tolist())) <= set(map(tuple, pool.tolist()))


def test_a_generator_decides_the_rows() -> None:
    pool = pool_of(2)
    one, again, other = (
        balanced(pool, SIZES, shares_of(pool), rows=ROWS, random=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one == again).all() and (one != other).any()


def test_known_shares_are_followed_and_levels_of_share_zero_are_avoided() -> None:
    # The pool has too few of A's last level, and some of D's that nobody has.
    rows = 2_000
    pool = pool_of(3, rows=6 * rows)
    shares = shares_of(pool)
    shares[0] = np.array([0.5, 0.3, 0.2])
    shares[3] = np.array([0.75, 0.15, 0.1, 0.0, 0.0])
    chosen = balanced(pool, SIZES, shares, rows=rows, random=np.random.default_rng(0))
    assert np.bincount(chosen[:, 0]) / rows == pytest.approx(shares[0], abs=0.02)
    # Raked weights are at least a quarter before they are put on a mean of one.
    assert np.isin(chosen[:, 3], (3, 4)).mean() < 0.5 * np.isin(pool[:, 3], (3, 4)).mean()
    assert not (chosen[:, 1] == 3).any()


# Cohorts.

ORDER = (2, 0, 1)


def model_of(critic: Critic | None) -> Model:
    """A, B, C of three levels each; C is first in the network."""
    codes = tuple(
        ColumnCode(Column(name=name, kind=Kind.CATEGORICAL), np.array([50.0, 30.0, 20.0, 0.0]), ("x", "y", "z"))
        for name in "abc"
    )
    nothing = Pool(np.zeros((1, 3), np.int32), np.ones(1))
    report = FitReport(generator="dp_cgan", rows=100, patients=100, columns=3, seed=1)
    return Model(Encoding(codes), ORDER, Shape((4, 4, 4), (False,) * 3, 4), {}, (), nothing, report, 100.0, critic)


@pytest.fixture(scope="module")
def model() -> Model:
    """Its critic knows that B is A and nothing of C."""
    share = np.array([0.5, 0.3, 0.2, 0.0])
    bias = torch.from_numpy(np.tile(np.where(share > 0, np.log(np.maximum(share, 1e-9)), -60.0), 3)).float()
    strong = torch.zeros(4, 4)
    strong[:3, :3] = 6.0 * torch.eye(3)
    return model_of(Critic.unpacked([4, 4, 4], bias, strong.flatten(), [(0, 1)]))


def random_rows(rows: int = 3_000) -> np.ndarray:
    """In the network's order: C, A, B, each by itself."""
    return np.random.default_rng(0).integers(0, 3, (rows, 3)).astype(np.int32)


@pytest.mark.parametrize("asked", [1, 2])
def test_columns_beside_the_asked_one_are_repaired(model: Model, asked: int) -> None:
    rows = random_rows()
    assert (rows[:, 1] == rows[:, 2]).mean() < 0.4
    out = refine(model, rows, {asked: np.array([1.0, 1.0, 1.0, 0.0])}, seed=3)
    assert out.shape == rows.shape and out.dtype == rows.dtype
    assert (out[:, asked] == rows[:, asked]).all()
    # exp(6) to 1 against, for each of the other levels.
    assert (out[:, 1] == out[:, 2]).mean() > 0.97
    # C has no weights: it takes its own shares, whatever was drawn.
    assert np.bincount(out[:, 0], minlength=4) / len(out) == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.04)


def test_all_asked_or_no_critic_changes_nothing(model: Model) -> None:
    rows, whole = random_rows(200), np.array([1.0, 1.0, 1.0, 0.0])
    assert (refine(model, rows, dict.fromkeys(range(3), whole), seed=1) == rows).all()
    assert (refine(replace(model, critic=None), rows, {1: whole}, seed=1) == rows).all()
    assert refine(model, rows[:0], {1: whole}, seed=1).shape == (0, 3)


def test_a_seed_decides_and_large_requests_are_taken_in_parts(model: Model) -> None:
    rows, limits = random_rows(20_050), {2: np.array([1.0, 1.0, 1.0, 0.0])}
    one, again, other = (refine(model, rows, limits, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
    assert (one[20_000:, 1] == one[20_000:, 2]).mean() > 0.9

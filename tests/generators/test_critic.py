"""The critic follows measured pairs and nothing else; pairs are chosen, measured and paid for as announced."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.core.progress import Silent
from engine.generators.dp_cgan.budget import Budget, PairBudget
from engine.generators.dp_cgan.critic import Critic, PairTable, fit_critic
from engine.generators.dp_cgan.pairs import _strongest, association, coarse, count_pairs, measure_pairs
from engine.generators.private_encoding import PrivateEncoding
from engine.privacy.events import Event, Gaussian
from engine.privacy.measurement import Measurer
from engine.privacy.noise import NoiseStream
from engine.schema.table import Kind, conform
from tests.helpers.private_tables import encode, schema_of

SIZES = [3, 4, 2, 3]
ROWS = 6_000
PAIRS = list(combinations(range(4), 2))


def planted(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    """A decides B nine times in ten, B decides C, and D is by itself; level 3 of B and level 1 of D are empty."""
    random = np.random.default_rng(seed)
    a = random.choice(3, rows, p=[0.5, 0.3, 0.2])
    b = np.where(random.random(rows) < 0.9, a, random.integers(0, 3, rows))
    c = np.where(random.random(rows) < 0.9, b == 2, random.random(rows) < 0.5)
    d = random.choice([0, 2], rows, p=[0.6, 0.4])
    return np.column_stack([a, b, c, d]).astype(np.int32)


def shares_of(levels: np.ndarray, sizes: list[int] = SIZES) -> list[np.ndarray]:
    return [np.bincount(levels[:, at], minlength=size) / len(levels) for at, size in enumerate(sizes)]


def fitted(levels: np.ndarray, tables: list[PairTable], *, seed: int = 1, steps: int = 120, **more) -> tuple:
    return fit_critic(
        shares_of(levels), tables, ordered=[False] * 4, patients=float(len(levels)), seed=seed, progress=Silent(),
        steps=steps, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def exact() -> tuple[np.ndarray, Critic, torch.Tensor]:
    levels = planted()
    return levels, *fitted(levels, count_pairs(levels, SIZES, PAIRS))


def distance(table: PairTable, joint: np.ndarray) -> float:
    return 0.5 * float(np.abs(table.counts / table.total - joint).sum())


def test_chains_have_the_measured_pairs(exact: tuple) -> None:
    levels, critic, rows = exact
    drawn = critic.levels(rows)
    shares = shares_of(levels)
    for true, made in zip(count_pairs(levels, SIZES, PAIRS), count_pairs(drawn, SIZES, PAIRS), strict=True):
        assert distance(true, made.counts / made.total) < 0.03
    related = [(0, 1), (1, 2), (0, 2)]
    true, made = (count_pairs(part, SIZES, related) for part in (levels, drawn))
    for one, other in zip(true, made, strict=True):
        independent = distance(one, np.outer(shares[one.first], shares[one.second]))
        assert independent > 0.15
        assert 8 * distance(one, other.counts / other.total) < independent


def test_only_measured_pairs_have_weights_and_what_follows_from_them_is_followed() -> None:
    # A and C depend through B alone, so two tables are enough for the third.
    levels = planted()
    critic, rows = fitted(levels, count_pairs(levels, SIZES, [(0, 1), (1, 2)]))
    assert critic.weights[critic.blocks[0], critic.blocks[2]].abs().max() == 0
    (true,), (made,) = (count_pairs(part, SIZES, [(0, 2)]) for part in (levels, critic.levels(rows)))
    assert distance(true, made.counts / made.total) < 0.03


def test_levels_without_patients_are_never_drawn(exact: tuple) -> None:
    _, critic, _ = exact
    random = torch.Generator().manual_seed(5)
    rows = critic.start(20_000, [np.full(size, 1 / size) for size in SIZES], random)
    assert (critic.levels(rows)[:, 1] == 3).any()
    critic.sweep(rows, random)
    drawn = critic.levels(rows)
    assert set(drawn[:, 1]) == {0, 1, 2} and set(drawn[:, 3]) == {0, 2}
    assert (rows.sum(1) == len(SIZES)).all()


def noisy(levels: np.ndarray, noise: float, *, independent: bool, seed: int = 3) -> list[PairTable]:
    random, shares = np.random.default_rng(seed), shares_of(levels)
    tables = []
    for table in count_pairs(levels, SIZES, PAIRS):
        counts = np.outer(shares[table.first], shares[table.second]) * len(levels) if independent else table.counts
        noised = counts + np.rint(random.normal(0, noise, counts.shape))
        tables.append(PairTable(table.first, table.second, noised, table.total, noise))
    return tables


def strongest(critic: Critic, levels: np.ndarray) -> list[float]:
    """Of each pair, the largest weight between levels that are not rare."""
    often = [torch.from_numpy(share > 0.05) for share in shares_of(levels)]
    return [
        float(critic.weights[critic.blocks[a], critic.blocks[b]][often[a]][:, often[b]].abs().max()) for a, b in PAIRS
    ]


def test_noise_leaves_small_weights() -> None:
    levels, noise = planted(), 150.0
    kept, _ = fitted(levels, noisy(levels, noise, independent=False))
    a_b, b_c = strongest(kept, levels)[0], strongest(kept, levels)[3]
    weak, near, trusted = [], [], []
    for seed in range(4):
        tables = noisy(levels, noise, independent=True, seed=seed)
        lost, rows = fitted(levels, tables, steps=80)
        believing, _ = fitted(levels, [PairTable(t.first, t.second, t.counts, t.total, 0.0) for t in tables], steps=80)
        weak += strongest(lost, levels)
        trusted += strongest(believing, levels)
        for drawn, table in zip(count_pairs(lost.levels(rows), SIZES, PAIRS), tables, strict=True):
            shares = shares_of(levels)
            free = np.outer(shares[drawn.first], shares[drawn.second])
            near.append(distance(drawn, free) / distance(table, free))
    assert min(a_b, b_c) > 1.5
    assert np.median(weak) < 0.25 * min(a_b, b_c)
    # The same tables, taken at their word, pull harder; of what they say, less than half comes through.
    assert np.median(trusted) > 2 * np.median(weak)
    assert np.median(near) < 0.6


@pytest.mark.xfail(strict=True, reason="of some pure noise the table's own variance estimate is large by chance")
def test_no_table_of_noise_is_believed() -> None:
    levels = planted()
    lost, rows = fitted(levels, noisy(levels, 300.0, independent=True, seed=3), steps=80)
    (drawn,) = count_pairs(lost.levels(rows), SIZES, [(0, 1)])
    shares = shares_of(levels)
    assert distance(drawn, np.outer(shares[0], shares[1])) < 0.15


def test_weights_are_even_along_ordered_scales_only() -> None:
    # A ramp along ten bins and missing, with noise; of the same tables as categories, the weights jump more.
    bins, patients, noise = 10, 5_000, 80.0
    share, other = np.append(np.full(bins, 0.09), 0.1), np.array([0.5, 0.5])
    ramp = np.append(np.linspace(0.35, 0.65, bins), 0.5)
    exact = patients * share[:, None] * np.column_stack([ramp, 1 - ramp])
    jumps: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(3):
        counts = exact + np.random.default_rng(seed).normal(0, noise, exact.shape)
        for is_ordered, found in jumps.items():
            critic, _ = fit_critic(
                [share, other], [PairTable(0, 1, counts, patients, noise)], ordered=[is_ordered, False],
                patients=patients, seed=1, progress=Silent(), steps=100, chains=3_000,
            )  # fmt: skip
            contrast = (critic.weights[:bins, bins + 2] - critic.weights[:bins, bins + 1]).numpy()
            found.append(float(np.abs(np.diff(contrast, 2)).mean()))
            assert contrast[:3].mean() > contrast[-3:].mean() + 0.1
    assert np.median(jumps[True]) < 0.5 * np.median(jumps[False])


def test_frozen_columns_stay_and_limits_hold(exact: tuple) -> None:
    _, critic, _ = exact
    rows = critic.one_hot(planted(4_000, seed=9))
    before = critic.levels(rows)
    only = torch.log(torch.tensor([0.0, 1.0, 1.0]))
    critic.sweep(rows, torch.Generator().manual_seed(1), frozen=[1, 3], limits={0: only})
    after = critic.levels(rows)
    assert (after[:, [1, 3]] == before[:, [1, 3]]).all()
    assert set(after[:, 0]) == {1, 2}
    assert (after[:, 0] != before[:, 0]).any() and (after[:, 2] != before[:, 2]).any()
    # A follows the frozen B.
    assert (after[:, 0] == after[:, 1])[before[:, 1] > 0].mean() > 0.9


def test_packed_weights_come_back(exact: tuple) -> None:
    _, critic, _ = exact
    back = Critic.unpacked(SIZES, critic.bias, critic.packed(), critic.pairs)
    assert torch.equal(back.weights, critic.weights) and torch.equal(back.weights, back.weights.T)
    assert len(critic.packed()) == sum(SIZES[a] * SIZES[b] for a, b in PAIRS)
    bare = Critic(SIZES, critic.bias, torch.zeros_like(critic.weights), [])
    assert Critic.unpacked(SIZES, bare.bias, bare.packed(), []).weights.abs().sum() == 0


@pytest.mark.parametrize("pairs", [[], [(0, 5)], [(0, 5), (3, 5), (1, 2)], list(combinations(range(6), 2))])
def test_scores_read_from_neighbours_are_those_of_all_levels(pairs: list[tuple[int, int]]) -> None:
    sizes = [2, 3, 4, 2, 3, 4]
    random = torch.Generator().manual_seed(len(pairs))
    length = sum(sizes[a] * sizes[b] for a, b in pairs)
    bias = torch.randn(sum(sizes), generator=random)
    critic = Critic.unpacked(sizes, bias, torch.randn(length, generator=random), pairs)
    levels = np.random.default_rng(0).integers(0, sizes, (50, 6))
    rows = critic.one_hot(levels)
    assert (critic.levels(rows) == levels).all()
    for column, block in enumerate(critic.blocks):
        torch.testing.assert_close(critic.logits(rows, column), bias[block] + rows @ critic.weights[:, block])


def test_a_seed_decides_the_critic() -> None:
    levels = planted(500)
    tables = count_pairs(levels, SIZES, PAIRS)
    one, again, other = (fitted(levels, tables, seed=seed, steps=15, chains=1_500) for seed in (1, 1, 2))
    assert torch.equal(one[0].weights, again[0].weights) and torch.equal(one[1], again[1])
    assert not torch.equal(one[0].weights, other[0].weights) and not torch.equal(one[1], other[1])


# Pairs.


def test_association_is_none_of_noise_and_chance_and_all_of_dependence() -> None:
    random = np.random.default_rng(0)
    expected = 4_000 * np.outer([0.7, 0.3], [0.4, 0.6])
    for noise in (0.0, 60.0):
        found = [
            association(random.multinomial(4_000, (expected / 4_000).ravel()).reshape(2, 2)
                        + random.normal(0, noise, (2, 2)), noise)
            for _ in range(400)
        ]  # fmt: skip
        assert abs(np.mean(found)) < 0.01
    # φ² of a perfect pair is 1, and 1/4 where the diagonal holds three quarters.
    assert association(np.diag([2_000.0, 2_000.0]), 0.0) == pytest.approx(1, abs=0.01)
    assert association(np.array([[1_500.0, 500.0], [500.0, 1_500.0]]), 0.0) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("counts", "ordered", "halves"),
    [
        ([10, 10, 10, 10, 5], True, [0, 0, 1, 1, 0]),  # missing goes with the half that is not smaller: a tie is lower
        ([10, 10, 30, 30, 5], True, [0, 0, 0, 1, 0]),
        ([5, 5, 5, 40], True, [0, 0, 0, 1]),  # mostly missing
        ([90, 5, 5, 0], True, [0, 1, 1, 0]),  # one bin holds most: it against the rest
        ([5, 5, 90, 0], True, [0, 0, 1, 1]),
        ([7, 30, 8, 1], False, [1, 0, 1, 1]),
        ([7, 8, 1, 30], False, [1, 1, 1, 0]),
    ],
)
def test_coarse_halves(counts: list[int], ordered: bool, halves: list[int]) -> None:
    assert coarse(np.array(counts, float), ordered=ordered).tolist() == halves


def private_of(rows: int = 3_000, columns: int = 6) -> PrivateEncoding:
    """Categories x0…; x1 is x4 nine times in ten, the others are independent."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({f"x{at}": random.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2]) for at in range(columns)})
    frame["x1"] = np.where(random.random(rows) < 0.9, frame["x4"], frame["x1"])
    schema = schema_of(
        **{name: {"kind": Kind.CATEGORICAL, "categories": ("a", "b", "c"), "categories_are_public": True}
           for name in frame}
    )  # fmt: skip
    return encode(conform(frame, schema), schema, square=1e6)


def recording(rows: int) -> tuple[Measurer, list[Event]]:
    told: list[Event] = []

    def announce(events) -> None:
        told[:] = events

    return Measurer(rows, NoiseStream(b"pairs"), announce), told


def test_the_planted_pair_is_chosen() -> None:
    private = private_of()
    for square in (1e4, 0.3):
        measurer, _ = recording(3_000)
        assert _strongest(private, measurer=measurer, square=square, count=1) == [(1, 4)]


@pytest.mark.parametrize("budget", [PairBudget(15, 2.0, 0.0), PairBudget(5, 2.0, 0.4), PairBudget(1, 0.1, 0.7)])
def test_pairs_cost_what_their_budget_says(budget: PairBudget) -> None:
    private = private_of()
    measurer, told = recording(3_000)
    tables = measure_pairs(private, measurer=measurer, budget=budget)
    assert len(tables) == budget.count
    looks = 15 if budget.selection else 0
    assert len(told) == looks + budget.count and all(isinstance(event, Gaussian) for event in told)
    squares = [event.noise_multiplier**-2 for event in told if isinstance(event, Gaussian)]
    assert sum(squares[:looks]) == pytest.approx(budget.selection)
    assert sum(squares[looks:]) == pytest.approx(budget.measured)
    for table in tables:
        assert table.noise == budget.noise and table.counts.shape == (4, 4)
        assert table.total == pytest.approx(3_000, rel=0.05)
        (true,) = count_pairs(private.levels, [4] * 6, [(table.first, table.second)])
        assert np.abs(table.counts - true.counts).max() < 6 * table.noise


BUDGETS = [Budget(1.0, 1e-6, square, 1e-7, share) for square in (0.01, 1.0, 40.0) for share in (0.0, 0.6)]


@given(st.sampled_from(BUDGETS), st.floats(1, 1e7), st.integers(1, 400))
def test_the_parts_of_a_budget_never_exceed_it(budget: Budget, patients: float, columns: int) -> None:
    pairs = budget.pairs(patients=patients, columns=columns)
    every = columns * (columns - 1) // 2
    assert 0 <= pairs.count <= every and pairs.measured > 0
    assert pairs.count == every or pairs.selection > 0
    full = pairs.count * pairs.noise**-2
    assert full + pairs.selection + budget.shape + budget.margins <= budget.measured * (1 + 1e-12)
    assert budget.measured <= budget.square * (1 - budget.gradient_share) * (1 + 1e-12)
    if every:
        # Nothing is left lying about either.
        assert full + pairs.selection + budget.shape + budget.margins == pytest.approx(budget.measured)


@pytest.mark.parametrize(
    ("epsilon", "delta", "message"),
    [
        (30.1, 1e-6, "epsilon"), (1e9, 1e-6, "epsilon"), (1.0, 1e-13, "too small"), (1.0, 1e-300, "too small"),
        (0.01, 0.3, "too small"), (0.0, 1e-6, "epsilon"), (1.0, 0.0, "delta"), (1.0, 1.0, "delta"),
        (float("nan"), 1e-6, "epsilon"),
    ],
)  # fmt: skip
def test_budgets_that_protect_nobody_are_refused(epsilon: float, delta: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Budget.of(epsilon=epsilon, delta=delta)

"""Private gradients, held to gradients taken patient by patient; and each check fails on the bug it is there for."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.generators.dp_cgan import gradients
from engine.generators.dp_cgan.gradients import LEARNED, GradientMechanism, PrivateTraining, clipped_sums
from engine.generators.dp_cgan.network import Network
from engine.privacy.accounting import PoissonGaussian
from tests.helpers import privacy_sabotage as sabotage
from tests.helpers.patient_gradients import SHAPE, patient_gradient, random_levels, small_network, whole_norm

MECHANISM = GradientMechanism(clip=0.8, noise_multiplier=1.3, sampling_rate=0.1, expected=30.0, steps=50)
FLOATS = 1e-5
"""Relative error of sums and norms in float32."""

Sums = Callable[[Network, Tensor, GradientMechanism], tuple[dict[str, Tensor], float]]


def clipped(gradient: dict[str, Tensor], clip: float) -> dict[str, Tensor]:
    factor = min(1.0, clip / max(whole_norm(gradient), 1e-12))
    return {name: value * factor for name, value in gradient.items()}


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return whole_norm({name: one[name] - other[name] for name in one})


def check_sums(mechanism: GradientMechanism, sums: Sums = clipped_sums, *, seed: int = 0) -> None:
    network, levels = small_network(seed), torch.from_numpy(random_levels(12, seed))
    expected = {name: torch.zeros_like(network.weights[name]) for name in LEARNED}
    for row in levels:
        for name, value in clipped(patient_gradient(network, row), mechanism.clip).items():
            expected[name] += value
    found, _ = sums(network, levels, mechanism)
    assert set(found) == set(LEARNED)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


def check_contribution(mechanism: GradientMechanism, sums: Sums = clipped_sums, *, seed: int = 0, scale=1.0) -> None:
    """Each patient's part alone, and what the removal of each moves, are at most ``clip``."""
    network, levels = small_network(seed, scale=scale), torch.from_numpy(random_levels(6, seed))
    whole = sums(network, levels, mechanism)[0]
    for patient in range(len(levels)):
        alone = sums(network, levels[patient : patient + 1], mechanism)[0]
        assert whole_norm(alone) <= mechanism.clip * (1 + FLOATS)
        others = torch.cat([levels[:patient], levels[patient + 1 :]])
        moved = difference(whole, sums(network, others, mechanism)[0])
        # The sums themselves are rounded.
        assert moved <= mechanism.clip * (1 + FLOATS) + FLOATS * whole_norm(whole)


def check_noise(mechanism: GradientMechanism) -> None:
    """Every coordinate has noise of the claimed size of its own, in every step anew."""
    random, steps = np.random.default_rng(3), 500
    zeros = {"wide": torch.zeros(30, 20), "bias": torch.zeros(7), "one": torch.zeros(1)}
    made = [mechanism.noisy_mean(zeros, random) for _ in range(steps)]
    released = torch.stack([torch.cat([step[name].flatten() for name in zeros]) for step in made]).double()
    unit = released * mechanism.expected / (mechanism.noise_multiplier * mechanism.clip)
    assert unit.mean() == pytest.approx(0, abs=5 / math.sqrt(unit.numel()))
    assert unit.std() == pytest.approx(1, abs=5 / math.sqrt(2 * unit.numel()))
    each = unit.std(0)
    # 608 coordinates of 500 draws each: none is further off than six standard errors.
    assert (each - 1).abs().max() < 6 / math.sqrt(2 * steps)
    across = torch.corrcoef(unit.T).fill_diagonal_(0)
    assert across.abs().max() < 6.5 / math.sqrt(steps)
    for lag in (1, 2, 7):
        assert abs(float((unit[lag:] * unit[:-lag]).mean())) < 5 / math.sqrt(unit[lag:].numel())
    assert unit.abs().max() < 6 and unit.abs().max() > 4


def check_sampling(mechanism: GradientMechanism) -> None:
    """Everyone takes part with the same probability and independently of all others."""
    random, patients, steps = np.random.default_rng(5), 200, 6_000
    part = np.zeros((steps, patients))
    for step in range(steps):
        chosen = mechanism.drawn(patients, random)
        assert len(set(chosen.tolist())) == len(chosen)
        part[step, chosen] = 1
    q = mechanism.sampling_rate
    assert np.abs(part.mean(0) - q).max() < 5 * math.sqrt(q * (1 - q) / steps)
    # Independent: sizes of batches, and of the part of any group in it, have the binomial's variance.
    rare = np.arange(patients) < patients // 10
    for group in (np.ones(patients, dtype=bool), rare, ~rare):
        sizes = part[:, group].sum(1)
        assert sizes.var() / (group.sum() * q * (1 - q)) == pytest.approx(1, abs=5 * math.sqrt(2 / steps))
    assert abs(np.corrcoef(part[:, rare].sum(1), part[:, ~rare].sum(1))[0, 1]) < 5 / math.sqrt(steps)
    correlation = np.corrcoef(part.T)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 6.5 / math.sqrt(steps)
    # And of the step before.
    assert abs(np.mean((part[1:] - q) * (part[:-1] - q))) < 5 * q * (1 - q) / math.sqrt(part[1:].size)


def check_division(mechanism: GradientMechanism) -> None:
    """What is released is the noisy sum over a constant, whoever takes part."""
    sums = {"w": torch.full((3,), 60.0)}
    quiet = replace(mechanism, noise_multiplier=1e-9)
    for patients in (0, 10, 1_000):
        quiet.drawn(patients, np.random.default_rng(1))
        assert quiet.noisy_mean(sums, np.random.default_rng(2))["w"].tolist() == pytest.approx([2.0] * 3)


@pytest.mark.parametrize("clip", [1e-3, 0.8, 4.0, 1e6])
@pytest.mark.parametrize("seed", [0, 1])
def test_sums_are_those_of_gradients_taken_patient_by_patient(clip: float, seed: int) -> None:
    check_sums(replace(MECHANISM, clip=clip), seed=seed)


def test_the_clip_matters_in_these_checks() -> None:
    network, levels = small_network(0), torch.from_numpy(random_levels(12, 0))
    norms = [whole_norm(patient_gradient(network, row)) for row in levels]
    assert min(norms) > 2 * MECHANISM.clip


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), clip=st.floats(1e-3, 1e3), scale=st.sampled_from([0.0, 0.3, 1.0, 5.0]))
def test_no_patient_contributes_more_than_the_clip(seed: int, clip: float, scale: float) -> None:
    check_contribution(replace(MECHANISM, clip=clip), seed=seed, scale=scale)


def test_a_patient_of_whom_nothing_is_known_contributes_nothing() -> None:
    levels = torch.full((1, len(SHAPE.levels)), -1)
    sums, _ = clipped_sums(small_network(2), levels, MECHANISM)
    assert whole_norm(sums) == 0


def test_unknown_levels_count_neither_as_input_nor_in_the_loss() -> None:
    network = small_network(3)
    row = torch.from_numpy(random_levels(1, 3, unknown=0.0))
    row[0, 1] = -1
    sums, _ = clipped_sums(network, row, MECHANISM)
    blocks = SHAPE.blocks
    assert (sums["embed"][blocks == 1] == 0).all()
    assert (sums["bias_3"][blocks == 1] == 0).all()
    assert (sums["output"][:, blocks == 1] == 0).all()
    assert whole_norm(sums) > 0


def test_every_coordinate_has_the_claimed_noise_in_every_step() -> None:
    check_noise(MECHANISM)
    check_noise(replace(MECHANISM, clip=3.0, noise_multiplier=0.2, expected=7.0))


def test_patients_are_drawn_independently_at_one_rate() -> None:
    check_sampling(MECHANISM)


def test_sums_are_divided_by_a_constant() -> None:
    check_division(MECHANISM)


def test_the_event_books_what_is_done() -> None:
    assert MECHANISM.event == PoissonGaussian(1.3, 0.1, 50)


def step_of(levels: np.ndarray, mechanism: GradientMechanism = MECHANISM, *, draws: int = 1) -> PrivateTraining:
    training = PrivateTraining(small_network(7), mechanism, rate=0.01)
    training.take_step(levels, draws=np.random.default_rng(draws), noise=np.random.default_rng(2))
    return training


def test_a_patient_who_is_not_drawn_changes_nothing() -> None:
    levels = random_levels(200, 9)
    drawn = MECHANISM.drawn(200, np.random.default_rng(1))
    spared = next(index for index in range(200) if index not in drawn)
    other = levels.copy()
    other[spared] = -1
    one, two = step_of(levels), step_of(other)
    for name in LEARNED:
        assert torch.equal(one.weights[name], two.weights[name])


def test_a_step_that_nobody_takes_part_in_releases_noise_all_the_same() -> None:
    training = step_of(random_levels(0, 9))
    for name in LEARNED:
        moved = training.weights[name] - small_network(7).weights[name]
        assert (moved.abs() > 0).float().mean() > 0.99
    assert torch.equal(training.weights["condition"], small_network(7).weights["condition"])


def test_a_step_is_the_noisy_mean_of_the_clipped_sums_and_nothing_else() -> None:
    levels = random_levels(200, 9)
    training = step_of(levels)
    chosen = MECHANISM.drawn(200, np.random.default_rng(1))
    sums, _ = clipped_sums(small_network(7), torch.from_numpy(levels[chosen]), MECHANISM)
    released = MECHANISM.noisy_mean(sums, np.random.default_rng(2))
    assert set(released) == set(training.first_moment)
    for name, value in released.items():
        torch.testing.assert_close(training.first_moment[name], 0.1 * value)


def made(kind: type[GradientMechanism]) -> GradientMechanism:
    return kind(
        *(getattr(MECHANISM, name) for name in ("clip", "noise_multiplier", "sampling_rate", "expected", "steps"))
    )


@pytest.mark.parametrize(
    ("check", "bug"),
    [
        (check_sums, sabotage.Unclipped),
        (check_contribution, sabotage.Unclipped),
        (check_noise, sabotage.HalfTheNoise),
        (check_noise, sabotage.TwentiethOfTheNoise),
        (check_noise, sabotage.OneScalarPerTensor),
        (check_noise, sabotage.NoiseOnce),
        (check_sampling, sabotage.EveryRow),
        (check_sampling, sabotage.ShuffledBatches),
        (check_sampling, sabotage.ByCategory),
        (check_division, sabotage.ByActualBatch),
    ],
)
def test_the_checks_catch_planted_bugs(check: Callable, bug: type[GradientMechanism]) -> None:
    with pytest.raises(AssertionError):
        check(made(bug))


@pytest.mark.parametrize("check", [check_sums, check_contribution])
def test_the_checks_catch_clipping_layer_by_layer(check: Callable) -> None:
    with pytest.raises(AssertionError):
        check(MECHANISM, sabotage.sums_clipped_per_layer)


@pytest.mark.parametrize("lost", ["embed", "bias", "a hundredth"])
def test_the_checks_catch_norms_that_leave_something_out(monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    whole = gradients._Pass.norms

    def norms(self: gradients._Pass, network: Network) -> Tensor:
        if lost == "bias":
            return (whole(self, network) ** 2 - (self.logit_gradient**2).sum(1)).clamp_min(0).sqrt()
        if lost == "a hundredth":
            return whole(self, network) * 0.99
        return (
            whole(self, network) ** 2 - ((self.inputs**2) @ network.embed_mask * self.first_gradient**2).sum(1)
        ).sqrt()

    monkeypatch.setattr(gradients._Pass, "norms", norms)
    with pytest.raises(AssertionError):
        check_contribution(MECHANISM)

"""Noise: its distribution cell by cell, how far it reaches, and that no two releases share any of it."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.stats import chi2

from engine.core.errors import InternalError
from engine.privacy import noise as noise_module
from engine.privacy.noise import MOST_EPSILON, SAMPLER_DELTA, NoiseStream, _table

KEY = b"a key for tests, 32 bytes long.."
SIGMAS = (0.05, 0.3, 1.0, 2.5, 47.0)
DRAWS = 200_000


def cell_probability(value: int, sigma: float) -> float:
    """P(round(N(0, sigma²)) = value), exact."""
    with mp.workdps(60):
        root = mpf(sigma) * mp.sqrt(2)
        return float((mp.erf((value + mpf(0.5)) / root) - mp.erf((value - mpf(0.5)) / root)) / 2)


def chi_square_p(draws: np.ndarray, sigma: float) -> float:
    """P-value of ``draws`` against the rounded Gaussian; cells that expect fewer than 10 draws are put together."""
    reach = math.ceil(14 * sigma) + 1
    values = np.arange(-reach, reach + 1)
    expected = len(draws) * np.array([cell_probability(int(value), sigma) for value in values])
    seen = np.array([(draws == value).sum() for value in values])
    own = expected >= 10
    expected, seen = np.append(expected[own], expected[~own].sum()), np.append(seen[own], seen[~own].sum())
    kept = expected > 0.5
    assert seen[~kept].sum() == 0
    statistic = ((seen[kept] - expected[kept]) ** 2 / expected[kept]).sum()
    return float(chi2.sf(statistic, max(1, kept.sum() - 1)))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_draws_have_the_rounded_gaussians_distribution(sigma: float) -> None:
    draws = NoiseStream(KEY).rounded_gaussian(DRAWS, "chi", sigma=sigma)
    assert draws.dtype == np.int64 and draws.shape == (DRAWS,)
    assert chi_square_p(draws, sigma) > 1e-4


@pytest.mark.parametrize("sigma", [0.3, 1.0, 47.0])
def test_the_chi_square_test_would_see_a_slightly_wrong_sigma(sigma: float) -> None:
    draws = NoiseStream(KEY).rounded_gaussian(DRAWS, "chi", sigma=0.97 * sigma)
    assert chi_square_p(draws, sigma) < 1e-6


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_table_is_the_distribution_function_to_128_bits(sigma: float) -> None:
    table = _table(sigma)
    thresholds = [int(first) * 2**64 + int(second) for first, second in zip(table.first, table.second, strict=True)]
    assert thresholds == sorted(thresholds)
    # Symmetric: as likely above k as below -k.
    assert all(low + high == 2**128 for low, high in zip(thresholds, reversed(thresholds), strict=True))
    assert table.lowest == -(len(thresholds) // 2)
    with mp.workdps(60):
        root = mpf(sigma) * mp.sqrt(2)
        for index in {0, 1, len(thresholds) // 2 - 1, len(thresholds) // 2, len(thresholds) - 1}:
            # From the i-th threshold on, the value is above lowest + i.
            at_most = mp.erfc(-(table.lowest + index + mpf(0.5)) / root) / 2 * 2**128
            assert abs(thresholds[index] - at_most) <= 1
        beyond = mp.erfc((-table.lowest + mpf(0.5)) / root) / 2
        assert beyond < mpf(2) ** -128


def test_the_tail_reaches_as_far_as_128_bits_can_tell() -> None:
    assert -_table(1.0).lowest == 13
    assert 13.0 * 47 < -_table(47.0).lowest < 13.3 * 47 + 1


def from_words(monkeypatch: pytest.MonkeyPatch, firsts: list[int], seconds: list[int], sigma: float) -> list[int]:
    made = np.array([*firsts, *seconds], dtype=np.uint64)
    monkeypatch.setattr(NoiseStream, "words", lambda self, count, *purpose: made[:count])
    return NoiseStream(KEY).rounded_gaussian(len(firsts), "x", sigma=sigma).tolist()


def by_whole_words(first: int, second: int, sigma: float) -> int:
    """The value of a 128-bit word, by Python's integers."""
    table = _table(sigma)
    word = first * 2**64 + second
    passed = sum(int(high) * 2**64 + int(low) <= word for high, low in zip(table.first, table.second, strict=True))
    return table.lowest + passed


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_ties_of_the_first_half_are_decided_by_the_second(monkeypatch: pytest.MonkeyPatch, sigma: float) -> None:
    table = _table(sigma)
    cases = []
    for high, low in zip(table.first.tolist(), table.second.tolist(), strict=True):
        cases += [(high, second) for second in {0, max(low - 1, 0), low, min(low + 1, 2**64 - 1), 2**64 - 1}]
        cases += [(other, 7) for other in (high - 1, high + 1) if 0 <= other < 2**64]
    cases += [(0, 0), (2**64 - 1, 2**64 - 1)]
    firsts, seconds = [case[0] for case in cases], [case[1] for case in cases]
    assert from_words(monkeypatch, firsts, seconds, sigma) == [by_whole_words(*case, sigma) for case in cases]


def test_several_thresholds_may_share_their_first_half(monkeypatch: pytest.MonkeyPatch) -> None:
    # The outermost thresholds of a wide table all have the first half 0: only the second tells them apart.
    table = _table(47.0)
    shared = np.flatnonzero(table.first == 0)
    assert len(shared) > 3
    seconds = [int(table.second[index]) for index in shared]
    firsts = [0] * len(seconds)
    assert from_words(monkeypatch, firsts, seconds, 47.0) == [by_whole_words(0, low, 47.0) for low in seconds]


def test_the_same_key_and_purpose_give_the_same_noise() -> None:
    first, again = NoiseStream(KEY), NoiseStream(KEY)
    other = first.rounded_gaussian(50, "margin", "other", sigma=3.0)
    assert again.rounded_gaussian(50, "margin", "age", sigma=3.0).tolist() != other.tolist()
    # Whatever was drawn before.
    assert first.rounded_gaussian(50, "margin", "age", sigma=3.0).tolist() == (
        NoiseStream(KEY).rounded_gaussian(50, "margin", "age", sigma=3.0).tolist()
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((KEY, "margin", "age"), (KEY, "margin", "sex")),
        ((KEY, "margin", "age"), (KEY, "decimals", "age")),
        ((KEY, "a", "bc"), (KEY, "ab", "c")),
        ((KEY, "ab"), (KEY, "a", "b")),
        ((KEY, "pair", "1", "2"), (KEY, "pair", "12", "")),
        ((KEY, "margin", "age"), (bytes([KEY[0] ^ 1]) + KEY[1:], "margin", "age")),
    ],
)
def test_noise_of_other_purposes_and_keys_is_unrelated(one: tuple, other: tuple) -> None:
    size = 20_000
    left, right = (NoiseStream(key).rounded_gaussian(size, *purpose, sigma=2.0) for key, *purpose in (one, other))
    # Shifted alignments too: streams of which one runs ahead would correlate there.
    for shift in (0, 1, 2, 17):
        correlation = np.corrcoef(left[shift:], right[: size - shift])[0, 1]
        assert abs(correlation) < 5 / math.sqrt(size - shift)


def test_entries_of_one_draw_are_unrelated() -> None:
    draws = NoiseStream(KEY).rounded_gaussian(40_000, "x", sigma=2.0)
    for lag in (1, 2, 3, 64, 20_000):
        assert abs(np.corrcoef(draws[lag:], draws[:-lag])[0, 1]) < 5 / math.sqrt(len(draws) - lag)


def test_a_purpose_has_its_noise_once() -> None:
    stream = NoiseStream(KEY)
    stream.rounded_gaussian(3, "margin", "age", sigma=1.0)
    with pytest.raises(InternalError, match=r"margin/age is drawn twice"):
        stream.rounded_gaussian(3, "margin", "age", sigma=2.0)


def test_more_noise_than_delta_pays_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = len(_table(1.0).first)
    monkeypatch.setattr(noise_module, "_MOST_ENTRIES", 100 * entries)
    stream = NoiseStream(KEY)
    stream.rounded_gaussian(60, "a", sigma=1.0)
    stream.rounded_gaussian(40, "b", sigma=1.0)
    with pytest.raises(InternalError, match="more noise is drawn"):
        stream.rounded_gaussian(1, "c", sigma=1.0)


def test_the_booked_delta_covers_the_finite_precision() -> None:
    distance = noise_module._MOST_ENTRIES * mpf(2) ** -noise_module._BITS
    assert (1 + mp.exp(MOST_EPSILON)) * distance < SAMPLER_DELTA


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 40_001.0])
def test_a_sigma_without_a_table_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma"):
        NoiseStream(KEY).rounded_gaussian(1, "x", sigma=sigma)


def test_picks_depend_on_the_name_alone() -> None:
    stream = NoiseStream(KEY)
    names = [f"patient {number}" for number in range(1_000)]
    words = dict(zip(names, stream.pick(names, "row").tolist(), strict=True))
    few = names[5:50:3]
    assert stream.pick(few, "row").tolist() == [words[name] for name in few]
    assert stream.pick(few, "else").tolist() != [words[name] for name in few]
    assert abs(np.mean([word % 4 for word in words.values()]) - 1.5) < 5 * math.sqrt(1.25 / len(names))


def test_generators_are_keyed_by_their_purpose() -> None:
    def drawn(*purpose: str) -> list[float]:
        return NoiseStream(KEY).generator(*purpose).normal(size=4).tolist()

    assert drawn("step", "1") == drawn("step", "1")
    assert drawn("step", "1") != drawn("step", "2")

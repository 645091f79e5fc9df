"""Privacy accounting: closed forms, published values, and two accountants that notice when one of them is wrong."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError, InternalError, UserError
from engine.privacy import accounting, loss_distribution
from engine.privacy.accounting import (
    Event,
    Gaussian,
    PoissonGaussian,
    Threshold,
    delta_of,
    epsilon,
    events_from_json,
    from_json,
    gaussian_mu,
    noise_multiplier,
    quick_epsilon,
)
from engine.privacy.events import continues
from engine.privacy.gaussian import gaussian_delta, gaussian_epsilon, largest_mu
from engine.privacy.loss_distribution import sampled_epsilon
from engine.privacy.second_accountant import second_epsilon

DELTA = 1e-5
NURSERY = PoissonGaussian(1.0, 500 / 46_520, 9_304)
"""46,520 patients, batches of 500 for 100 epochs."""


def naive_delta(mu: float, epsilon: float) -> float:
    """Balle and Wang 2018, theorem 8, as printed."""

    def phi(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    return phi(mu / 2 - epsilon / mu) - math.exp(epsilon) * phi(-mu / 2 - epsilon / mu)


@pytest.mark.parametrize(("mu", "at"), [(0.2, 0.5), (1.0, 1.0), (1.0, 0.0), (2.5, 6.0), (6.0, 3.0)])
def test_the_closed_form_is_the_printed_one(mu: float, at: float) -> None:
    assert gaussian_delta(mu=mu, epsilon=at) == pytest.approx(naive_delta(mu, at), rel=1e-9)


def test_published_noise_of_the_analytic_gaussian_mechanism() -> None:
    assert 1 / gaussian_mu(epsilon=1.0, delta=DELTA) == pytest.approx(3.7306, abs=2e-4)
    assert epsilon([Gaussian(1.0)], DELTA).epsilon == pytest.approx(4.3772, abs=1e-3)


def test_the_closed_form_survives_where_the_printed_one_overflows() -> None:
    assert 0 < gaussian_delta(mu=30.0, epsilon=1_500.0) < 1e-50
    assert gaussian_epsilon(mu=60.0, delta=DELTA) == pytest.approx(1_800 + 4.26 * 60, rel=0.01)
    assert gaussian_delta(mu=0.01, epsilon=2.0) == 0.0


@given(st.floats(0.02, 30), st.floats(1e-9, 0.1))
def test_mu_and_epsilon_are_inverse_and_on_the_safe_side(at: float, delta: float) -> None:
    mu = largest_mu(epsilon=at, delta=delta)
    assert gaussian_delta(mu=mu, epsilon=at) <= delta
    assert gaussian_delta(mu=mu * 1.0001, epsilon=at) > delta
    assert gaussian_epsilon(mu=mu, delta=delta) == pytest.approx(at, rel=1e-6)


@given(
    st.floats(0.3, 50), st.integers(1, 200), st.floats(1.01, 3), st.floats(1e-9, 1e-2), st.integers(1, 50)
)  # fmt: skip
def test_less_noise_more_measurements_and_smaller_delta_cost_more(
    noise: float, count: int, factor: float, delta: float, more: int
) -> None:
    cost = quick_epsilon([Gaussian(noise, count)], delta)
    assert quick_epsilon([Gaussian(noise * factor, count)], delta) < cost or cost == 0
    assert quick_epsilon([Gaussian(noise, count + more)], delta) > cost
    assert quick_epsilon([Gaussian(noise, count)], delta / factor) > cost
    assert quick_epsilon([Gaussian(noise, count), Gaussian(noise, more)], delta) == pytest.approx(
        quick_epsilon([Gaussian(noise, count + more)], delta)
    )


@settings(max_examples=12)
@given(st.floats(0.7, 3), st.floats(0.002, 0.2), st.integers(2, 300), st.floats(1.1, 2))
def test_sampling_costs_more_with_less_noise_more_steps_and_more_patients_a_step(
    noise: float, rate: float, steps: int, factor: float
) -> None:
    step = PoissonGaussian(noise, rate, steps)
    cost = quick_epsilon([step], DELTA)
    slack = 1.004 * cost + 1e-3
    assert quick_epsilon([replace(step, noise_multiplier=noise * factor)], DELTA) <= slack
    assert quick_epsilon([replace(step, steps=2 * steps)], DELTA) * 1.004 + 1e-3 >= cost
    assert quick_epsilon([replace(step, sampling_rate=min(1.0, rate * factor))], DELTA) * 1.004 + 1e-3 >= cost
    assert cost <= quick_epsilon([Gaussian(noise, steps)], DELTA) * 1.004


@pytest.mark.parametrize(
    "events",
    [
        [Gaussian(1.0)],
        [Gaussian(3.73)],
        [Gaussian(20.0, 40), Gaussian(4.0, 3)],
        [Gaussian(300.0)],
        [NURSERY],
        [PoissonGaussian(1.0, 0.1, 1_000)],
        [PoissonGaussian(1.0, 0.1, 3_000)],
        [PoissonGaussian(0.6, 0.01, 300)],
        [PoissonGaussian(4.0, 0.5, 50)],
        [PoissonGaussian(2.0, 1.0, 3)],
        [PoissonGaussian(1.5, 0.001, 20_000)],
        [PoissonGaussian(0.8, 0.02, 1)],
        [PoissonGaussian(1.0, 0.05, 200), PoissonGaussian(2.0, 0.01, 1_000), Gaussian(5.0, 10), Threshold(2e-6)],
    ],
    ids=str,
)
@pytest.mark.parametrize("delta", [1e-5, 1e-8])
def test_two_accountants_agree_within_one_percent(events: list[Event], delta: float) -> None:
    if any(isinstance(event, Threshold) and event.delta >= delta for event in events):
        pytest.skip("the threshold alone fails more often")
    spent = epsilon(events, delta)
    assert spent.epsilon == max(spent.ours, spent.second)
    assert spent.ours == pytest.approx(spent.second, rel=0.01, abs=2e-3)
    assert delta_of(events, spent.epsilon) == pytest.approx(delta, rel=0.06)


def test_known_figures() -> None:
    assert epsilon([NURSERY], DELTA).epsilon == pytest.approx(6.47, abs=0.03)
    # 1,000 patients in batches of 100: 100 epochs and 300.
    assert epsilon([PoissonGaussian(1.0, 0.1, 1_000)], DELTA).epsilon == pytest.approx(25.2, abs=0.1)
    assert epsilon([PoissonGaussian(1.0, 0.1, 3_000)], DELTA).epsilon == pytest.approx(52.4, abs=0.2)


def test_our_upper_bound_is_above_the_exact_value() -> None:
    for mu in (0.3, 1.0, 4.0):
        exact = gaussian_epsilon(mu=mu, delta=DELTA)
        step = PoissonGaussian(1 / mu, 1.0, 1)
        assert exact <= sampled_epsilon([step], mu=0.0, delta=DELTA) <= 1.004 * exact + 1e-3
        half = PoissonGaussian(math.sqrt(2) / mu, 1.0, 1)
        both = sampled_epsilon([half], mu=mu / math.sqrt(2), delta=DELTA)
        assert exact <= both <= 1.004 * exact + 1e-3


def test_one_step_against_its_integral() -> None:
    """A single subsampled step has a closed form in both directions (Zhu, Dong and Wang 2022)."""
    s, q, at = 1.0, 0.05, 0.5

    def phi(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    def above(x: float) -> tuple[float, float]:
        return (1 - q) * phi(-x / s) + q * phi((1 - x) / s), phi(-x / s)

    border = s * s * math.log((math.exp(at) - 1 + q) / q) + 0.5
    p, other = above(border)
    removed = p - math.exp(at) * other
    # A patient who is added changes log-odds by at most -log(1 - q), which is below 0.5: no delta at all.
    assert -math.log1p(-q) < at
    assert delta_of([PoissonGaussian(s, q, 1)], at) == pytest.approx(removed, rel=0.01)


def test_five_runs_together_cost_less_than_their_sum() -> None:
    one = PoissonGaussian(1.0, 0.01, 500)
    single = epsilon([one], DELTA).epsilon
    together = epsilon([one] * 5, DELTA).epsilon
    assert single < together < 0.65 * 5 * single
    assert together == pytest.approx(epsilon([replace(one, steps=2_500)], DELTA).epsilon)
    plain = Gaussian(1 / gaussian_mu(epsilon=1.388, delta=DELTA))
    assert epsilon([plain] * 5, DELTA).epsilon == pytest.approx(3.42, abs=0.01)


@pytest.mark.parametrize(("at", "delta"), [(0.01, 1e-6), (1.0, 1e-5), (3.0, 1e-4), (10.0, 1e-5), (25.0, 1e-3)])
def test_solved_noise_is_within_the_budget_by_both_accountants(at: float, delta: float) -> None:
    mu = gaussian_mu(epsilon=at, delta=delta)
    spent = epsilon([Gaussian(1 / mu)], delta)
    assert spent.ours <= at and spent.second <= at
    assert spent.epsilon > 0.98 * at


@pytest.mark.parametrize("others", [(), (Gaussian(6.0, 4), Threshold(3e-6))], ids=["alone", "beside histograms"])
def test_solved_noise_of_sampled_steps_is_within_the_budget(others: tuple[Event, ...]) -> None:
    noise = noise_multiplier(epsilon=3.0, delta=DELTA, sampling_rate=0.02, steps=500, others=others)
    spent = epsilon([*others, PoissonGaussian(noise, 0.02, 500)], DELTA)
    assert spent.ours <= 3.0 and spent.second <= 3.0
    assert epsilon([*others, PoissonGaussian(0.99 * noise, 0.02, 500)], DELTA).epsilon > 3.0


def test_others_that_leave_nothing_are_named() -> None:
    with pytest.raises(UserError, match=r"cost epsilon 4\.377 of 2"):
        noise_multiplier(epsilon=2.0, delta=DELTA, sampling_rate=0.1, steps=10, others=[Gaussian(1.0)])


def test_thresholds_are_taken_from_delta_first() -> None:
    noisy = Gaussian(2.0, 3)
    # Its removal costs twice its delta of epsilon.
    assert epsilon([noisy, Threshold(9e-6)], DELTA).ours == pytest.approx(epsilon([noisy], 1e-6).ours + 18e-6, abs=1e-9)
    assert epsilon([Threshold(9e-6)], DELTA).epsilon == 0.0
    assert delta_of([noisy, Threshold(9e-6)], 3.0) == pytest.approx(9e-6 + delta_of([noisy], 3.0 - 18e-6))
    with pytest.raises(UserError, match=r"1\.1e-05.*leave nothing of delta \(1e-05\)"):
        epsilon([noisy, Threshold(5e-6), Threshold(6e-6)], DELTA)


def test_nothing_costs_nothing() -> None:
    assert epsilon([], DELTA).epsilon == 0.0


@pytest.mark.parametrize(
    "planted",
    [
        # The true mechanism is NURSERY: 500 of 46,520 by independent draws.
        Gaussian(1.0 * math.sqrt(46_520 / 500), 9_304),  # noise wrongly scaled down by the batch, no sampling
        replace(NURSERY, sampling_rate=250 / 46_520),  # half the batch
        replace(NURSERY, steps=100),  # epochs booked as steps
        replace(NURSERY, noise_multiplier=2.0),  # sensitivity forgotten
    ],
    ids=["no sampling", "wrong rate", "epochs", "sensitivity"],
)
def test_a_planted_mistake_is_caught_by_the_comparison(planted: Event) -> None:
    truth = second_epsilon([NURSERY], delta=DELTA, about=6.5)
    wrong = quick_epsilon([planted], DELTA)
    with pytest.raises(InternalError, match="disagree"):
        accounting.agreed(wrong, truth, delta=DELTA)


def test_batches_of_a_shuffled_list_are_not_poisson_samples() -> None:
    """Every epoch of a shuffled list holds each patient in exactly one batch: a full measurement, not amplified."""
    shuffled = second_epsilon([Gaussian(1.0, 100)], delta=DELTA, about=90.0)
    with pytest.raises(InternalError, match="disagree"):
        accounting.agreed(quick_epsilon([NURSERY], DELTA), shuffled, delta=DELTA)


def test_forgetting_one_of_the_two_directions_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = loss_distribution._composed
    monkeypatch.setattr(loss_distribution, "_composed", lambda *a, removed, **k: composed(*a, removed=False, **k))
    with pytest.raises(InternalError, match="disagree"):
        epsilon([PoissonGaussian(0.6, 0.01, 300)], DELTA)


def test_epsilon_itself_raises_when_an_accountant_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_added(events, *, delta, about):
        return 0.97 * second_epsilon(events, delta=delta, about=about)

    monkeypatch.setattr("engine.privacy.second_accountant.second_epsilon", only_added)
    with pytest.raises(InternalError, match=r"disagree: epsilon 4\.37718"):
        epsilon([Gaussian(1.0)], DELTA)
    monkeypatch.setattr("engine.privacy.second_accountant.second_epsilon", lambda *_, **__: float("nan"))
    with pytest.raises(InternalError, match="nan"):
        epsilon([Gaussian(1.0)], DELTA)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gaussian(0.0), r"noise_multiplier \(0.0\)"),
        (lambda: Gaussian(-1.0), r"noise_multiplier \(-1.0\)"),
        (lambda: Gaussian(float("nan")), r"noise_multiplier \(nan\)"),
        (lambda: Gaussian(float("inf")), r"noise_multiplier \(inf\)"),
        (lambda: Gaussian(True), r"noise_multiplier \(True\)"),
        (lambda: Gaussian(1.0, 0), r"count \(0\)"),
        (lambda: Gaussian(1.0, 1.5), r"count \(1.5\)"),  # type: ignore[arg-type]
        (lambda: PoissonGaussian(1.0, 0.0, 5), r"sampling_rate \(0.0\)"),
        (lambda: PoissonGaussian(1.0, 1.1, 5), r"sampling_rate \(1.1\)"),
        (lambda: PoissonGaussian(1.0, 0.1, 0), r"steps \(0\)"),
        (lambda: Threshold(0.0), r"delta \(0.0\)"),
        (lambda: Threshold(1.0), r"delta \(1.0\)"),
        (lambda: epsilon([Gaussian(1.0)], 0.0), r"delta \(0.0\)"),
        (lambda: epsilon([Gaussian(1.0)], 1.5), r"delta \(1.5\)"),
        (lambda: epsilon([NURSERY], 1e-12), r"delta \(1e-12\) must be at least 1e-10"),
        (lambda: delta_of([Gaussian(1.0)], -1.0), r"epsilon \(-1.0\)"),
        (lambda: gaussian_mu(epsilon=0.0, delta=DELTA), r"epsilon \(0.0\)"),
        (lambda: gaussian_mu(epsilon=1.0, delta=float("nan")), r"delta \(nan\)"),
        (lambda: noise_multiplier(epsilon=1.0, delta=DELTA, sampling_rate=2.0, steps=1), r"sampling_rate \(2.0\)"),
        (lambda: noise_multiplier(epsilon=1.0, delta=DELTA, sampling_rate=0.1, steps=-1), r"steps \(-1\)"),
        (lambda: quick_epsilon([PoissonGaussian(0.02, 0.5, 100)], DELTA), "more privacy than can be accounted"),
    ],
)  # fmt: skip
def test_bad_values_are_named_and_never_clamped(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


@given(
    st.lists(
        st.one_of(
            st.builds(Gaussian, st.floats(0.01, 1e4), st.integers(1, 1_000)),
            st.builds(PoissonGaussian, st.floats(0.1, 1e3), st.floats(1e-6, 1), st.integers(1, 10**6)),
            st.builds(Threshold, st.floats(1e-12, 0.5)),
        )
    )
)
def test_events_survive_json(events: list[Event]) -> None:
    assert events_from_json([event.as_json() for event in events]) == tuple(events)


@pytest.mark.parametrize(
    "value", [None, [], {}, {"mechanism": "laplace"}, {"mechanism": "gaussian"}, {"mechanism": "threshold", "x": 1}]
)
def test_what_is_no_event_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="privacy record"):
        from_json(value)


def test_what_continues_a_run() -> None:
    first, steps = Gaussian(3.0, 2), PoissonGaussian(1.0, 0.1, 10)
    assert continues([first, steps], [first])
    assert continues([first, replace(steps, steps=20)], [first, steps])
    assert continues([replace(first, count=3)], [first])
    assert continues([first], [])
    assert not continues([first], [first, steps])
    assert not continues([first, replace(steps, steps=5)], [first, steps])
    assert not continues([replace(first, count=3), steps], [first, steps])
    assert not continues([Threshold(1e-6)], [first])


def test_quick_figures_load_nothing_heavy() -> None:
    code = (
        "import sys; from engine.privacy.accounting import *; quick_epsilon([PoissonGaussian(1.0, .1, 5)], 1e-5);"
        "print([name for name in ('scipy', 'dp_accounting', 'torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

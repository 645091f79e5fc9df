"""The same regression on two tables: logistic, linear or Cox, with standard errors that take the patient as the unit.

Where a covariate separates the events of a table, maximum likelihood has no estimate: both tables are then fitted with
a penalty (logistic: Firth 1993, after Heinze and Schemper 2002; Cox: a ridge penalty), so that they stay comparable.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from engine.evaluation.estimates import standard_error

Family = Literal["logistic", "linear", "cox"]
RIDGE = 0.05
"""Penalty of the Cox regression, where one is needed (per row, on standardised covariates)."""
_MOST_STEPS = 100


@dataclass(frozen=True)
class Rows:
    """Complete rows of one table.

    Attributes:
        design: (n_rows, n_parameters) without a constant.
        value: (n_rows,) the number, or 1 where the event happened.
        weights: (n_rows,) positive.
        time: (n_rows,) for Cox regressions.
        patients: (n_rows,) integers naming the patients; None when each row is one.
    """

    design: np.ndarray
    value: np.ndarray
    weights: np.ndarray
    time: np.ndarray | None = None
    patients: np.ndarray | None = None

    def take(self, rows: np.ndarray, parameters: list[int] | None = None) -> "Rows":
        """Some rows (integers or booleans), and of them some parameters."""
        design = self.design[rows] if parameters is None else self.design[rows][:, parameters]
        time, patients = (None if one is None else one[rows] for one in (self.time, self.patients))
        return Rows(design, self.value[rows], self.weights[rows], time, patients)


@dataclass(frozen=True)
class Fit:
    """Coefficients and standard errors, each (n_parameters,), of the covariates (the constant left out)."""

    coefficients: np.ndarray
    errors: np.ndarray

    def is_sound(self, rows: Rows) -> bool:
        """Whether there is an estimate: no covariate moves the log-odds beyond all bounds."""
        spread = rows.design.std(0)
        finite = np.isfinite(self.coefficients).all() and np.isfinite(self.errors).all()
        return bool(finite and (np.abs(self.coefficients) * spread < 5).all() and (self.errors * spread < 5).all())


def usable(first: Rows, second: Rows) -> dict[int, str]:
    """Parameters that cannot be estimated in both tables, with the reason; ``first`` holds the real rows."""
    out: dict[int, str] = {}
    for name, rows in (("real", first), ("synthetic", second)):
        for place in np.flatnonzero(np.ptp(rows.design, axis=0) < 1e-12) if len(rows.design) else ():
            out.setdefault(int(place), f"it has one value in the {name} rows with all values")
    for name, rows in (("real", first), ("synthetic", second)):
        kept: list[int] = []
        for place in range(rows.design.shape[1]):
            if place in out:
                continue
            centred = rows.design[:, [*kept, place]] - rows.design[:, [*kept, place]].mean(0)
            if np.linalg.matrix_rank(centred / centred.std(0)) <= len(kept):
                out[place] = f"the other covariates determine it in the {name} rows"
            else:
                kept.append(place)
    return out


def fit_both(family: Family, first: Rows, second: Rows) -> tuple[Fit, Fit, bool]:
    """The regression on both tables, and whether a penalty was needed."""
    fits = [fit(family, rows) for rows in (first, second)]
    if family == "linear" or all(one.is_sound(rows) for one, rows in zip(fits, (first, second), strict=True)):
        return fits[0], fits[1], False
    return fit(family, first, penalised=True), fit(family, second, penalised=True), True


def fit(family: Family, rows: Rows, *, penalised: bool = False) -> Fit:
    """The regression on one table; NaN where it has no solution."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Separation is found by its result, and answered with a penalty.
        warnings.simplefilter("ignore")
        if family == "cox":
            return _cox(rows, penalised=penalised)
        if penalised:
            return _firth(rows)
        return _least_squares(rows) if family == "linear" else _logistic(rows)


def _with_constant(rows: Rows) -> np.ndarray:
    return np.column_stack([np.ones(len(rows.value)), rows.design])


def _robust(found: Any, rows: Rows) -> Fit:
    """Coefficients with sandwich errors: statsmodels' own do not take weights and patients at once."""
    residual = rows.weights * (rows.value - np.asarray(found.fittedvalues))
    influence = (_with_constant(rows) * residual[:, None]) @ np.asarray(found.normalized_cov_params)
    errors = [standard_error(influence[:, place], rows.patients) for place in range(1, influence.shape[1])]
    return Fit(np.asarray(found.params[1:]), np.asarray(errors))


def _least_squares(rows: Rows) -> Fit:
    import statsmodels.api as sm

    weights: Any = rows.weights
    return _robust(sm.WLS(rows.value, _with_constant(rows), weights=weights).fit(), rows)


def _logistic(rows: Rows) -> Fit:
    import statsmodels.api as sm

    nothing = np.full(rows.design.shape[1], np.nan)
    model = sm.GLM(rows.value, _with_constant(rows), family=sm.families.Binomial(), freq_weights=rows.weights)
    try:
        return _robust(model.fit(), rows)
    except (np.linalg.LinAlgError, ValueError):
        return Fit(nothing, nothing)


def _firth(rows: Rows) -> Fit:
    """Logistic regression penalised by Jeffreys' prior, by Newton steps with halving; model-based errors."""
    design, value, weights = _with_constant(rows), rows.value, rows.weights

    def state(beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        probability = np.clip(1 / (1 + np.exp(-design @ beta)), 1e-12, 1 - 1e-12)
        spread = weights * probability * (1 - probability)
        information = design.T @ (design * spread[:, None])
        likelihood = weights @ (value * np.log(probability) + (1 - value) * np.log(1 - probability))
        return float(likelihood + np.linalg.slogdet(information)[1] / 2), probability, information

    beta = np.zeros(design.shape[1])
    score, probability, information = state(beta)
    for _ in range(_MOST_STEPS):
        inverse = np.linalg.inv(information)
        spread = weights * probability * (1 - probability)
        leverage = ((design @ inverse) * design).sum(1) * spread
        step = inverse @ (design.T @ (weights * (value - probability) + leverage * (0.5 - probability)))
        step /= max(1.0, float(np.abs(step).max()) / 5)
        for _ in range(20):
            tried = state(beta + step)
            if tried[0] >= score - 1e-12:
                break
            step /= 2
        beta, (score, probability, information) = beta + step, tried
        if np.abs(step).max() < 1e-8:
            break
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return Fit(beta[1:], errors[1:])


def _cox(rows: Rows, *, penalised: bool) -> Fit:
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    names = [f"x{place}" for place in range(rows.design.shape[1])]
    table = pd.DataFrame(rows.design, columns=names).assign(t=rows.time, d=rows.value, w=rows.weights)
    options: dict[str, Any] = {"robust": True}
    if rows.patients is not None:
        table["patient"] = rows.patients
        options = {"cluster_col": "patient"}
    try:
        model = CoxPHFitter(penalizer=RIDGE if penalised else 0.0)
        found = model.fit(table, "t", "d", weights_col="w", **options).summary
    except ConvergenceError:
        nothing = np.full(len(names), np.nan)
        return Fit(nothing, nothing)
    return Fit(found["coef"].loc[names].to_numpy(), found["se(coef)"].loc[names].to_numpy())

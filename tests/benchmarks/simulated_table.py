"""A seeded table that looks clinical: five kinds of columns that hang together, with values missing as in a hospital.

Each patient has four hidden factors (severity, age, chronic burden, inflammation). Every column depends on two of them;
laboratory values are missing the more often the less severe the patient is. No real data goes in.
"""

import numpy as np
import pandas as pd

_FACTORS = 4
_KINDS = ("laboratory", "count", "category", "flag", "score", "unit")
_DECLARED = {
    "laboratory": "numeric", "count": "integer", "category": "categorical", "flag": "boolean", "score": "integer",
    "unit": "categorical",
}  # fmt: skip


def simulated_table(*, rows: int, columns: int, seed: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table, ``(rows, columns)``, and its kinds by column as ``--schema`` takes them.

    A column's law depends on its place only, so a wider table of the same seed starts with the same laws.
    """
    factors = np.random.default_rng(seed).normal(size=(rows, _FACTORS))
    factors[:, 2] += 0.5 * factors[:, 1]
    factors[:, 3] += 0.6 * factors[:, 0]
    made, kinds = {}, {}
    for place in range(columns):
        kind = _KINDS[place % len(_KINDS)]
        name = f"{kind}_{place + 1}"
        made[name] = _column(kind, factors, np.random.default_rng([seed, place]))
        kinds[name] = _DECLARED[kind]
    return pd.DataFrame(made), kinds


def _column(kind: str, factors: np.ndarray, random: np.random.Generator) -> np.ndarray | pd.Series:
    rows = len(factors)
    first, second = random.choice(_FACTORS, 2, replace=False)
    drive = random.choice([-1, 1]) * 0.7 * factors[:, first] + 0.5 * factors[:, second]
    noisy = drive + random.normal(scale=0.6, size=rows)
    if kind == "laboratory":
        level = random.uniform(0.5, 4.5)
        values = np.round(np.exp(level + 0.35 * noisy), 1)
        missing = random.random(rows) < 1 / (1 + np.exp(factors[:, 0] - random.uniform(-2, 0.5)))
        return np.where(missing, np.nan, values)
    if kind == "count":
        return random.poisson(np.exp(np.clip(0.8 + 0.6 * noisy, None, 4)))
    if kind == "score":
        values = np.clip(np.round(9 + 3 * noisy), 3, 15)
        return pd.Series(np.where(random.random(rows) < 0.05, np.nan, values)).astype("Int64")
    if kind == "flag":
        return noisy > random.uniform(-0.5, 1.5)
    size = 30 if kind == "unit" else int(random.integers(3, 9))
    weights = random.normal(size=(size, _FACTORS)) @ factors.T + random.normal(scale=1.5, size=(size, 1))
    chosen = np.argmax(weights + random.gumbel(size=(size, rows)), axis=0)
    return np.array([f"{kind} {number + 1}" for number in range(size)], dtype=object)[chosen]

"""Attribute inference: who knows everything about a patient but one value, does the cohort tell them that value?

The attack of Giomi et al. 2023 (section 5.3): the synthetic record nearest in all other columns is taken for the
patient's own, and its value is the guess. A category is guessed right when it is the same, a number when it is within
5 % of the column's range (5th to 95th percentile). The control is the same attack on held-out patients; the baseline
guesses the value of a synthetic record drawn at random.
"""

from statistics import NormalDist
from typing import Any

import numpy as np

from engine.core.progress import Progress, Silent
from engine.evaluation.attacks.records import Coder, Records, blocks, some
from engine.evaluation.attacks.risk import Tally, risk_entry

MOST_TARGETS = 1000
"""Patients of each side."""
MOST_SECRETS = 12
LEAST_PATIENTS = 50

_NEAR = 0.05
_KNOWN_ANYWAY = 0.9
"""Two patients in ten nine times alike: the value is no secret."""


def attribute_inference(
    train: Records,
    holdout: Records,
    synthetic: Records,
    coder: Coder,
    rng: np.random.Generator,
    *,
    minimum: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """JSON values of the risk over all secrets, a patient's attempts taken together, and of each.

    Keys: ``reason`` (why nothing is assessable, else empty, and then) those of :func:`risk.risk_entry`, ``secrets``
    (``{name, label}`` with the same keys, the greatest risk first; their intervals hold for all of them together,
    after Bonferroni), ``sentence``. ``train`` and ``holdout`` have one row per patient.
    """
    progress = progress or Silent()
    fewest = min(len(train), len(holdout))
    if fewest < max(LEAST_PATIENTS, minimum) or len(coder.columns) < 2:
        least = max(LEAST_PATIENTS, minimum)
        return {"reason": f"Not assessable: it takes two columns, and {least} patients trained on and held out."}
    secrets = secret_columns(synthetic, coder, rng)
    if not secrets:
        return {"reason": "Not assessable: every column has nearly the same value in all synthetic rows."}
    size = min(MOST_TARGETS, fewest)
    right: dict[str, np.ndarray] = {}
    for name, table in (("attack", train), ("control", holdout)):
        progress.update(0.0 if name == "attack" else 0.5, "Attribute inference")
        targets = table.take(some(len(table), size, rng))
        right[name] = _right(targets, synthetic, _nearest(targets, synthetic, coder, secrets), coder, secrets)
        if name == "attack":
            drawn = rng.integers(len(synthetic), size=(size, len(secrets)))
            right["baseline"] = _right(targets, synthetic, drawn, coder, secrets)
    pooled = {name: Tally.of(_per_patient(one)) for name, one in right.items()}
    entry = risk_entry(pooled["attack"], pooled["control"], baseline=pooled["baseline"], minimum=minimum)
    z = NormalDist().inv_cdf(1 - 0.025 / len(secrets))
    found = []
    for at, place in enumerate(secrets):
        one = {name: Tally.of(values[~np.isnan(values[:, at]), at]) for name, values in right.items()}
        column = coder.columns[place]
        label = {"name": column.name, "label": column.label or column.name.replace("_", " ")}
        found.append(label | risk_entry(one["attack"], one["control"], baseline=one["baseline"], minimum=minimum, z=z))
    found.sort(key=lambda one: -(one["risk"]["value"] if one["risk"]["value"] is not None else -1))
    return {"reason": ""} | entry | {"secrets": found, "sentence": _sentence(entry, found)}


def secret_columns(synthetic: Records, coder: Coder, rng: np.random.Generator) -> list[int]:
    """Places of at most ``MOST_SECRETS`` columns, those hardest to guess blindly, numbers and categories in turn."""
    first, second = rng.integers(len(synthetic), size=(2, 2000))
    alike = np.array(
        [_agree(synthetic.values[first, at], synthetic.values[second, at], coder, at).mean() for at in _places(coder)]
    )
    present = np.array([_present(synthetic.values[:, at], coder, at).any() for at in _places(coder)])
    order = [int(at) for at in np.argsort(alike, kind="stable") if alike[at] < _KNOWN_ANYWAY and present[at]]
    kinds = [[at for at in order if coder.ordered[at] == ordered] for ordered in (True, False)]
    turns = sorted(order, key=lambda at: (kinds[0] if at in kinds[0] else kinds[1]).index(at))
    return sorted(turns[:MOST_SECRETS])


def _places(coder: Coder) -> range:
    return range(len(coder.columns))


def _nearest(targets: Records, synthetic: Records, coder: Coder, secrets: list[int]) -> np.ndarray:
    """(n_targets, n_secrets) position of the synthetic record that is nearest in all columns but the secret one."""
    out = np.empty((len(targets), len(secrets)), dtype=int)
    for rows, apart in blocks(targets, synthetic):
        block = targets.take(rows)
        for at, place in enumerate(secrets):
            out[rows, at] = np.argmin(apart - coder.part(block, synthetic, place), axis=1)
    return out


def _right(targets: Records, synthetic: Records, guess: np.ndarray, coder: Coder, secrets: list[int]) -> np.ndarray:
    """(n_targets, n_secrets) 1 where the guess is right, 0 where not, NaN where the patient has no value."""
    out = np.empty(guess.shape)
    for at, place in enumerate(secrets):
        true = targets.values[:, place]
        right = _agree(true, synthetic.values[guess[:, at], place], coder, place)
        out[:, at] = np.where(_present(true, coder, place), right, np.nan)
    return out


def _agree(true: np.ndarray, guess: np.ndarray, coder: Coder, place: int) -> np.ndarray:
    if coder.ordered[place]:
        return np.abs(true - guess) <= _NEAR + 1e-9
    return true == guess


def _present(values: np.ndarray, coder: Coder, place: int) -> np.ndarray:
    return ~np.isnan(values) if coder.ordered[place] else values >= 0


def _per_patient(right: np.ndarray) -> np.ndarray:
    """Share of right guesses of each patient who has any of the values."""
    known = ~np.isnan(right)
    attempts = known.sum(axis=1)
    return np.nansum(right, axis=1)[attempts > 0] / attempts[attempts > 0]


def _sentence(entry: dict[str, Any], secrets: list[dict[str, Any]]) -> str:
    text = (
        f"Who knows all other values guesses a value of a training patient right: {entry['attack']['text']}; of a "
        f"patient who was not in the training: {entry['control']['text']}; at random: {entry['baseline']['text']}."
    )
    told = [one["label"] for one in secrets if one["verdict"] == "leak"]
    return f"{text} Columns that tell more about training patients: {', '.join(told)}." if told else text

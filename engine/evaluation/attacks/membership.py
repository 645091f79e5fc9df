"""Membership inference: does the synthetic cohort tell who was in the training data?

The attacker has the synthetic rows, a reference of other real patients and one row of a patient, and asks how much
closer the synthetic rows come to it than the reference does. No access to the model. Three scores, higher for members:

- ``calibrated``: nearest reference distance over nearest synthetic distance, as logarithm (Hilprecht, Härterich and
  Bernau 2019 use the synthetic distances; Chen, Yu, Zhang and Fritz 2020 calibrate them). The one that is reported on.
- ``density``: ratio of the densities of synthetic and reference rows (DOMIAS: van Breugel, Sun, Qian and van der Schaar
  2023), by kernels narrower than the typical nearest distance.
- ``closest``: nearest synthetic distance alone; the uncalibrated attack, weak on rare patients (Stadler, Oprisanu and
  Troncoso 2022).

Members are training patients, non-members held-out ones, one row of each. A third of the hold-out is the reference and
is not attacked: were the same patients both, the interval would be too narrow. Area under the ROC curve after DeLong
et al. 1988; true positive rate at 1 % false positives (Carlini et al. 2022), where one threshold, set on all
non-members, serves all patients and the rarest alike.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.progress import Progress, Silent
from engine.evaluation.attacks.rarity import isolation, rarest
from engine.evaluation.attacks.records import Records, blocks, distances, some
from engine.evaluation.attacks.risk import Tally, clopper_pearson
from engine.evaluation.estimates import Estimate
from engine.evaluation.prediction_scores import Truth, auroc

MOST_TARGETS = 2000
"""Patients of each side."""
LEAST_PATIENTS = 150
"""Of each side: two thirds of them are attacked, and 1 % of fewer than 100 non-members is less than one."""
FALSE_POSITIVES = 0.01
SCORES = {
    "calibrated": "Closest synthetic record, against the closest of a reference",
    "density": "Density of synthetic records, against that of a reference",
    "closest": "Closest synthetic record alone",
}
HEADLINE = "calibrated"

_MOST_RARE = 500
_MOST_REFERENCE = 2000
_PAIRS = 100_000_000
_KERNEL = 0.1
_SMALLEST = 0.01
"""A hundredth of one column's range: below it, records count as equally close."""


@dataclass(frozen=True)
class Scored:
    """Patients that were attacked.

    Attributes:
        scores: per attack (n_targets,) how much like a member the patient looks.
        closest: (n_targets,) distance to the closest synthetic record, summed over columns.
        is_member: (n_targets,) boolean.
        groups: per group the positions of its patients; ``rarest`` is absent where it is not assessable.
        rare_share: what share of the patients the rarest are.
    """

    scores: dict[str, np.ndarray]
    closest: np.ndarray
    is_member: np.ndarray
    groups: dict[str, np.ndarray]
    rare_share: float = 0.0


def attacked(
    train: Records, holdout: Records, synthetic: Records, rng: np.random.Generator, progress: Progress | None = None
) -> Scored:
    """Score a balanced sample of patients, and the rarest; ``train`` and ``holdout`` have one row per patient."""
    progress = progress or Silent()
    order = rng.permutation(len(holdout))
    count = min(_MOST_REFERENCE, len(holdout) // 3)
    reference, others = holdout.take(order[:count]), holdout.take(np.sort(order[count:]))
    everyone = _stacked(train, others)
    is_member = np.arange(len(everyone)) < len(train)
    progress.update(0.0, "Membership inference: rare patients")
    rare = rarest(isolation(everyone, rng), is_member)
    most = int(np.clip(_PAIRS // (2 * max(1, len(synthetic))), 500, MOST_TARGETS))
    size = min(most, len(train), len(others))
    groups = {"all": np.concatenate([some(len(train), size, rng), len(train) + some(len(others), size, rng)])}
    if rare is not None:
        sides = (rare[is_member[rare]], rare[~is_member[rare]])
        groups["rarest"] = np.concatenate([side[some(len(side), _MOST_RARE, rng)] for side in sides])
    targets = np.unique(np.concatenate(list(groups.values())))
    records, width = everyone.take(targets), _width(reference)
    near: dict[str, np.ndarray] = {}
    for place, (table, rows) in enumerate((("reference", reference), ("synthetic", synthetic))):
        progress.update(0.2 + 0.1 * place, "Membership inference: distances")
        near[table] = np.concatenate(list(_near(records, rows, width)), axis=1)
    made, other = near["synthetic"], near["reference"]
    scores = {
        "calibrated": np.log(other[0] + _SMALLEST) - np.log(made[0] + _SMALLEST),
        "density": made[1] - other[1],
        "closest": -made[0],
    }
    placed = {name: np.searchsorted(targets, group) for name, group in groups.items()}
    share = 0.0 if rare is None else len(rare) / len(everyone)
    return Scored(scores, made[0], is_member[targets], placed, share)


def membership(scored: Scored, rng: np.random.Generator, *, minimum: int) -> dict[str, Any]:
    """JSON values: ``groups`` ``all`` and ``rarest``, each with its areas, rates and their control.

    Per group: ``reason`` (why it is not assessable, else empty, and then) ``members``, ``nonmembers``; ``auc`` per
    score; ``control``: the same attack with half of the non-members for members; ``chance``: what guessing spans;
    ``true_positives`` and ``false_positives``: shares of members and of non-members above the threshold; ``verdict``:
    ``"leak"`` where either the area's interval is above 0.5 or the two shares' intervals are apart, else
    ``"none_found"``; ``share`` of the patients that the rarest are; ``sentence``.
    """
    score = scored.scores[HEADLINE]
    everyone = scored.groups["all"]
    others = np.sort(score[everyone][~scored.is_member[everyone]])[::-1]
    threshold = others[int(FALSE_POSITIVES * len(others))]
    groups: dict[str, Any] = {}
    for name in ("all", "rarest"):
        if name not in scored.groups:
            reason = "the rarest 5 % hold fewer than 20 patients of the training or of the hold-out rows"
            groups[name] = {"reason": f"Not assessable: {reason}."}
            continue
        rows = scored.groups[name]
        truth = scored.is_member[rows]
        areas = {attack: area(scores[rows][truth], scores[rows][~truth]) for attack, scores in scored.scores.items()}
        others = rng.permutation(score[rows][~truth])
        half = len(others) // 2
        hits = [Tally.of(score[rows][side] > threshold) for side in (truth, ~truth)]
        group = {
            "reason": "",
            "members": int(truth.sum()),
            "nonmembers": int((~truth).sum()),
            "auc": {attack: one.as_dict() for attack, one in areas.items()},
            "control": area(others[:half], others[half:]).as_dict(),
            "chance": guessing(*(one.targets for one in hits)).as_dict(),
            "true_positives": hits[0].exact(minimum),
            "false_positives": hits[1].exact(minimum),
        }
        bounds = [clopper_pearson(one.count, one.targets) for one in hits]
        low = areas[HEADLINE].low
        is_leak = bounds[0][0] > bounds[1][1] or (low is not None and low > 0.5)
        group["verdict"] = "leak" if is_leak else "none_found"
        if name == "rarest":
            group["share"] = round(scored.rare_share, 3)
        groups[name] = group | {"sentence": _sentence(name, group)}
    return {"reason": "", "groups": groups, "scores": SCORES, "headline": HEADLINE, "rate": FALSE_POSITIVES}


def area(members: np.ndarray, others: np.ndarray) -> Estimate:
    """Area under the ROC curve with DeLong's interval; at its limits, with an exact bound for the smaller side."""
    value = np.concatenate([np.ones(len(members)), np.zeros(len(others))])
    found, _ = auroc(Truth(value, np.ones(len(value))), np.concatenate([members, others]))
    fewest = min(len(members), len(others))
    if found.value in (0.0, 1.0):
        bounds = clopper_pearson(fewest, fewest)
        low, high = bounds if found.value else (0.0, 1 - bounds[0])
        return Estimate(found.value, low, high)
    return found


def guessing(members: int, others: int) -> Estimate:
    """One half, with what 95 % of areas lie in where scores say nothing (Mann and Whitney 1947)."""
    return Estimate.wald(0.5, math.sqrt((members + others + 1) / (12 * members * others)))


def _stacked(first: Records, second: Records) -> Records:
    joined = (np.vstack([getattr(one, name) for one in (first, second)]) for name in ("values", "numbers", "codes"))
    return Records(*joined)


def _width(reference: Records) -> float:
    """Width of the kernels: a tenth of the typical distance between patients of the reference and the closest other."""
    apart = distances(reference.take(np.arange(min(300, len(reference)))), reference)
    np.fill_diagonal(apart, np.inf)
    return max(_KERNEL * float(np.median(apart.min(axis=1))), _SMALLEST)


def _near(targets: Records, others: Records, width: float) -> Iterator[np.ndarray]:
    """Block by block (2, n_block): the smallest distance, and the logarithm of the density of ``others``."""
    for _, apart in blocks(targets, others):
        least = apart.min(axis=1)
        apart -= least[:, None]
        apart /= -width
        yield np.stack([least, np.log(np.exp(apart, out=apart).mean(axis=1)) - least / width])


def _sentence(name: str, group: dict[str, Any]) -> str:
    who = "training patients from others"
    if name == "rarest":
        who = f"the rarest {100 * group['share']:.2g} % of training patients from other rare patients"
    figure, right = group["auc"][HEADLINE], group["true_positives"]
    return (
        f"Membership inference tells {who} with AUC {figure['value']:.2f} (95 % interval {figure['low']:.2f} to "
        f"{figure['high']:.2f}; 0.5 is guessing). At 1 % false alarms it recognises {right['text']}; of patients who "
        f"were not in the training, {group['false_positives']['text']}."
    )

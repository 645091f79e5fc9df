"""Would my conclusion change? The same regression on real and on synthetic rows, coefficient by coefficient.

Logistic regression for an event, Cox regression for a time to an event, linear regression for a number (of the
logarithm for a duration). Two random halves of the real rows, each fitted alike, show what sampling alone changes. The
entry (JSON values, an internal view: it is computed on real rows) has these keys:

- ``outcome``: ``{key, label, kind, unit}``; ``model``; ``effect``: what is told (``odds ratio``, …); ``null``: its
  value without an effect, 1 or 0; ``excluded``: ``[{column, label, reason}]``, columns that may not be covariates
- ``reason``: why nothing is assessable, else empty, and then these follow
- ``rows``: per table, complete rows in tens (``synthetic`` at most as many as ``real``); ``penalised``
- ``terms``: ``[{column, label, real, synthetic, overlap, same_sign, same_significance, verdict}]``; ``real`` and
  ``synthetic`` are ``{value, low, high, reason}`` on the effect's scale; ``verdict``: ``same``, ``weaker``,
  ``stronger`` or ``opposite`` (see :data:`engine.evaluation.agreement.VERDICTS`)
- ``dropped``: ``[{column, label, reason}]``
- ``agreement``: per ``synthetic`` and ``halves``: ``overlap``, ``sign``, ``significance`` (means over the terms)
- ``sentence``: the finding in words; ``notes``

The interval overlap is that of Karr et al. (American Statistician 2006;60:224-32): the mean share of each interval that
lies in the other, here 0 where they do not meet.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.core.randomness import generator
from engine.evaluation import regression
from engine.evaluation.agreement import VERDICTS, agreement, compared, halves
from engine.evaluation.cells import Sample
from engine.evaluation.covariates import MOST_PARAMETERS, Covariate, choose, covariate
from engine.evaluation.outcomes import Outcome
from engine.evaluation.predictors import Excluded, predictors
from engine.evaluation.regression import Family, Rows
from engine.evaluation.tables import REAL, SYNTHETIC, label_of
from engine.schema.table import TableSchema

MOST_ROWS = 10_000
LEAST_EVENTS = 10
_ROWS_PER_PARAMETER = 15
_MOST_TOLD = 2
"""Effects of each verdict that the sentence names."""
_EFFECTS: dict[Family, tuple[str, str]] = {
    "logistic": ("Logistic regression", "odds ratio"),
    "cox": ("Cox regression", "hazard ratio"),
    "linear": ("Linear regression", "difference"),
}


def conclusion(
    real: Sample,
    synthetic: Sample,
    schema: TableSchema,
    outcome: Outcome,
    *,
    minimum: int,
    seed: int,
    covariates: Sequence[str] | None = None,
    weights: np.ndarray | None = None,
) -> dict[str, Any]:
    """The entry (see the module).

    Args:
        real: reference rows, conformed to ``schema``.
        synthetic: the cohort, conformed to the features it has.
        schema: the real table's.
        outcome: what is explained.
        minimum: counts of real patients below this are not shown.
        seed: of the rows that are drawn and of the halves.
        covariates: names of columns; None: age, sex and the strongest few, at most a tenth of the events.
        weights: (n_real_rows,) of mean 1.

    Raises:
        UserError: ``schema`` has no column of a name in ``covariates``.
    """
    family: Family = {"binary": "logistic", "continuous": "linear", "time_to_event": "cox"}[outcome.kind]  # type: ignore[assignment]
    model, effect = _EFFECTS[family]
    if outcome.is_duration:
        model, effect = "Linear regression of the logarithm", "ratio of geometric means"
    is_ratio = effect != "difference"
    allowed, excluded = predictors(schema, outcome)
    entry: dict[str, Any] = {
        "outcome": {"key": outcome.key, "label": outcome.label, "kind": outcome.kind, "unit": outcome.unit},
        "model": model,
        "effect": effect,
        "null": 1.0 if is_ratio else 0.0,
        "excluded": [one.as_dict() for one in excluded],
        "internal": True,
    }
    if any(name not in synthetic.frame.columns for name in outcome.columns):
        return entry | {"reason": "Not assessable: the synthetic table lacks the outcome."}
    rng = generator(seed, "conclusion", outcome.key)
    tables = {REAL: _known(real, schema, outcome, weights), SYNTHETIC: _known(synthetic, schema, outcome, None)}
    sample, rows = tables[REAL]
    is_event = family != "linear"
    few = _too_few({name: (one.value, one.patients) for name, (_, one) in tables.items()}, is_event, minimum)
    if few:
        return entry | {"reason": f"Not assessable: {few}."}
    if covariates is None:
        columns = [column for column in allowed if column.name in synthetic.frame.columns]
        most, dropped = _budget(rows.value, is_event), []
        chosen = choose(columns, sample, rows.value, is_event=is_event, minimum=minimum, most=most)
    else:
        names = {column.name for column in allowed} & set(synthetic.frame.columns)
        refused = {one.column: one.reason for one in excluded if one.column in synthetic.frame.columns}
        asked = [schema[name] for name in dict.fromkeys(covariates)]
        made = [
            covariate(one, sample, rows.value, is_event=is_event, minimum=minimum)
            if one.name in names
            else refused.get(one.name, "the synthetic table lacks it, or it is the outcome")
            for one in asked
        ]
        chosen = [one for one in made if isinstance(one, Covariate)]
        dropped = [
            Excluded(one.name, label_of(one), why) for one, why in zip(asked, made, strict=True) if isinstance(why, str)
        ]
    if not chosen:
        return entry | {"reason": "Not assessable: no covariate can be used.", "dropped": _dicts(dropped)}
    sides = {name: _designed(*tables[name], chosen, rng) for name in (REAL, SYNTHETIC)}
    if len(sides[SYNTHETIC].value) > len(sides[REAL].value):
        sides[SYNTHETIC] = sides[SYNTHETIC].take(_draw(rng, sides[SYNTHETIC], len(sides[REAL].value)))
    few = _too_few({name: (one.value, one.patients) for name, one in sides.items()}, is_event, minimum)
    if few:
        return entry | {"reason": f"Not assessable: of the rows with all values, {few}."}
    labels = [(one.column.name, label) for one in chosen for label in one.labels]
    unusable = regression.usable(sides[REAL], sides[SYNTHETIC])
    dropped += [Excluded(*labels[place], reason) for place, reason in unusable.items()]
    kept = [place for place in range(len(labels)) if place not in unusable]
    if not kept:
        return entry | {"reason": "Not assessable: no covariate can be used.", "dropped": _dicts(dropped)}
    pair = [sides[name].take(np.arange(len(sides[name].value)), kept) for name in (REAL, SYNTHETIC)]
    first, second, penalised = regression.fit_both(family, *pair)
    terms = [
        {"column": labels[place][0], "label": labels[place][1]} | compared(first, second, at, is_ratio=is_ratio)
        for at, place in enumerate(kept)
    ]
    agreed = {SYNTHETIC: agreement(first, second), "halves": halves(family, pair[0], rng)}
    return entry | {
        "reason": "",
        "rows": {name: len(sides[name].value) // 10 * 10 for name in sides},
        "penalised": penalised,
        "terms": terms,
        "dropped": _dicts(dropped),
        "agreement": agreed,
        "sentence": _sentence(terms, agreed, outcome, effect),
        "notes": _notes(sides, family, outcome, len(kept), penalised=penalised),
    }


def _known(sample: Sample, schema: TableSchema, outcome: Outcome, weights: np.ndarray | None) -> tuple[Sample, Rows]:
    observed = outcome.observe(sample.frame, schema)
    rows, weight = observed.counted(weights)
    value = np.log1p(np.maximum(observed.value, 0)) if outcome.is_duration else observed.value
    time, patients = (None if one is None else one[rows] for one in (observed.time, sample.patients))
    return sample.take(rows), Rows(np.empty((len(weight), 0)), value[rows], weight, time, patients)


def _too_few(tables: dict[str, tuple[np.ndarray, np.ndarray | None]], is_event: bool, minimum: int) -> str:
    for name, (value, patients) in tables.items():
        least = max(LEAST_EVENTS, minimum) if name == REAL else LEAST_EVENTS
        owners = np.arange(len(value)) if patients is None else patients
        groups = {"with the event": value == 1, "without the event": value == 0}
        groups = groups if is_event else {"": np.ones(len(value), dtype=bool)}
        for what, rows in groups.items():
            if len(np.unique(owners[rows])) < least:
                return f"the {name} rows hold fewer than {least} patients {what}".rstrip()
        if np.ptp(value) == 0:
            return f"the {name} rows have one value of the outcome"
    return ""


def _budget(value: np.ndarray, is_event: bool) -> int:
    cases = min((value == 1).sum(), (value == 0).sum()) / 10 if is_event else len(value) / _ROWS_PER_PARAMETER
    return max(1, min(MOST_PARAMETERS, int(cases)))


def _designed(sample: Sample, rows: Rows, chosen: list[Covariate], rng: np.random.Generator) -> Rows:
    design = np.column_stack([one.matrix(sample.frame) for one in chosen])
    complete = np.flatnonzero(~np.isnan(design).any(1))
    full = Rows(design, rows.value, rows.weights, rows.time, rows.patients).take(complete)
    return full.take(_draw(rng, full, MOST_ROWS))


def _draw(rng: np.random.Generator, rows: Rows, most: int) -> np.ndarray:
    count = len(rows.value)
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))


def _sentence(
    terms: list[dict[str, Any]], agreed: dict[str, dict[str, float | None]], outcome: Outcome, effect: str
) -> str:
    same = sum(term["verdict"] == "same" for term in terms)
    text = (
        f"On {outcome.label}, the synthetic rows lead to the same conclusion as the real ones for {same} of "
        f"{len(terms)} effects"
    )
    chance = agreed["halves"]["significance"]
    if chance is not None:
        average = f"{chance * len(terms):.1f}".removesuffix(".0")
        text += f"; two random halves of the real rows agree on {average} of {len(terms)} on average"
    text += "."
    for verdict in ("opposite", "weaker", "stronger"):
        differing = [term for term in terms if term["verdict"] == verdict]
        # The clearest first; the forest plot and the table show all of them.
        differing.sort(key=lambda term: term["overlap"] or 0.0)
        told = [
            f"{term['label']} ({effect} {_text(term[REAL])} in the real rows, {_text(term[SYNTHETIC])} in the "
            "synthetic ones)"
            for term in differing[:_MOST_TOLD]
        ]
        more = len(differing) - len(told)
        told += [f"and {more} more"] if more else []
        if told:
            text += f" {VERDICTS[verdict].capitalize()}: {'; '.join(told)}."
    return text


def _text(figure: dict[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _notes(sides: dict[str, Rows], family: Family, outcome: Outcome, parameters: int, *, penalised: bool) -> list[str]:
    notes = ["Effects are adjusted for each other and use the rows with all values."]
    crowded = [name for name, rows in sides.items() if parameters > _budget(rows.value, family != "linear")]
    if crowded:
        per = f"{_ROWS_PER_PARAMETER} rows" if family == "linear" else "10 events"
        notes.append(f"The {' and '.join(crowded)} rows have fewer than {per} per effect: estimates may be unstable.")
    if len(sides[SYNTHETIC].value) < len(sides[REAL].value) / 2:
        notes.append("The synthetic rows are fewer than half the real ones: their intervals are wider for that alone.")
    if max(len(rows.value) for rows in sides.values()) >= MOST_ROWS:
        notes.append(f"At most {MOST_ROWS:,} rows of each table are used, drawn at random.")
    if penalised and family == "logistic":
        notes.append("A covariate separates the events of a table: both are fitted with Firth's penalty.")
    if penalised and family == "cox":
        notes.append("A covariate separates the events of a table: both are fitted with a ridge penalty.")
    if family == "cox":
        notes.append("Rows without the event end unobserved; where they end by discharge, that is not independent.")
    if outcome.leave_out:
        notes.append("Rows of patients who died are left out: they are not at risk.")
    return notes


def _dicts(dropped: list[Excluded]) -> list[dict[str, str]]:
    return [one.as_dict() for one in dropped]

"""What a shipped model's card says in figures: the scores, and the people that the model and the data describe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

Rows = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Figure:
    """A share or a mean of a table's rows.

    Attributes:
        label: in the card.
        value: the column of booleans (a share, in per cent) or numbers (a mean); missing values count for nothing.
        among: the rows that it is taken of; all where None.
        unit: of a mean.
    """

    label: str
    value: Rows
    among: Rows | None = None
    unit: str = ""

    def of(self, table: pd.DataFrame, weight: pd.Series | None = None) -> str:
        """The figure of ``table`` as text, with one ``weight`` per row."""
        weights = pd.Series(1.0, index=table.index) if weight is None else weight
        values = self.value(table).astype("Float64")
        known = values.notna()
        if self.among is not None:
            known &= self.among(table).astype("boolean").fillna(False)
        number = float(np.average(values[known].astype("float64"), weights=weights[known]))
        return f"{number:.1f} {self.unit}" if self.unit else f"{100 * number:.1f} %"


def _column(name: str) -> Rows:
    return lambda table: table[name]


def _mean(label: str, name: str, unit: str, among: Rows | None = None) -> Figure:
    return Figure(label, _column(name), among, unit)


def _share(label: str, name: str, among: Rows | None = None) -> Figure:
    return Figure(label, _column(name), among)


def _is(name: str, category: str) -> Rows:
    return lambda table: (table[name].astype("object") == category).astype("boolean").mask(table[name].isna())


def _over(name: str, least: float) -> Rows:
    return lambda table: (table[name] >= least).astype("boolean").mask(table[name].isna())


_TYPE_2 = _column("diabetes_type_2")
NHANES = (
    _mean("Age", "age_years", "years"),
    Figure("Women", _is("sex", "F")),
    Figure("Black", _is("ethnicity", "BLACK")),
    Figure("Hispanic", _is("ethnicity", "HISPANIC")),
    _mean("Body mass index", "bmi", "kg/m²"),
    Figure("Obesity (body mass index of 30 or more)", _over("bmi", 30)),
    _share("Hypertension, told by a doctor", "hypertension"),
    _mean("Systolic blood pressure", "systolic_bp", "mmHg"),
    _share("Diabetes, diagnosed or HbA1c of 6.5 % or more", "diabetes"),
    _share("Diabetes, diagnosed", "diabetes_diagnosed"),
    _share("Type 2 diabetes", "diabetes_type_2"),
    _mean("HbA1c in type 2 diabetes", "hba1c", "%", _TYPE_2),
    _mean("Body mass index in type 2 diabetes", "bmi", "kg/m²", _TYPE_2),
    _mean("Age in type 2 diabetes", "age_years", "years", _TYPE_2),
    _share("Hypertension in type 2 diabetes", "hypertension", _TYPE_2),
    _share("Insulin in type 2 diabetes", "insulin", _TYPE_2),
    _share("Oral drug in type 2 diabetes", "oral_antidiabetic", _TYPE_2),
    _mean("Total cholesterol", "cholesterol_total", "mg/dL"),
    _share("Heart failure", "heart_failure"),
    _share("Stroke", "stroke"),
    _share("Smokes", "smoking"),
)
DIABETES_130 = (
    _mean("Age", "age_years", "years"),
    Figure("Women", _is("sex", "F")),
    Figure("Black", _is("ethnicity", "BLACK")),
    _mean("Length of stay", "length_of_stay_hours", "h"),
    _mean("Different drugs given", "drug_count", "drugs"),
    _share("Type 1 diabetes, of those whose type is coded", "diabetes_type_1"),
    _mean("Age in type 1 diabetes", "age_years", "years", _column("diabetes_type_1")),
    _mean("Age in type 2 diabetes", "age_years", "years", _TYPE_2),
    _share("Insulin", "insulin"),
    _share("Metformin", "metformin"),
    _share("Insulin in type 1 diabetes", "insulin", _column("diabetes_type_1")),
    Figure("HbA1c above 8 %, of those measured", _is("hba1c_class", "ABOVE 8")),
    _share("Heart failure among the first three diagnoses", "heart_failure"),
    _share("Readmitted within 30 days", "readmitted_within_30_days"),
    _share("Readmitted within 30 days, after heart failure", "readmitted_within_30_days", _column("heart_failure")),
    _share("Died in hospital", "died_in_hospital"),
)
FIGURES: dict[str, tuple[Figure, ...]] = {"us-adults-nhanes": NHANES, "us-diabetes-inpatients": DIABETES_130}


@dataclass(frozen=True)
class Score:
    """A line of the card's scores."""

    label: str
    model: str
    reference: str


def scores(report: Mapping[str, Any]) -> list[Score]:
    """The lines of the card from a comparison's report (:mod:`engine.evaluation.report`)."""
    figures = report["scores"]["figures"]
    lines = [
        Score(label, f"{figures[name]['synthetic']['value']:.3f}", f"{figures[name]['holdout']['value']:.3f}")
        for name, label in (
            ("quality", "SDMetrics quality against the training rows (1 is alike)"),
            ("shapes", "Column shapes (1 is alike)"),
            ("pairs", "Pair trends of associated columns (1 is alike)"),
        )
    ]
    auc = report["detection"]["auc"]
    lines.append(
        Score(
            "C2ST: AUC of a classifier that tells the rows from real ones (0.5 is guessing)",
            _interval(auc["synthetic"]),
            _interval(auc["holdout"]),
        )
    )
    return [*lines, *_predictions(report), *_attack(report)]


def _interval(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def _predictions(report: Mapping[str, Any]) -> list[Score]:
    lines = []
    for entry in report["conclusions"]["outcomes"]:
        used = entry["utility"]
        if used is None or used["reason"]:
            continue
        name, unit = ("auroc", "AUROC") if used["outcome"]["kind"] == "binary" else ("r2", "R²")
        models = [model["figures"][name] for model in used["models"].values()]
        best = max(models, key=lambda model: model["real"]["value"] or 0.0)
        lines.append(
            Score(
                f"TSTR: {used['outcome']['label']}, {unit} in held-out people of a model that learned from the rows",
                _interval(best["synthetic"]),
                f"{_interval(best['real'])} after learning from real rows",
            )
        )
    return lines


def _attack(report: Mapping[str, Any]) -> list[Score]:
    privacy = report["privacy"]
    everybody = privacy["membership"]["groups"]["all"]
    copies = privacy["copies"]
    return [
        Score(
            "Membership inference: AUC of the strongest attack (0.5 is guessing)",
            _interval(everybody["auc"]["calibrated"]),
            f"{_interval(everybody['control'])} among held-out people",
        ),
        Score("Rows that equal a training row", copies["attack"]["text"], copies["control"]["text"] + " held-out rows"),
    ]

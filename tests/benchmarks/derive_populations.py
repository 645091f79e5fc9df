"""The reference populations of ``assets/populations`` from the weights of NHANES; writes one YAML file per period.

python -m tests.benchmarks.derive_populations --data ../shared/data --out assets/populations
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from engine.cohort.reference_tables import FEW, read_reference_table
from tests.benchmarks.shipping.nhanes import FILE, OLDEST, adults

PERIODS = {
    "us": ("2015-2016", "2017-2018"),
    "us-2011-2014": ("2011-2012", "2013-2014"),
    "us-2007-2010": ("2007-2008", "2009-2010"),
    "us-2003-2006": ("2003-2004", "2005-2006"),
    "us-1999-2002": ("1999-2000", "2001-2002"),
}
TITLES = {name: "US population" if name == "us" else f"US population of {name[3:7]}–{name[8:]}" for name in PERIODS}
BANDS = (20, 30, 40, 50, 60, 70, 80)
SEXES, ETHNICITIES = ("F", "M"), ("BLACK", "HISPANIC", "OTHER", "WHITE")
OBESE = 30
_DIGITS = 2
_SEX = {"female": "F", "male": "M"}
_ETHNICITY = {
    "Non-Hispanic White": "WHITE", "Non-Hispanic Black": "BLACK", "Mexican American": "HISPANIC",
    "Other Hispanic": "HISPANIC",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A group: its column among the adults', how it is called, and how participants come into it."""

    name: str
    label: str
    definition: str
    least: tuple[tuple[str, float], ...] = ()


GROUPS = (
    Asked("adults", "all adults", "Everybody of 20 years and older who was examined."),
    Asked("diabetes", "adults with diabetes",
          "Told by a doctor of diabetes (borderline and pregnancy do not count), or HbA1c of 6.5 % or more.",
          (("hba1c", 6.5),)),
    Asked("diabetes_type_2", "adults with type 2 diabetes",
          "Diabetes as above without those under 40 who take insulin and no oral drug, whose diabetes counts as type "
          "1: the survey does not record the type."),
    Asked("hypertension", "adults with hypertension", "Told by a doctor that they have high blood pressure."),
    Asked("obesity", "adults with obesity", "Body mass index of 30 kg/m² or more, as measured.",
          (("bmi", float(OBESE)),)),
    Asked("heart_failure", "adults with heart failure", "Told by a doctor that they have congestive heart failure."),
    Asked("coronary_artery_disease", "adults with coronary artery disease",
          "Told by a doctor that they have coronary heart disease or angina, or had a heart attack."),
    Asked("myocardial_infarction", "adults after a myocardial infarction", "Told by a doctor of a heart attack."),
    Asked("stroke", "adults after a stroke", "Told by a doctor of a stroke."),
)  # fmt: skip

SOURCE = (
    "Centers for Disease Control and Prevention, National Center for Health Statistics. National Health and Nutrition "
    "Examination Survey Data. Hyattsville, MD. Public domain."
)
METHOD = (
    "Weighted shares of the examined adults, computed by tests/benchmarks/derive_populations.py. Only the weights of "
    "the fasting subsample were at hand: their sum over a cell of ten years of age, sex and ethnicity is shared out "
    "among the cell's examined adults."
)
CAVEATS = (
    "The survey covers civilians outside institutions: nobody in nursing homes, prisons or active service.",
    "Diseases are as told in an interview, without a type or a year, where no measurement is named.",
    "Each share is an estimate of a stratified, clustered sample, and is given without an interval here. One with "
    f"fewer than {FEW} participants behind it is unreliable by itself; age bands were joined until each has {FEW} "
    "participants of each sex.",
    "Participants of the top age are recorded as 80, whatever their age: the last band is open.",
    "Asians are part of OTHER, as the survey did not name them before 2011.",
)


def examined(folder: Path) -> pd.DataFrame:
    """:func:`adults`, with weights (``weight``) that add up to the fasting subsample's in each of our own cells.

    The table's weights are made for wider ages, within which the survey sampled the oldest more densely.
    """
    table = adults(folder)
    columns = ["cycle", "age_years", "sex", "ethnicity", "fasting_subsample_weight"]
    raw = pd.read_csv(folder / FILE, usecols=columns, low_memory=False)
    sampled = raw[(raw["age_years"] >= BANDS[0]) & (raw["fasting_subsample_weight"] > 0)]
    person = pd.DataFrame(
        {
            "cycle": sampled["cycle"], "age_years": sampled["age_years"].clip(upper=OLDEST),
            "sex": sampled["sex"].map(_SEX), "ethnicity": sampled["ethnicity"].map(_ETHNICITY).fillna("OTHER"),
            "weight": sampled["fasting_subsample_weight"],
        }
    )  # fmt: skip
    return table.assign(weight=calibrated(table, person))


def calibrated(table: pd.DataFrame, sampled: pd.DataFrame) -> pd.Series:
    """The weights of ``table``, scaled in each cell of period, ten years of age, sex and ethnicity to ``sampled``'s."""
    period = {cycle: name for name, cycles in PERIODS.items() for cycle in cycles}

    def cell(frame: pd.DataFrame) -> pd.Series:
        decade = (frame["age_years"] // 10).astype(int).astype(str)
        return frame["cycle"].map(period) + "|" + decade + "|" + frame["sex"] + "|" + frame["ethnicity"]

    total, own = sampled["weight"].groupby(cell(sampled)).sum(), table["weight"].groupby(cell(table)).sum()
    return table["weight"] * cell(table).map(total / own.where(own > 0)).fillna(0.0)


def populations(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """File name → content, of every period whose cycles ``table`` (:func:`examined`) has."""
    table = table.assign(obesity=(table["bmi"] >= OBESE).astype("boolean").mask(table["bmi"].isna()))
    return {
        name: population(name, table[table["cycle"].isin(cycles)])
        for name, cycles in PERIODS.items()
        if table["cycle"].isin(cycles).any()
    }


def population(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """The content of one file."""
    cycles = PERIODS[name]
    years = f"{cycles[0][:4]}–{cycles[-1][-4:]}"
    groups = [made for one in GROUPS if (made := group(one, table)) is not None]
    return {
        "name": name, "title": TITLES[name], "label": f"the United States, {years}", "years": years,
        "survey": "NHANES", "source": SOURCE,
        "method": METHOD, "caveats": list(CAVEATS), "sexes": list(SEXES), "ethnicities": list(ETHNICITIES),
        "includes": {"OTHER": ["ASIAN"]}, "groups": groups,
    }  # fmt: skip


def group(asked: Asked, table: pd.DataFrame) -> dict[str, Any] | None:
    """One group, or None where too few participants belong to it."""
    known = table[["age_years", "sex", "ethnicity"]].notna().all(axis=1) & (table["weight"] > 0)
    inside = known if asked.name == "adults" else known & table[asked.name].fillna(False).astype(bool)
    people = table[inside]
    if len(people) < FEW * len(SEXES):
        return None
    bands = joined_bands(people)
    band = np.array(bands)[np.searchsorted(bands, people["age_years"], side="right") - 1]
    keys = [pd.Series(band, index=people.index, name="age"), people["sex"], people["ethnicity"]]
    index = pd.MultiIndex.from_product([bands, SEXES, ETHNICITIES])
    percent = (100 * people["weight"] / people["weight"].sum()).groupby(keys).sum().reindex(index, fill_value=0.0)
    counts = people.groupby(keys).size().reindex(index, fill_value=0)
    cells = [
        {
            "age": age, "sex": sex,
            "percent": [round(float(percent[age, sex, one]), _DIGITS) for one in ETHNICITIES],
            "participants": [int(counts[age, sex, one]) for one in ETHNICITIES],
        }
        for age in bands
        for sex in SEXES
    ]  # fmt: skip
    told = {"name": asked.name, "label": asked.label, "definition": asked.definition, "participants": len(people)}
    return told | ({"least": dict(asked.least)} if asked.least else {}) | {"age_bands": bands, "cells": cells}


def joined_bands(people: pd.DataFrame) -> list[int]:
    """First years of the bands, neighbours joined until each has enough participants of each sex."""
    bands = list(BANDS)
    while len(bands) > 1:
        place = np.searchsorted(bands, people["age_years"], side="right") - 1
        counts = [np.bincount(place[(people["sex"] == sex).to_numpy()], minlength=len(bands)) for sex in SEXES]
        fewest = np.min(counts, axis=0)
        if fewest.min() >= FEW:
            break
        weak = int(fewest.argmin())
        neighbours = [at for at in (weak - 1, weak + 1) if 0 <= at < len(bands)]
        other = min(neighbours, key=lambda at: fewest[at])
        del bands[max(weak, other)]
    return bands


def as_text(content: dict[str, Any]) -> str:
    """The file: one line per cell."""
    head = yaml.safe_dump(
        {key: value for key, value in content.items() if key != "groups"},
        sort_keys=False,
        allow_unicode=True,
        width=110,
    )
    lines = [
        "# Made by `python -m tests.benchmarks.derive_populations --data ../shared/data --out assets/populations`:",
        "# do not edit. Figures of a cell are by ethnicity, in the order above; percent are of the whole group.",
        head.rstrip(), "groups:",
    ]  # fmt: skip
    for one in content["groups"]:
        top = {key: value for key, value in one.items() if key not in ("cells", "age_bands")}
        text = yaml.safe_dump([top], sort_keys=False, allow_unicode=True, width=110).rstrip()
        lines += [text, f"  age_bands: {one['age_bands']}", "  cells:"]
        lines += [
            f"  - {{age: {cell['age']}, sex: {cell['sex']}, percent: {cell['percent']}, "
            f"participants: {cell['participants']}}}"
            for cell in one["cells"]
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the files, each read back by the code that ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the folder nhanes")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, content in populations(examined(asked.data / "nhanes")).items():
        text = as_text(content)
        read_reference_table(text, name)
        (asked.out / f"{name}.yaml").write_text(text, encoding="utf-8")
        counts = ", ".join(f"{one['name']} {one['participants']:,}" for one in content["groups"])
        print(f"{name}: {counts}")


if __name__ == "__main__":
    main()

"""The models that ship: where each one's patients come from, which columns it learns, and what is public of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from engine.schema.catalogue import catalogue
from engine.schema.table import TableSchema
from tests.benchmarks.shipping import diabetes130, nhanes

WEIGHT_CAP = 100_000
"""Adults of the population per examined person; whoever stands for more is kept for certain. 0.5 % of the population's
weight lies above it."""
_ETHNIC_GROUPS = ("BLACK", "HISPANIC", "OTHER", "WHITE")
_LONGEST_STAY = 14
"""Days; the release holds stays of 1 to 14 days."""


@dataclass(frozen=True)
class Recipe:
    """One shipped model.

    Attributes:
        name: of the bundle's folder.
        title: as on the screen.
        sentence: what the model is, for a list.
        source: who made the data.
        licence: of the data.
        citation: how to cite them.
        url: where they are published.
        years: first and last.
        setting: where its people are met.
        populations: reference populations (``assets/populations``) that cohorts can be weighted to.
        folder: of the data, below the folder that the command is given.
        table: reads that folder into a table of the catalogue's columns, one row each, ``patient_id`` first.
        public: what is declared about columns beside what the catalogue says, by column.
        population: reads the folder into the whole population's rows and their weights, where these are known.
        epsilon: the budget of the training.
        delta: the same.
        hidden: units of the network per column; few keep the bundle small.
    """

    name: str
    title: str
    sentence: str
    source: str
    licence: str
    citation: str
    url: str
    years: tuple[int, int]
    setting: Literal["population", "hospital"]
    populations: tuple[str, ...]
    folder: str
    table: Callable[[Path], pd.DataFrame]
    public: dict[str, dict[str, object]] = field(default_factory=dict)
    population: Callable[[Path], tuple[pd.DataFrame, pd.Series]] | None = None
    epsilon: float = 3.0
    delta: float = 1e-6
    hidden: int = 16

    def described(self) -> dict[str, Any]:
        """What the bundle's ``source.json`` says of it."""
        names = ("name", "title", "sentence", "source", "licence", "citation", "url", "years", "setting", "populations")
        return {name: getattr(self, name) for name in names}

    def schema(self, table: pd.DataFrame) -> TableSchema:
        """The catalogue's columns of ``table`` with what is declared public about them."""
        return TableSchema(
            columns=tuple(
                catalogue().column(name).model_copy(update=self.public.get(name, {})) for name in table.columns
            )
        )


def self_weighting(table: pd.DataFrame, weight: pd.Series, *, cap: float) -> pd.DataFrame:
    """``table`` thinned so that everybody in it stands for the same number of people.

    Each person stays with probability ``min(1, weight / cap)``, by a draw that depends on the person's key alone. With
    the weights as given, who else was examined has no say in it, so that one person more or less changes the result by
    at most that person; the card tells what holds where the weights are not taken as public.

    Args:
        table: one row per person, with ``patient_id``.
        weight: people of the population that each stands for, of the same index.
        cap: the weight from which on everybody stays.
    """
    draws = np.array([_uniform(key) for key in table["patient_id"]])
    return table.loc[draws < np.minimum(weight.to_numpy() / cap, 1.0)].reset_index(drop=True)


def _uniform(key: str) -> float:
    """A number in [0, 1) that depends on nothing but the key."""
    return int.from_bytes(hashlib.sha256(f"drawn {key}".encode()).digest()[:7], "big") / 2**56


def one_each(table: pd.DataFrame) -> pd.DataFrame:
    """One row of each patient, picked by the patient's key alone among her rows; in the order of the table."""
    rows = table.groupby("patient_id", sort=False).indices
    return table.iloc[sorted(own[int(_uniform(key) * len(own))] for key, own in rows.items())].reset_index(drop=True)


def _diabetes_table(folder: Path) -> pd.DataFrame:
    return one_each(diabetes130.encounters(folder))


def _nhanes_population(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    adults = nhanes.adults(folder)
    return adults.drop(columns=["cycle", "weight"]), adults["weight"]


def _nhanes_table(folder: Path) -> pd.DataFrame:
    table, weight = _nhanes_population(folder)
    return self_weighting(table, weight, cap=WEIGHT_CAP)


NHANES = Recipe(
    name="us-adults-nhanes",
    title="US adults (NHANES 1999–2018)",
    sentence="Adults of the US population: body, blood pressure, blood, diagnoses, drugs.",
    source="National Health and Nutrition Examination Survey, CDC, National Center for Health Statistics",
    licence="Public domain (work of the US Government)",
    citation="Centers for Disease Control and Prevention, National Center for Health Statistics. National Health and "
    "Nutrition Examination Survey Data 1999–2018. Hyattsville, MD: U.S. Department of Health and Human Services.",
    url="https://wwwn.cdc.gov/nchs/nhanes/",
    years=(1999, 2018),
    setting="population",
    populations=("us", "us-2011-2014", "us-2007-2010", "us-2003-2006", "us-1999-2002"),
    folder="nhanes",
    table=_nhanes_table,
    public={
        "age_years": {"minimum": float(nhanes.YOUNGEST), "maximum": float(nhanes.OLDEST)},
        "ethnicity": {"categories": _ETHNIC_GROUPS},
        "survey_year": {"minimum": 1999.0, "maximum": 2017.0},
        "fasting_hours": {"maximum": 48.0},
    },
    population=_nhanes_population,
    epsilon=4.0,  # of 3, too much of the upper tail of HbA1c is lost in noise
)

DIABETES_130 = Recipe(
    name="us-diabetes-inpatients",
    title="US hospital patients with diabetes (1999–2008)",
    sentence="Inpatient stays of people with diabetes: diagnoses, drugs, A1c class, discharge, readmission.",
    source="Diabetes 130-US Hospitals for Years 1999–2008, UCI Machine Learning Repository (from the Health "
    "Facts database of Cerner)",
    licence="CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
    citation="Clore J, Cios K, DeShazo J, Strack B. Diabetes 130-US Hospitals for Years 1999–2008. UCI Machine "
    "Learning Repository, 2014, doi:10.24432/C5230J. Strack B et al. Impact of HbA1c Measurement on Hospital "
    "Readmission Rates. BioMed Research International 2014:781670.",
    url="https://archive.ics.uci.edu/dataset/296/diabetes+130-us+hospitals+for+years+1999-2008",
    years=(1999, 2008),
    setting="hospital",
    populations=(),
    folder="diabetes130",
    table=_diabetes_table,
    public={
        "age_years": {"minimum": 0.0, "maximum": 99.0},
        "medical_specialty": {"categories": diabetes130.SPECIALTIES, "categories_are_public": True},
        "length_of_stay_hours": {"minimum": 24.0, "maximum": 24.0 * _LONGEST_STAY},
    },
    hidden=8,
)

RECIPES = {recipe.name: recipe for recipe in (NHANES, DIABETES_130)}

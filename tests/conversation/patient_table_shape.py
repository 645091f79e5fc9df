"""Schemas that look like the real sources, and a shorthand for the specs that requests should become."""

import re
from pathlib import Path

import yaml

from engine.cohort.spec import CohortSpec, Criterion, Share, Value
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema

HERE = Path(__file__).parent


def mimic_like() -> TableSchema:
    """The prepared MIMIC-III patient table as the catalogue describes it; its code lists are open."""
    return catalogue().mimic3_schema()


def diabetes_like() -> TableSchema:
    """The shape of an uploaded table with bands as categories (as Diabetes-130 has them)."""
    doses = ("Down", "No", "Steady", "Up")
    categories = {
        "race": ("AfricanAmerican", "Asian", "Caucasian", "Hispanic", "Other"),
        "gender": ("Female", "Male"),
        "age": tuple(f"[{low}-{low + 10})" for low in range(0, 100, 10)),
        "admission_type": ("Elective", "Emergency", "NotAvailable", "Trauma", "Urgent"),
        "discharge_disposition": ("Expired", "Home", "HomeHealth", "Rehab", "SNF"),
        "medical_specialty": ("Cardiology", "Emergency/Trauma", "InternalMedicine", "Nephrology"),
        "diag_1_chapter": ("circulatory", "diabetes(250)", "respiratory", "neoplasms"),
        "A1Cresult": (">7", ">8", "Norm", "NotMeasured"),
        "max_glu_serum": (">200", ">300", "Norm", "NotMeasured"),
        "metformin": doses,
        "insulin": doses,
        "change": ("Ch", "No"),
        "diabetesMed": ("No", "Yes"),
        "readmitted": ("<30", ">30", "NO"),
    }
    return TableSchema(
        columns=(
            *(Column(name=name, kind=Kind.CATEGORICAL, categories=known) for name, known in categories.items()),
            Column(name="time_in_hospital", kind=Kind.INTEGER, minimum=1, maximum=14),
            Column(name="num_medications", kind=Kind.INTEGER, minimum=1, maximum=81),
            Column(name="num_lab_procedures", kind=Kind.INTEGER, minimum=1, maximum=132),
        )
    )


def load(name: str) -> dict | list:
    """A table of requests beside this file."""
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def spec_of(shorthand: str) -> CohortSpec:
    """The spec that a shorthand such as ``"2000; sex = F; age_years > 65; share sex=F 0.5"`` stands for."""
    fields: dict = {"criteria": [], "shares": []}
    for part in filter(None, (piece.strip() for piece in shorthand.split(";"))):
        if part.isdigit():
            fields["patients"] = int(part)
        elif part.startswith("share "):
            column, category, share = re.fullmatch(r"share (\w+)=(\S+) (\S+)", part).groups()
            fields["shares"].append(Share(column=column, category=_value(category), share=float(share)))
        elif part.startswith("columns "):
            fields["columns"] = tuple(part.removeprefix("columns ").split(","))
        elif part.startswith("population "):
            fields["reference_population"] = part.removeprefix("population ")
        else:
            fields["criteria"].append(_criterion(part))
    return CohortSpec(**fields)


def _criterion(part: str) -> Criterion:
    column, operator, *rest = part.split(" ", 2)
    text = rest[0] if rest else ""
    values = tuple(_value(value) for value in text.split("|"))
    match operator:
        case "recorded":
            return Criterion(column=column, recorded=True)
        case "=":
            return Criterion(column=column, any_of=values)
        case "!=":
            return Criterion(column=column, none_of=values)
        case "^":
            return Criterion(column=column, starts_with=tuple(text.split("|")))
        case "!^":
            return Criterion(column=column, not_starts_with=tuple(text.split("|")))
        case "codes":
            low, high = text.split("-")
            return Criterion(column=column, between_codes=((low, high),))
        case "ranges":
            pairs = (pair.split("..") for pair in text.split("|"))
            return Criterion(
                column=column,
                ranges=tuple((float(a) if a else None, float(b) if b else None) for a, b in pairs),
            )
        case ">" | ">=":
            return Criterion(column=column, minimum=float(text), include_minimum=operator == ">=")
        case "<" | "<=":
            return Criterion(column=column, maximum=float(text), include_maximum=operator == "<=")
    low, high = operator.split("..")
    return Criterion(
        column=column,
        minimum=float(low.rstrip(">")),
        maximum=float(high.lstrip("<")),
        include_minimum=not low.endswith(">"),
        include_maximum=not high.startswith("<"),
    )


def _value(text: str) -> Value:
    return {"true": True, "false": False}.get(text, text)

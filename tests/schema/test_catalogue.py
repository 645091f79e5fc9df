"""The clinical dictionary is consistent with itself and with known conversions."""

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.schema import icd9
from engine.schema.catalogue import Concept, Conversion, catalogue, normalised, unit_key
from engine.schema.table import Kind, Role

ORIGINAL_STUDY = {
    "sex", "age_years", "ethnicity", "admission_type", "primary_icd9_code", "primary_icd9_group", "icd9_code_count",
    "died_in_hospital", "length_of_stay_hours", "bmi", "hemoglobin", "hematocrit", "white_cell_count",
}  # fmt: skip


def test_names_are_unique_and_no_word_means_two_concepts() -> None:
    concepts = catalogue().concepts
    assert len({concept.name for concept in concepts}) == len(concepts)
    words = Counter(word for c in concepts for word in {normalised(w) for w in (c.name, c.label, *c.synonyms)})
    assert [word for word, count in words.items() if count > 1] == []


def test_the_original_study_and_more_than_45_further_columns_are_described() -> None:
    names = {concept.name for concept in catalogue().concepts}
    assert names >= ORIGINAL_STUDY
    assert len(names - ORIGINAL_STUDY) >= 45


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("hba1c", 48, "mmol/mol", 6.54),
        ("creatinine", 152, "µmol/L", 1.719),
        ("glucose", 10, "mmol/l", 180.16),
        ("hemoglobin", 105, "g/L", 10.5),
        ("length_of_stay_hours", 3, "days", 72),
        ("temperature_c", 98.6, "°F", 37.0),
        ("weight_kg", 220, "lbs", 99.79),
        ("white_cell_count", 11, "K/uL", 11),
    ],
)
def test_units_are_converted(name: str, value: float, unit: str, expected: float) -> None:
    assert catalogue().convert(name, value, unit) == pytest.approx(expected, rel=1e-3)


def test_an_unknown_unit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"not measured in 'furlong'.*g/dL, g/L"):
        catalogue().convert("hemoglobin", 1, "furlong")


def test_reference_ranges_differ_by_sex_and_the_column_covers_both() -> None:
    concept = catalogue().concept("hemoglobin")
    assert concept.reference_range("F") == (12, 16)
    column = catalogue().column("hemoglobin")
    assert (column.reference_low, column.reference_high) == (12, 17.5)
    assert column.bounds_are_public


def test_a_reference_range_outside_the_plausible_one_is_refused() -> None:
    with pytest.raises(ValueError, match="not inside the plausible range"):
        Concept(name="x", label="X", group="g", plausible=(0, 1), reference=(0, 2))


def test_keys_are_never_features() -> None:
    assert catalogue().column("patient_id").role is Role.PATIENT_KEY
    assert catalogue().column("admission_id").role is Role.EXCLUDED
    assert catalogue().column("died_in_hospital").kind is Kind.BOOLEAN


def test_every_comorbidity_of_the_catalogue_is_defined_by_codes() -> None:
    flags = {concept.name for concept in catalogue().concepts if concept.mimic3.comorbidity}
    assert flags == set(icd9.comorbidity_names())


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("white_cell_count", "×10⁹/L"),
        ("white_cell_count", "x10^3/µL"),
        ("white_cell_count", "thousand/mm3"),
        ("red_cell_count", "10^6/uL"),
        ("hemoglobin", "gm/dL"),
        ("alt", "IU/L"),
        ("tsh", "µIU/mL"),
        ("ptt", "sec."),
        ("temperature_c", "degrees C"),
        ("systolic_bp", "mm Hg"),
        ("respiratory_rate", "breaths/min"),
        ("age_years", "y"),
        ("bmi", "kg/m^2"),
        ("inr", ""),
    ],
)
def test_spellings_of_the_concepts_own_unit_leave_the_value(name: str, unit: str) -> None:
    assert catalogue().convert(name, 8, unit) == 8


def test_no_spelling_belongs_to_two_units_of_one_concept() -> None:
    for concept in catalogue().concepts:
        keys = [unit_key(unit) for unit, how in concept.units.items() if how != Conversion()]
        keys += [unit_key(concept.unit)] if concept.unit else []
        assert len(keys) == len(set(keys)), concept.name


def test_every_loinc_has_its_check_digit_and_its_own_concept() -> None:
    codes = {concept.name: concept.loinc for concept in catalogue().concepts if concept.loinc}
    assert len(set(codes.values())) == len(codes)
    for name, code in codes.items():
        body, digit = code.split("-")
        products = [int(sign) * (2 - place % 2) for place, sign in enumerate(reversed(body))]
        total = sum(product // 10 + product % 10 for product in products)
        assert (total + int(digit)) % 10 == 0, f"{name}: {code}"


def test_every_measured_number_has_a_plausible_range_and_a_group() -> None:
    for concept in catalogue().concepts:
        assert concept.group
        if concept.mimic3.lab or concept.mimic3.chart:
            assert concept.plausible is not None, concept.name
            assert concept.plausible[0] < concept.plausible[1]


def test_a_chart_items_conversion_is_that_of_its_unit() -> None:
    for concept in catalogue().concepts:
        for item in concept.mimic3.chart:
            unit = item.unit or concept.unit or ""
            known = catalogue().convert(concept.name, 100, unit)
            assert item.apply(100) == pytest.approx(known), f"{concept.name}: {item.item}"


@pytest.mark.shared
def test_the_demos_values_are_plausible(shared: Path) -> None:
    ranges = {item: one for one in catalogue().concepts for item in one.mimic3.lab}
    values, outside = Counter[str](), Counter[str]()
    with gzip.open(shared / "data" / "mimic3-demo" / "LABEVENTS.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            concept = ranges.get(int(row["ITEMID"]))
            if concept is None or concept.plausible is None or not row["VALUENUM"]:
                continue
            low, high = concept.plausible
            values[concept.name] += 1
            outside[concept.name] += not low <= float(row["VALUENUM"]) <= high
    assert sum(values.values()) > 30_000
    assert sum(outside.values()) <= 5
    assert all(outside[name] <= max(1, 0.002 * count) for name, count in values.items())


@pytest.mark.shared
def test_item_numbers_name_what_the_demo_says(shared: Path) -> None:
    def labels(name: str) -> dict[int, str]:
        with gzip.open(shared / "data" / "mimic3-demo" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
            return {int(row["ITEMID"]): row["LABEL"].lower() for row in csv.DictReader(file)}

    laboratory, items = labels("D_LABITEMS"), labels("D_ITEMS")
    for concept in catalogue().concepts:
        for item in concept.mimic3.lab:
            assert item in laboratory, f"{concept.name}: {item}"
        for one in (*(chart.item for chart in concept.mimic3.chart), *concept.mimic3.inputevents):
            assert one in items, f"{concept.name}: {one}"
        if concept.name == "insulin":
            assert all("insulin" in items[item] for item in concept.mimic3.inputevents)

"""Which orders count as which class of drugs."""

import pytest

from engine.preparation.concepts import drug_classes

CLASSES = {drug_class.column: drug_class for drug_class in drug_classes()}


@pytest.mark.parametrize(
    ("drug", "column"),
    [
        ("NORepinephrine", "vasopressor"),
        ("PredniSONE", "corticosteroid"),
        ("Metformin XR", "oral_antidiabetic"),
        ("Heparin Sodium", "anticoagulant"),
        ("Piperacillin-Tazobactam Na", "antibiotic"),
        ("Erythromycin Lactobionate", "antibiotic"),
    ],
)
def test_an_order_counts_by_the_beginning_of_a_word(drug: str, column: str) -> None:
    assert CLASSES[column].matches(drug)


@pytest.mark.parametrize(
    ("drug", "column"),
    [
        ("Lidocaine 1%/Epinephrine 1:100000", "vasopressor"),
        ("PrednisoLONE Acetate 1% Ophth. Susp.", "corticosteroid"),
        ("Heparin Flush (10 units/ml)", "anticoagulant"),
        ("Ciprofloxacin 0.3% Ophth Soln", "antibiotic"),
        ("Sodium Chloride 0.9%", "insulin"),
        ("Phenylephrine 0.5% Nasal Spray", "vasopressor"),
    ],
)
def test_flushes_drops_and_local_anaesthetics_do_not_count(drug: str, column: str) -> None:
    assert not CLASSES[column].matches(drug)

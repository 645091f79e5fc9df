"""Names of diseases, lay, abbreviated and specialist: what they become, and whether the vocabulary holds together."""

import pytest
from patient_table_shape import mimic_like

from engine.cohort.vocabulary import diseases
from engine.conversation.rules.near_titles import nearest_titles, reordered_title
from engine.conversation.rules.parser import parse
from engine.conversation.rules.titles import is_icd9, titles
from engine.conversation.rules.tokens import key_of
from engine.schema.catalogue import catalogue

MIMIC = mimic_like()


def test_every_name_belongs_to_one_disease() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for disease in diseases():
        for name in dict.fromkeys((disease.name, *disease.also)):
            assert seen.setdefault(key_of(name), disease.name) == disease.name, name


def test_every_prefix_is_one_of_the_classification() -> None:
    beginnings = {code[:length] for code in titles() for length in (2, 3)}
    wrong = [
        (disease.name, code)
        for disease in diseases()
        for code in disease.icd9
        if not (code in beginnings or is_icd9(code))
    ]
    assert wrong == []
    assert len(diseases()) >= 450


def test_every_flag_is_a_yes_or_no_column_of_the_catalogue() -> None:
    assert {disease.flag for disease in diseases() if disease.flag} <= {
        column.name for column in catalogue().mimic3_schema().features if column.kind == "boolean"
    }


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("pink eye", "372"), ("slipped disc", "722"), ("lockjaw", "037"), ("broken hip", "820"), ("lazy eye", "368"),
        ("whooping cough", "033"), ("German measles", "056"), ("kissing disease", "075"), ("hay fever", "477"),
        ("PCOS", "2564"), ("ADHD", "3140"), ("OCD", "3003"), ("ITP", "2873"), ("SVT", "4270"), ("PDA", "7470"),
        ("DIC", "2866"), ("SLE", "7100"), ("PSC", "5761"), ("HUS", "2831"), ("AML", "2050"), ("IgA", ""),
        ("Wegener's granulomatosis", "4464"), ("Guillain-Barré syndrome", "3570"), ("phaeochromocytoma", "2270"),
        ("Addison's disease", "2554"), ("tetralogy of Fallot", "7452"), ("Kaposi's sarcoma", "176"),
        ("ringing in the ears", "3883"), ("hole in the heart", "7455"), ("the bends", "9933"), ("hives", "708"),
        ("Acute myocardial infarction of anterolateral wall, initial episode of care", "4100"),
        ("Malignant neoplasm of tail of pancreas", "1572"),
        ("oesophageal varices", "456"), ("haemophilia", "286"), ("coeliac disease", "5790"),
        ("water on the brain", "331"),
    ],
)  # fmt: skip
def test_a_name_becomes_its_codes(name: str, codes: str) -> None:
    turn = parse(f"patients with {name}", schema=MIMIC)
    if not codes:
        assert turn.spec is None or not turn.spec.criteria
        return
    assert turn.spec is not None, turn
    (criterion,) = turn.spec.criteria
    assert criterion.starts_with is not None
    assert all(code.startswith(codes) for code in criterion.starts_with[:1])


def test_a_title_with_its_words_in_another_order() -> None:
    words = list(key_of("cyst of the ovary, follicular"))
    assert reordered_title(words, 0) == ("6200", len(words))
    assert reordered_title(list(key_of("women with diabetes")), 0) is None


def test_a_join_that_the_title_lacks_is_no_title() -> None:
    assert reordered_title(list(key_of("pneumonia and influenza and fever")), 0) is None


def test_the_nearest_titles_share_the_rare_words() -> None:
    found = nearest_titles(list(key_of("thrombosis of the femoral artery")))
    assert len(found) == 5
    assert all("femoral" in title.lower() or "thrombosis" in title.lower() for _, title in found)
    assert nearest_titles(["blorptitis"]) == []

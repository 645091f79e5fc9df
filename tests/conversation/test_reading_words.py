"""Tokens, numbers, bands, titles and spelling: the smallest steps of the parser."""

import pytest
from patient_table_shape import diabetes_like, mimic_like

from engine.cohort.conditions import Interval
from engine.conversation.rules.bands import bands_of, choose
from engine.conversation.rules.near_titles import nearest_titles
from engine.conversation.rules.numbers import read_number
from engine.conversation.rules.parser import parse
from engine.conversation.rules.ranges import complement
from engine.conversation.rules.spelling import correct
from engine.conversation.rules.titles import icd9_of_icd10, is_icd9, titles
from engine.conversation.rules.tokens import fold, key_of, tokenize


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2k", 2000), ("1,250", 1250), ("18,5", 18.5), ("6.5", 6.5), ("10 000", 10000), ("1.5 million", 1_500_000),
        ("two thousand", 2000), ("a dozen", 12), ("twenty-five hundred", 2500), ("three hundred and five", 305),
        ("-5", -5), ("2M", 2_000_000), ("seventy-five", 75), ("1,250,000", 1_250_000),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    tokens = tokenize(text)
    read = read_number(tokens, 0)
    assert read is not None
    assert read.value == value
    assert read.end == len(tokens)


@pytest.mark.parametrize("text", ["hundred", "a", "k", "women", "and five"])
def test_words_that_are_no_number(text: str) -> None:
    assert read_number(tokenize(text), 0) is None


def test_a_dash_between_numbers_is_no_minus() -> None:
    tokens = tokenize("65-74")
    assert read_number(tokens, 1) is None


def test_tokens_point_into_the_text() -> None:
    text = "Women ≥65 w/ HbA1c >8,5 % (E11.9)"
    for token in tokenize(text):
        assert text[token.start : token.end] == token.text


@pytest.mark.parametrize(
    ("one", "other"),
    [("Anaemias", "anemia"), ("patient's", "Patient"), ("oedema", "edema"), ("LEUKAEMIA", "leukemia")],
)
def test_spellings_that_fold_together(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_glue_makes_no_difference_to_a_phrase() -> None:
    assert key_of("non-ST-elevation myocardial infarction") == key_of("non st elevation, myocardial infarction")


def test_bands_become_intervals() -> None:
    age = diabetes_like()["age"]
    assert bands_of(age)["[60-70)"] == Interval(60, 70, include_high=False)
    assert choose(age, [Interval(low=60)]) == (("[60-70)", "[70-80)", "[80-90)", "[90-100)"), False)
    assert choose(age, [Interval(low=65, high=85)]) == (("[70-80)",), True)


def test_one_band_alone_is_a_plain_category() -> None:
    assert bands_of(diabetes_like()["gender"]) == {}


def test_complement_of_a_range() -> None:
    assert complement((Interval(20, 30),)) == (
        Interval(high=20, include_high=False),
        Interval(low=30, include_low=False),
    )
    assert complement((Interval(low=18),)) == (Interval(high=18, include_high=False),)


def test_spelling_is_corrected_only_when_one_word_is_near() -> None:
    words = {"pneumonia", "diabetes", "female", "male"}
    assert correct("pnuemonia", words) == "pneumonia"
    assert correct("diabetis", words) == "diabetes"
    assert correct("zebra", words) is None
    assert correct("mele", words) is None


def test_titles_of_the_classification() -> None:
    assert titles()["0010"] == "Cholera due to vibrio cholerae"
    assert is_icd9("428")
    assert is_icd9("V4581")
    assert not is_icd9("999999")
    assert nearest_titles(["ulcer", "heel", "midfoot"])[0][0] == "70714"
    assert nearest_titles(["blorptitis"]) == []


def test_icd10_maps_to_icd9() -> None:
    assert icd9_of_icd10("E11.9") == ("25000",)
    assert "4280" in icd9_of_icd10("I50")
    assert icd9_of_icd10("Z") != ()
    assert icd9_of_icd10("Q9999") == ()


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a hnudred women", "“hnudred” was read as “hundred”"),
        ("600 adlts", "“adlts” was read as “adult”"),
        ("patients with caner", "“caner” was read as “cancer”"),
        ("taler than 180 cm", "“taler” was read as “taller”"),
    ],
)
def test_a_slip_is_mended_where_it_is_seen(text: str, note: str) -> None:
    turn = parse(text, schema=mimic_like())
    assert not turn.not_understood
    assert any(note in entry.note for entry in turn.understood), turn


def test_an_unknown_abbreviation_is_no_misspelt_one() -> None:
    assert parse("COVID patients", schema=mimic_like()).not_understood == ("COVID",)


@pytest.mark.parametrize("text", ["SBP over 180 or DBP over 120", "heart failure or creatinine over 2"])
def test_one_of_two_columns_is_asked_about(text: str) -> None:
    turn = parse(text, schema=mimic_like())
    assert turn.spec is None
    assert len(turn.warnings[0].actions) == 2

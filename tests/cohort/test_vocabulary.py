"""The vocabulary's data: names are unambiguous, codes exist, columns are the catalogue's."""

from collections import Counter
from itertools import pairwise

from engine.cohort.vocabulary import category_words, chapters, column_words, diseases, grammar, phrases
from engine.schema.catalogue import catalogue


def test_every_column_is_the_catalogues() -> None:
    book = catalogue()
    assert [disease.flag for disease in diseases() if disease.flag and disease.flag not in book] == []
    assert [phrase.criterion.column for phrase in phrases() if phrase.criterion.column not in book] == []
    assert [name for name in (*column_words(), *category_words()) if name not in book] == []


def test_no_name_means_two_diseases() -> None:
    names = Counter(name.lower() for disease in diseases() for name in (disease.name, *disease.also))
    assert [name for name, times in names.items() if times > 1] == []
    assert len(diseases()) >= 150


def test_codes_are_written_as_the_table_has_them() -> None:
    for disease in diseases():
        for code in disease.icd9:
            assert code.isalnum(), disease.name
            assert 2 <= len(code) <= 5, disease.name


def test_chapters_cover_the_classification_without_gaps() -> None:
    numbered = [chapter for chapter in chapters() if chapter.number.isdigit()]
    assert [int(chapter.number) for chapter in numbered] == list(range(1, 18))
    for before, after in pairwise(numbered):
        assert int(after.range[0]) == int(before.range[1]) + 1


def test_truth_values_of_yaml_stay_words() -> None:
    assert "no" in grammar()["not"][""]
    assert "on" in grammar()["filler"][""]


def test_known_lay_names() -> None:
    by_name = {name: disease for disease in diseases() for name in (disease.name, *disease.also)}
    assert by_name["heart attack"].flag == "myocardial_infarction"
    assert by_name["gallstones"].icd9 == ("574",)


def test_names_built_alike_come_from_parts_of_the_body() -> None:
    by_name = {name: disease for disease in diseases() for name in (disease.name, *disease.also)}
    assert by_name["cancer of the gullet"].icd9 == by_name["esophageal tumor"].icd9 == ("150",)
    assert by_name["fractured collarbone"].icd9 == ("810",)
    assert by_name["skeletal mets"].icd9 == ("1985",)
    assert "cancer of the esophageal" not in by_name


def test_a_listed_name_is_not_built_again() -> None:
    named = [disease.name for disease in diseases() if "colon cancer" in (disease.name, *disease.also)]
    assert named == ["colon cancer"]
    assert next(disease for disease in diseases() if disease.name == "colon cancer").icd9 == ("153", "154")

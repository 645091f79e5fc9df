"""Every ICD-9-CM code has its chapter and group; comorbidities follow the published code lists."""

import csv
import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from engine.schema import icd9


@pytest.mark.parametrize(
    ("code", "chapter", "group"),
    [
        ("250.00", "3 ", "249-259 "),
        ("0389", "1 ", "030-041 "),
        ("4280", "7 ", "420-429 "),
        ("v45.82", "V ", "V40-V49 "),
        ("E8798", "E ", "E878-E879 "),
        ("99592", "17 ", "990-995 "),
        ("042", "1 ", "042 "),
    ],
)
def test_a_code_belongs_to_its_chapter_and_group(code: str, chapter: str, group: str) -> None:
    assert str(icd9.chapter(code)).startswith(chapter)
    assert str(icd9.group(code)).startswith(group)


@pytest.mark.parametrize(
    "code", ["", "XYZ", "25", "E87", "V", "I10", "E11.9", "250AB", "2500000", "V45821", "E87981", "-250"]
)
def test_what_is_no_code_has_no_chapter(code: str) -> None:
    assert icd9.chapter(code) is None


def test_there_are_seventeen_chapters_and_the_v_and_e_codes() -> None:
    assert list(dict.fromkeys(block.chapter for block in icd9.blocks())) == [*map(str, range(1, 18)), "V", "E"]


def test_groups_neither_overlap_nor_run_backwards() -> None:
    blocks = icd9.blocks()
    assert all(block.first <= block.last for block in blocks)
    for kind in (str.isdigit, lambda code: code.startswith("V"), lambda code: code.startswith("E")):
        same = [block for block in blocks if kind(block.first)]
        assert all(one.last < other.first for one, other in pairwise(same))


@pytest.mark.parametrize(
    ("codes", "present", "absent"),
    [
        (["250.01"], {"diabetes", "diabetes_type_1"}, {"diabetes_type_2"}),
        (["25002"], {"diabetes", "diabetes_type_2"}, {"diabetes_type_1"}),
        (["428.0", "42731"], {"heart_failure", "cardiac_arrhythmia", "atrial_fibrillation"}, {"hypertension"}),
        (["40391"], {"hypertension", "renal_failure"}, {"heart_failure"}),
        (["1970"], {"cancer", "metastatic_cancer"}, {"lymphoma"}),
        ([], set(), {"diabetes"}),
    ],
)
def test_comorbidities_follow_the_codes(codes: list[str], present: set[str], absent: set[str]) -> None:
    found = icd9.comorbidities(codes)
    assert present <= found
    assert not absent & found


def test_an_unknown_comorbidity_is_refused() -> None:
    with pytest.raises(Exception, match="'lumbago' is not defined"):
        icd9.comorbidity_prefixes("lumbago")


@pytest.mark.shared
def test_every_published_code_is_mapped(shared: Path) -> None:
    with gzip.open(shared / "data" / "mimic3-demo" / "D_ICD_DIAGNOSES.csv.gz", "rt", encoding="utf-8") as file:
        codes = [row["ICD9_CODE"] for row in csv.DictReader(file)]
    assert len(codes) == 14_567
    assert [code for code in codes if icd9.block(code) is None] == []

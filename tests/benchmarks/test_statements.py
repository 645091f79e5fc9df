"""The lines of the second opinion: hand-solved ones, round trips, and a grammar of nothing but the text's numbers."""

import llguidance
import llguidance.hf
import pytest

from engine.conversation.fine_tuning.pairs import pairs
from engine.conversation.rules.lexicon import lexicon_for
from engine.schema.catalogue import catalogue
from tests.benchmarks.scratch import small_tokenizer
from tests.benchmarks.statement_reader import grammar_of
from tests.benchmarks.statements import line_of, spec_of_line
from tests.conversation.patient_table_shape import spec_of

MIMIC = catalogue().mimic3_schema()
LEXICON = lexicon_for(MIMIC)
TOKENIZER = small_tokenizer(["n = 500; age_years >= 65; sex = F; 30 % died_in_hospital yes"], words=300)
VOCABULARY = llguidance.hf.from_tokenizer(TOKENIZER)


def allowed(text: str, line: str, *, follows: bool = False) -> bool:
    matcher = llguidance.LLMatcher(
        VOCABULARY, llguidance.LLMatcher.grammar_from_lark(grammar_of(text, LEXICON, follows=follows))
    )
    assert not matcher.is_error(), matcher.get_error()
    tokens = TOKENIZER(line)["input_ids"]
    if matcher.validate_tokens(tokens) < len(tokens):
        return False
    matcher.consume_tokens(tokens)
    return matcher.is_accepting()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("n = 500; sex = F; age_years > 65", "500; sex = F; age_years > 65"),
        ("age_years early 50s", "age_years 50..<54"),
        ("age_years = 64", "age_years 64..<65"),
        ("bmi < 20 or > 35", "bmi ranges ..20|35.."),
        ("hemoglobin >= 10 <= 12", "hemoglobin 10..12"),
        ("hemoglobin < 100 g/L", "hemoglobin < 10"),
        ("length_of_stay_hours > 10 days", "length_of_stay_hours > 240"),
        ("elderly; -copd; +diabetes", "age_years >= 65; copd = false; diabetes = true"),
        ("sex != M; admission_type = URGENT | EMERGENCY", "sex != M; admission_type = URGENT|EMERGENCY"),
        ("code 4280 | 428; us", "primary_icd9_code ^ 4280|428; population us"),
        ("chapter 7", "primary_icd9_code codes 390-459"),
        ("60 % sex M; 40 % sex F; columns sex, bmi", "share sex=M 0.6; share sex=F 0.4; columns sex,bmi"),
        ("25 % diabetes yes", "share diabetes=true 0.25"),
    ],
)  # fmt: skip
def test_a_line_means_its_spec(line: str, wanted: str) -> None:
    assert spec_of_line(line, None, LEXICON) == spec_of(wanted)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("n * 2", "1000; sex = F; age_years > 65"),
        ("drop age_years", "500; sex = F"),
        ("instead; sex = M", "500; age_years > 65; sex = M"),
        ("restart; n = 20", "20"),
    ],
)
def test_a_line_changes_the_spec_before(line: str, wanted: str) -> None:
    previous = spec_of("500; sex = F; age_years > 65")
    made = spec_of_line(line, previous, LEXICON)
    assert made is not None
    assert sorted(made.criteria, key=str) == sorted(spec_of(wanted).criteria, key=str)
    assert made.patients == spec_of(wanted).patients


@pytest.mark.parametrize("line", ["sex", "age_years > 5 furlong", "n = many", "bmi > 30 < 20"])
def test_no_statement_is_refused(line: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        spec_of_line(line, None, LEXICON)


def test_lines_of_pairs_read_back_as_their_specs() -> None:
    lines = wrong = 0
    for pair in pairs(MIMIC, number=600, seed=5):
        line = line_of(pair, LEXICON)
        if line is None:
            continue
        lines += 1
        made = spec_of_line(line, pair.previous, LEXICON)
        wrong += made != pair.spec
        assert allowed(pair.text, line, follows=pair.previous is not None), (pair.text, line)
    assert lines >= 590
    assert wrong <= 3  # two numbers of a text in two units may mean the same


def test_the_grammar_holds_the_numbers_of_the_text_only() -> None:
    text = "250 women over sixty-five with creatinine > 152 µmol/L, 30 % mortality"
    assert allowed(text, "n = 250; age_years > 65; sex = F; creatinine > 152 umol/L; 30 % died_in_hospital yes")
    assert not allowed(text, "n = 251")
    assert not allowed(text, "creatinine > 1.72")
    assert not allowed(text, "creatinine > 152 mg/dL")
    assert not allowed(text, "code 428")
    assert not allowed(text, "restart; n = 250")
    assert allowed(text, "restart; n = 250", follows=True)
    assert not allowed("women", "n = 1")

"""Pairs are valid, say what their specs hold, vary, repeat for a seed, and come from no patient and no test."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from engine.cohort.spec import CohortSpec, Criterion
from engine.cohort.vocabulary import grammar, phrases
from engine.conversation.comparison import differences
from engine.conversation.fine_tuning.pairs import Pair, pairs
from engine.conversation.fine_tuning.words import conversions
from engine.conversation.rules.concepts import concept_of, convert
from engine.conversation.rules.items import read_items
from engine.conversation.rules.lexicon import lexicon_for
from engine.conversation.rules.parser import parse
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema

MIMIC = catalogue().mimic3_schema()
CONVERSATION = Path(__file__).resolve().parents[1]
NUMBER = 1500


@lru_cache(maxsize=4)
def drawn(seed: int = 1, number: int = NUMBER) -> tuple[Pair, ...]:
    return tuple(pairs(MIMIC, number=number, seed=seed))


def limits(criterion: Criterion) -> list[float]:
    ends = [criterion.minimum, criterion.maximum, *(end for pair in criterion.ranges or () for end in pair)]
    return [float(end) for end in ends if end is not None]


def said_numbers(text: str) -> set[float]:
    """Numbers of the text as the parser's reader has them, decades and parts of decades included."""
    found: set[float] = set()
    for item in read_items(text, lexicon_for(MIMIC)).items:
        if item.is_("number"):
            value = item.get("number").value
            found |= {value, value + 1, value + 3, value + 4, value + 7, value + 10}
        if item.is_("decade"):
            start = float(item.get("decade"))
            found |= {start, start + 4, start + 7, start + 10}
        if item.is_("multiply", "fraction"):
            found.add(float(item.get("multiply") or item.get("fraction")))
    return found


def known_numbers(criterion: Criterion) -> set[float]:
    """Numbers that need not be in the text: those of clinical words, and reference ranges."""
    column = MIMIC[criterion.column]
    words = [number for one in phrases() if one.criterion.column == column.name for number in limits(one.criterion)]
    return {*words, *(end for end in (column.reference_low, column.reference_high) if end is not None)}


def test_every_number_of_a_spec_is_in_its_text() -> None:
    units = [None, *grammar()["unit"]]
    for pair in drawn():
        if pair.spec is None:
            continue
        numbers = said_numbers(pair.text)
        old = pair.previous or CohortSpec()
        for criterion in pair.spec.criteria:
            if criterion in old.criteria:
                continue
            column = MIMIC[criterion.column]
            allowed = known_numbers(criterion)
            # A follow-up may leave one end of the range that was there before.
            allowed |= {round(end, 4) for one in old.criteria if one.column == criterion.column for end in limits(one)}
            for unit in units:
                made = (convert(number, unit=unit, column=column, concept=concept_of(column)) for number in numbers)
                allowed |= {round(value, 4) for value in made if value is not None}
            assert {round(end, 4) for end in limits(criterion)} <= allowed, pair
        before = old.patients
        factors = {before * number for number in numbers}
        assert pair.spec.patients in {before, 1000, *numbers, *factors}, pair
        for share in pair.spec.shares:
            if share not in old.shares and share.share != pytest.approx(0.5):
                assert any(share.share == pytest.approx(number / scale) for number in numbers for scale in (1, 100)), (
                    pair
                )


def test_the_words_of_a_pair_say_what_its_spec_holds() -> None:
    # The parser reads the same sentences on its own. It need not agree on every one, but on the bulk: a maker whose
    # words and facts drifted apart would fail here for its kind.
    asked, agreed = Counter(), Counter()
    for pair in drawn():
        turn = parse(pair.text, schema=MIMIC, previous=pair.previous)
        asked[pair.kind] += 1
        if pair.spec is None or turn.spec is None:
            agreed[pair.kind] += pair.spec is None and turn.spec is None
        else:
            agreed[pair.kind] += not differences(turn.spec, pair.spec, MIMIC)
    assert sum(agreed.values()) >= 0.82 * sum(asked.values())
    common = {kind for kind, number in asked.items() if number >= 50}
    assert {"age", "compared", "condition", "category", "code"} <= common
    assert not {kind: agreed[kind] / asked[kind] for kind in common if agreed[kind] < 0.75 * asked[kind]}
    assert not {kind: number for kind, number in asked.items() if number >= 10 and agreed[kind] < number / 5}


def test_pairs_are_varied() -> None:
    kinds = Counter(pair.kind for pair in drawn())
    assert len(kinds) >= 30
    assert max(kinds.values()) < 0.2 * NUMBER
    assert len({(pair.text.lower(), pair.previous) for pair in drawn()}) == NUMBER
    columns = {part.column for pair in drawn(number=6000) if pair.spec for part in pair.spec.criteria}
    assert len(columns) > 0.9 * len([c for c in MIMIC.features if c.categories or c.kind is not Kind.CATEGORICAL])
    intents = Counter(pair.intent for pair in drawn())
    assert {"generate", "refine", "question", "refuse", "out_of_scope", "unclear"} == set(intents)
    assert intents["generate"] > intents["refine"] > intents["question"]


def test_follow_ups_alone_have_a_previous_spec() -> None:
    for pair in drawn():
        assert (pair.spec is None) == (pair.intent not in ("generate", "refine"))
        assert pair.previous is not None or pair.intent != "refine"
        if pair.intent == "refine":
            assert pair.spec != pair.previous


def test_the_seed_decides() -> None:
    again = tuple(pairs(MIMIC, number=200, seed=1))
    assert again == drawn()[:200]
    assert tuple(pairs(MIMIC, number=200, seed=2)) != again


def test_texts_kept_for_measuring_are_left_out() -> None:
    kept = {pair.text.casefold() for pair in drawn()[:50]}
    taught = {pair.text.casefold() for pair in pairs(MIMIC, number=1000, seed=1, leave_out=kept)}
    assert len(taught & kept) == 0


def test_no_test_request_is_copied() -> None:
    texts: set[str] = set()
    for path in (*CONVERSATION.glob("requests*.yaml"), *CONVERSATION.glob("unseen/requests*.yaml")):
        for table in yaml.safe_load(path.read_text(encoding="utf-8")).values():
            texts |= {" ".join(text.lower().split()) for text in table}
    assert texts
    copied = [pair.text for pair in drawn(number=6000) if " ".join(pair.text.lower().split()) in texts]
    # "half women" and the like may come about by chance; sentences that were taken over would come in numbers.
    assert len(copied) <= 6, copied


def test_bands_and_other_names_of_an_uploaded_table_are_used() -> None:
    categories = {
        "race": ("AfricanAmerican", "Asian", "Caucasian"), "gender": ("Female", "Male"),
        "insulin": ("No", "Steady", "Up"),
        "age": tuple(f"[{low}-{low + 10})" for low in range(0, 100, 10)),
    }  # fmt: skip
    named = (Column(name=name, kind=Kind.CATEGORICAL, categories=known) for name, known in categories.items())
    stay = Column(name="time_in_hospital", kind=Kind.INTEGER, minimum=1, maximum=14)
    schema = TableSchema(columns=(*named, stay))
    made = list(pairs(schema, number=400, seed=3))
    columns = {part.column for pair in made if pair.spec for part in pair.spec.criteria}
    assert {"race", "gender", "insulin", "time_in_hospital"} <= columns
    assert columns <= set(schema.names)


def test_conversions_are_those_of_the_catalogue() -> None:
    creatinine = MIMIC["creatinine"]
    assert conversions(creatinine)["umol/L"].apply(152) == pytest.approx(1.719, abs=1e-3)
    assert set(conversions(MIMIC["length_of_stay_hours"])) == {"days", "weeks"}
    assert conversions(MIMIC["sex"]) == {}

"""Tables of requests: each becomes exactly the spec, the intent or the warning that stands beside it."""

import json

import pytest
from patient_table_shape import load, mimic_like, spec_of

from engine.cohort.spec import CohortSpec
from engine.conversation.rules.parser import parse

SCHEMA = mimic_like()
SETS = ("requests.yaml", "requests_held_out.yaml", "requests_tuned.yaml", "requests_second.yaml")
REQUESTS = [text_and_want for name in SETS for table in load(name).values() for text_and_want in table.items()]
FOLLOW_UPS = [row for part in ("", "_tuned", "_second", "_third") for row in load(f"follow_ups{part}.yaml")]
OTHERS = [
    (text, *want)
    for name in ("other_intents.yaml", "other_intents_tuned.yaml")
    for table in load(name).values()
    for text, want in table.items()
]


def comparable(spec: CohortSpec | None) -> dict | None:
    """The spec without the order of its parts."""
    if spec is None:
        return None
    shown = spec.as_json()
    for criterion in shown["criteria"]:
        for field in ("any_of", "none_of", "starts_with", "not_starts_with"):
            if field in criterion:
                criterion[field] = sorted(criterion[field], key=str)
    for share in shown["shares"]:
        share["share"] = round(share["share"], 6)
    for part in ("criteria", "shares"):
        shown[part] = sorted(shown[part], key=lambda value: json.dumps(value, sort_keys=True))
    return shown


@pytest.mark.parametrize(("text", "want"), REQUESTS, ids=[text for text, _ in REQUESTS])
def test_request_becomes_its_spec(text: str, want: str) -> None:
    turn = parse(text, schema=SCHEMA)
    assert comparable(turn.spec) == comparable(spec_of(want)), turn
    assert turn.intent == "generate"
    assert turn.not_understood == ()


@pytest.mark.parametrize(("texts", "want"), FOLLOW_UPS, ids=lambda value: str(value)[:60])
def test_follow_up_edits_the_previous_spec(texts: list[str], want: str) -> None:
    spec = None
    for text in texts:
        spec = parse(text, schema=SCHEMA, previous=spec).spec or spec
    assert comparable(spec) == comparable(spec_of(want))


@pytest.mark.parametrize(("text", "intent", "code"), OTHERS, ids=[text or "empty" for text, *_ in OTHERS])
def test_other_intents(text: str, intent: str, code: str | None) -> None:
    turn = parse(text, schema=SCHEMA)
    assert turn.intent == intent, turn
    assert code is None or code in [warning.code for warning in turn.warnings], turn
    if intent in ("refuse", "out_of_scope", "unclear", "question") or code == "infeasible":
        assert turn.spec is None


def test_most_requests_in_unlike_wording_become_their_spec() -> None:
    rows = [row for table in load("requests_third.yaml").values() for row in table.items()]
    read = [(parse(text, schema=SCHEMA), want) for text, want in rows]
    right = [comparable(turn.spec) == comparable(spec_of(want)) and not turn.not_understood for turn, want in read]
    assert sum(right) / len(right) >= 0.78


def test_most_other_intents_in_unlike_wording_are_told() -> None:
    rows = [row for table in load("other_intents_second.yaml").values() for row in table.items()]
    wrong = [text for text, (intent, code) in rows if not _is_told(text, intent, code)]
    assert len(wrong) / len(rows) <= 0.03, wrong


def _is_told(text: str, intent: str, code: str | None) -> bool:
    turn = parse(text, schema=SCHEMA)
    speaks = intent in ("generate", "refine") and code != "infeasible"
    silent = turn.spec is None or speaks
    return turn.intent == intent and silent and (code is None or code in [warning.code for warning in turn.warnings])

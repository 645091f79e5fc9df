"""Tables of requests: each becomes exactly the spec, the intent or the warning that stands beside it."""

import json

import pytest
from patient_table_shape import load, mimic_like, spec_of

from engine.cohort.spec import CohortSpec
from engine.conversation.rules.parser import parse

SCHEMA = mimic_like()
TABLES = {**load("requests.yaml"), **load("requests_held_out.yaml")}
REQUESTS = [(group, text, want) for group, table in TABLES.items() for text, want in table.items()]
OTHERS = [(text, *want) for table in load("other_intents.yaml").values() for text, want in table.items()]


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


@pytest.mark.parametrize(("group", "text", "want"), REQUESTS, ids=[text for _, text, _ in REQUESTS])
def test_request_becomes_its_spec(group: str, text: str, want: str) -> None:
    turn = parse(text, schema=SCHEMA)
    assert comparable(turn.spec) == comparable(spec_of(want)), turn
    assert turn.intent == "generate"
    assert turn.not_understood == ()


@pytest.mark.parametrize(("texts", "want"), load("follow_ups.yaml"), ids=lambda value: str(value)[:60])
def test_follow_up_edits_the_previous_spec(texts: list[str], want: str) -> None:
    spec = None
    for text in texts:
        spec = parse(text, schema=SCHEMA, previous=spec).spec
    assert comparable(spec) == comparable(spec_of(want))


@pytest.mark.parametrize(("text", "intent", "code"), OTHERS, ids=[text or "empty" for text, *_ in OTHERS])
def test_other_intents(text: str, intent: str, code: str | None) -> None:
    turn = parse(text, schema=SCHEMA)
    assert turn.intent == intent, turn
    assert code is None or code in [warning.code for warning in turn.warnings], turn
    if intent in ("refuse", "out_of_scope", "unclear", "question") or code == "infeasible":
        assert turn.spec is None

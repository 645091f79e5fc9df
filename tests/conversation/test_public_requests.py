"""Real questions about MIMIC-III: those that describe patients become their cohort, the others are declined.

MIMICSQL's development questions (MIT) and EHRSQL's unanswerable ones (CC BY 4.0), from the folder ../shared.
``python tests/conversation/test_public_requests.py`` prints the shares and what went wrong.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mimicsql_score import is_right
from patient_table_shape import load, mimic_like

from engine.conversation.contract import Turn
from engine.conversation.rules.parser import parse

SCHEMA = mimic_like()
REQUESTS = Path(__file__).resolve().parents[3] / "shared" / "bench" / "requests"
DECLINED = ("refuse", "out_of_scope", "unclear", "question")


def lines(name: str) -> list[dict[str, Any]]:
    """The questions of a file, one JSON object each."""
    return [json.loads(line) for line in (REQUESTS / name).read_text(encoding="utf-8").splitlines()]


def wrong_of_mimicsql() -> Iterator[tuple[str, Turn]]:
    """The questions whose turn is not right."""
    for entry in lines("mimicsql_dev.jsonl"):
        turn = parse(entry["q"], schema=SCHEMA)
        if not is_right(entry["q"], entry["cond"], turn):
            yield entry["q"], turn


def answered_of_ehrsql() -> Iterator[tuple[str, Turn]]:
    """The unanswerable questions for which a cohort was proposed all the same."""
    for entry in lines("ehrsql_unanswerable.jsonl"):
        turn = parse(entry["q"], schema=SCHEMA)
        if turn.spec is not None or turn.intent not in DECLINED:
            yield entry["q"], turn


def answerable() -> list[str]:
    """Requests that a cohort can be made of."""
    tables = [load("requests.yaml"), load("requests_held_out.yaml")]
    return [text for table in tables for group in table.values() for text in group]


def falsely_declined(texts: list[str]) -> list[str]:
    """Those of ``texts`` that are declined."""
    return [text for text in texts if parse(text, schema=SCHEMA).intent in DECLINED]


@pytest.mark.shared
def test_questions_of_mimicsql_become_their_cohorts(shared: Path) -> None:
    wrong = list(wrong_of_mimicsql())
    assert len(wrong) <= 0.03 * 160, wrong


@pytest.mark.shared
def test_unanswerable_questions_are_declined(shared: Path) -> None:
    answered = list(answered_of_ehrsql())
    assert len(answered) <= 0.1 * 294, answered


@pytest.mark.shared
def test_questions_about_cohorts_are_not_declined(shared: Path) -> None:
    texts = [entry["q"] for entry in lines("mimicsql_dev.jsonl")]
    assert len(falsely_declined(texts)) <= 0.05 * len(texts)


def test_requests_are_not_declined() -> None:
    texts = answerable()
    assert len(falsely_declined(texts)) <= 0.05 * len(texts)


if __name__ == "__main__":
    wrong = list(wrong_of_mimicsql())
    print(f"MIMICSQL: {160 - len(wrong)} of 160 right")
    for text, turn in wrong:
        spec = turn.spec.as_json()["criteria"] if turn.spec else None
        print(f"  {text}\n    {turn.intent} {spec} left over: {turn.not_understood}")
    answered = list(answered_of_ehrsql())
    print(f"EHRSQL: {294 - len(answered)} of 294 declined")
    for text, turn in answered:
        print(f"  {text}\n    {[entry.meaning for entry in turn.understood]} left over: {turn.not_understood}")
    texts = [*answerable(), *(entry["q"] for entry in lines("mimicsql_dev.jsonl"))]
    declined = falsely_declined(texts)
    print(f"falsely declined: {len(declined)} of {len(texts)}: {declined}")

"""Small changes that leave the meaning alone leave the spec alone: typos, case, whitespace, politeness, order.

The study repeats the original project's question on semantic robustness: of a hundred requests, how many specs stay as
they are. ``python tests/conversation/test_robustness.py`` prints the shares and the texts that changed.
"""

import random
from pathlib import Path

import pytest
import yaml
from patient_table_shape import mimic_like
from test_requests import comparable

from engine.conversation.rules.parser import parse
from tests.helpers.perturbations import PERTURBATIONS

SCHEMA = mimic_like()
REQUESTS = yaml.safe_load((Path(__file__).parent / "unseen" / "perturbations.yaml").read_text(encoding="utf-8"))
SEEDS = range(3)
WANTED = 0.95


def changed(kind: str) -> tuple[int, list[str]]:
    """How many changed texts there were, and those whose spec is not that of the request as it was."""
    tried, different = 0, []
    for number, text in enumerate(REQUESTS):
        want = comparable(parse(text, schema=SCHEMA).spec)
        for seed in SEEDS:
            other = PERTURBATIONS[kind](text, random.Random(1000 * seed + number))
            if other == text:
                continue
            tried += 1
            if comparable(parse(other, schema=SCHEMA).spec) != want:
                different.append(other)
    return tried, different


def test_there_are_a_hundred_requests() -> None:
    assert len(set(REQUESTS)) >= 100


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_the_spec_stays(kind: str) -> None:
    tried, different = changed(kind)
    assert tried >= (8 if kind == "reordering" else 100)
    assert 1 - len(different) / tried >= WANTED, different


if __name__ == "__main__":
    for name in PERTURBATIONS:
        count, lost = changed(name)
        print(f"{name:>12}: {count - len(lost)} of {count} unchanged ({1 - len(lost) / max(count, 1):.1%})")
        for request in lost:
            print("             ", repr(request))

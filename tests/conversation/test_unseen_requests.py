"""How the rules do on requests that they were not tuned on: written by another author and kept apart.

The shares are floors, the texts no cases of their own: a parser that is mended sentence by sentence learns nothing.
``python tests/conversation/test_unseen_requests.py`` prints the shares by group, never a text.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from patient_table_shape import mimic_like, spec_of
from test_requests import comparable

from engine.conversation.rules.parser import parse

HERE = Path(__file__).parent / "unseen"
SCHEMA = mimic_like()
EXACT = 0.92
DISEASES = 0.90

Counts = dict[str, Counter[bool]]


def _read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def requests() -> Counts:
    """Group → how many requests became exactly their spec, or not."""
    return {
        group: Counter(_becomes(text, want) for text, want in table.items())
        for group, table in _read("requests.yaml").items()
    }


def _becomes(text: str, want: str) -> bool:
    return comparable(parse(text, schema=SCHEMA).spec) == comparable(spec_of(want))


def follow_ups() -> Counter[bool]:
    """How many conversations ended in exactly their spec, or not."""
    right: Counter[bool] = Counter()
    for texts, want in _read("follow_ups.yaml"):
        spec = None
        for text in texts:
            spec = parse(text, schema=SCHEMA, previous=spec).spec or spec
        right[comparable(spec) == comparable(spec_of(want))] += 1
    return right


def other_intents() -> Counts:
    """Group → how many texts got their intent and warning, and no spec where there should be none."""
    found: Counts = {}
    for group, table in _read("other_intents.yaml").items():
        right = found.setdefault(group, Counter())
        for text, (intent, code) in table.items():
            turn = parse(text, schema=SCHEMA)
            warned = code is None or code in {warning.code for warning in turn.warnings}
            silent = turn.spec is None or (intent in ("generate", "refine") and code != "infeasible")
            right[turn.intent == intent and warned and silent] += 1
    return found


def disease_names() -> Counter[bool]:
    """How many names became the disease that they mean: its flag, or codes that overlap with its own."""
    return Counter(_is_meant(name, **meant) for name, meant in _read("disease_names.yaml").items())


def _is_meant(name: str, *, icd9: list[str], flag: str | None = None) -> bool:
    turn = parse(f"patients with {name}", schema=SCHEMA)
    if turn.spec is None or len(turn.spec.criteria) != 1:
        return False
    criterion = turn.spec.criteria[0]
    if criterion.any_of == (True,):
        return criterion.column == flag
    chosen = criterion.starts_with or tuple(code for pair in criterion.between_codes or () for code in pair)
    # As the table's header says: what was chosen and what is meant overlap, whichever of the two is the more general.
    return any(len(code) >= 3 and (code.startswith(own) or own.startswith(code)) for own in icd9 for code in chosen)


def share(counted: Counts | Counter[bool]) -> float:
    """The share of right ones."""
    every = counted if isinstance(counted, Counter) else sum(counted.values(), Counter())
    return every[True] / every.total()


def test_specs_are_exact() -> None:
    every = sum(requests().values(), Counter()) + follow_ups() + sum(other_intents().values(), Counter())
    assert every.total() >= 200
    assert share(every) >= EXACT, every


def test_disease_names_are_known() -> None:
    names = disease_names()
    assert names.total() >= 150
    assert share(names) >= DISEASES, names


if __name__ == "__main__":
    tables = {**requests(), "follow-ups": follow_ups(), **other_intents()}
    for title, counts in {**tables, "all": sum(tables.values(), Counter()), "disease names": disease_names()}.items():
        print(f"{title:>34}: {counts[True]} of {counts.total()} ({counts[True] / counts.total():.1%})")

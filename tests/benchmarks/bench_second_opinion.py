"""A small model as a second opinion beside the rules; prints JSON.

``python -m tests.benchmarks.bench_second_opinion --train`` teaches a Llama of 5.8 million weights, from nothing, what
generated requests state (:mod:`tests.benchmarks.statements`); repeated, it goes on where it was. One thread.
``python -m tests.benchmarks.bench_second_opinion FILE.yaml …`` reads the requests of each file with the rules, with the
model, and with both: where they agree the reading is accepted, where they differ the person would be asked.

The product has no second opinion: after 36,000 examples (2,249 steps, 26 minutes of one shared core) the model became
3 % of the 282 requests of ``unseen/requests.yaml`` exact, the rules 94 %, and the two agreed on 4 %. It had learned
counts, sexes and ages, but neither diseases nor columns; how far a longer training would get was not measured.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml

from engine.cohort.spec import CohortSpec
from engine.conversation.comparison import differences
from engine.conversation.fine_tuning.pairs import pairs
from engine.conversation.fine_tuning.training import Course, train
from engine.conversation.rules.lexicon import lexicon_for
from engine.conversation.rules.parser import parse
from engine.core.progress import Console
from engine.core.workspace import read_json, write_json
from engine.schema.catalogue import catalogue
from tests.benchmarks.scratch import small_model, small_tokenizer
from tests.benchmarks.statement_reader import Reader, asked
from tests.benchmarks.statements import line_of
from tests.conversation.patient_table_shape import spec_of

CONVERSATION = Path(__file__).resolve().parents[1] / "conversation"
SCHEMA = catalogue().mimic3_schema()
LEXICON = lexicon_for(SCHEMA)
LONGEST = 512
"""Tokens of a request and its line."""

Read = Callable[[str], CohortSpec | None]


def teach(folder: Path, course: Course) -> None:
    """Compose the examples, learn a vocabulary, train, and save the model into ``folder``/model."""
    path = folder / f"lines_{course.pairs}_{course.seed}.json"
    if not path.exists():
        write_json(path, list(_lines(course)))
    lines = read_json(path)
    tokenizer = small_tokenizer(text for line in lines for text in line)
    examples = [
        {"prompt": [{"role": "user", "content": text}], "completion": [{"role": "assistant", "content": line}]}
        for text, line in lines
    ]
    trainer, outcome = train(
        small_model(tokenizer, seed=course.seed, longest=LONGEST), tokenizer, examples, course=course,
        checkpoint=folder / "checkpoint", resume=True, progress=Console(),
    )  # fmt: skip
    trained: Any = trainer.model
    trained.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    print(json.dumps({"examples": len(examples), "steps": outcome.steps, "loss": outcome.loss}))


def measure(path: Path, model: Read) -> dict[str, float | int | str]:
    """The three figures over a file of requests (group → text → the spec it must become)."""
    counts = dict.fromkeys(("requests", "rules", "model", "either", "accepted", "accepted_right", "rules_wrong",
                            "rules_wrong_noticed"), 0)  # fmt: skip
    seconds = 0.0
    for text, wanted in _requests(path):
        ruled = parse(text, schema=SCHEMA).spec
        started = time.perf_counter()
        read = model(text)
        seconds += time.perf_counter() - started
        right, also = same(ruled, wanted), same(read, wanted)
        agreed = same(ruled, read)
        for name, holds in (
            ("requests", True), ("rules", right), ("model", also), ("either", right or also), ("accepted", agreed),
            ("accepted_right", agreed and right), ("rules_wrong", not right),
            ("rules_wrong_noticed", not right and not agreed),
        ):  # fmt: skip
            counts[name] += holds
    number, accepted = counts["requests"], counts["accepted"]
    return {
        "file": f"{path.parent.name}/{path.name}", "requests": number, "rules_exact": counts["rules"] / number,
        "model_exact": counts["model"] / number, "pair_coverage": accepted / number,
        "pair_exact_of_accepted": counts["accepted_right"] / max(1, accepted),
        # Forced to answer, the pair falls back on the rules where it would ask: their figure, by definition.
        "pair_exact_when_forced": counts["rules"] / number, "either_exact": counts["either"] / number,
        "rules_wrong": counts["rules_wrong"], "of_these_noticed": counts["rules_wrong_noticed"],
        "asked_though_rules_right": number - accepted - counts["rules_wrong_noticed"],
        "model_ms_per_request": round(1000 * seconds / number),
    }  # fmt: skip


def same(one: CohortSpec | None, other: CohortSpec | None) -> bool:
    """Whether two readings ask for the same cohort, or both for none."""
    if one is None or other is None:
        return one is other
    return not differences(one, other, SCHEMA)


def _lines(course: Course) -> Iterator[tuple[str, str]]:
    kept = {text for path in CONVERSATION.rglob("*.yaml") for text in _texts(yaml.safe_load(path.read_text("utf-8")))}
    for pair in pairs(SCHEMA, number=course.pairs, seed=course.seed, leave_out=kept):
        line = line_of(pair, LEXICON)
        if line is not None:
            yield asked(pair.text, follows=pair.previous is not None), line


def _texts(value: object) -> Iterator[str]:
    """Every text of the tests' tables: none of them may be taught."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(key)
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _requests(path: Path) -> Iterator[tuple[str, CohortSpec]]:
    for table in yaml.safe_load(path.read_text("utf-8")).values():
        for text, wanted in table.items():
            yield text, spec_of(wanted)


def main() -> None:
    """Train, or measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="tables of requests")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("second_opinion"), help="outside the repository")
    parser.add_argument("--pairs", type=int, default=40_000)
    parser.add_argument("--epochs", type=float, default=2.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.train:
        course = Course(pairs=given.pairs, epochs=given.epochs, seed=2026, batch=16, accumulate=1, learning_rate=1e-3,
                        longest=LONGEST, save_every=250)  # fmt: skip
        teach(given.folder, course)
    reader = Reader(given.folder / "model", LEXICON) if given.files else None
    for path in given.files:
        print(json.dumps(measure(path, reader.read), ensure_ascii=False))  # type: ignore[union-attr]


if __name__ == "__main__":
    main()

"""What a model is taught is what it may write at work: drafts read back as their pairs, under the request's grammar."""

from functools import lru_cache
from typing import Any

import llguidance
import llguidance.hf
import pytest

from engine.conversation.fine_tuning.examples import examples
from engine.conversation.fine_tuning.pairs import Pair, pairs
from engine.conversation.language_model.constraint import request_grammar
from engine.conversation.language_model.draft import read_draft
from engine.conversation.language_model.prompt import messages
from engine.schema.catalogue import catalogue
from tests.benchmarks.scratch import small_tokenizer

MIMIC = catalogue().mimic3_schema()


@lru_cache(maxsize=1)
def taught() -> list[tuple[Pair, dict[str, Any]]]:
    made = list(pairs(MIMIC, number=200, seed=21))
    return list(zip(made, examples(made, MIMIC), strict=True))


def test_a_draft_reads_back_as_its_pair() -> None:
    for pair, example in taught():
        draft = read_draft(example["completion"][0]["content"], MIMIC)
        assert (draft.intent, draft.spec) == (pair.intent, pair.spec), pair.text


def test_the_prompt_is_the_one_at_work() -> None:
    for pair, example in taught()[:20]:
        assert example["prompt"] == messages(pair.text, schema=MIMIC, previous=pair.previous)
        assert pair.text in example["prompt"][-1]["content"]


def test_the_grammar_of_a_request_lets_its_draft_through() -> None:
    drafts = [example["completion"][0]["content"] for _, example in taught()]
    tokenizer = small_tokenizer(drafts, words=600)
    vocabulary = llguidance.hf.from_tokenizer(tokenizer)
    passed = 0
    for (pair, _), draft in zip(taught(), drafts, strict=True):
        grammar = request_grammar(pair.text, schema=MIMIC, previous=pair.previous)
        matcher = llguidance.LLMatcher(vocabulary, grammar)
        tokens = tokenizer(draft)["input_ids"]
        if matcher.validate_tokens(tokens) == len(tokens):
            matcher.consume_tokens(tokens)
            passed += matcher.is_accepting()
    # Some spellings of numbers ("in their 90's") are beyond the reader that the grammar takes its numbers from.
    assert passed / len(drafts) == pytest.approx(1.0, abs=0.04)

"""A tiny Llama with a vocabulary and a chat template of its own, saved like a real one."""

from pathlib import Path

from engine.conversation.fine_tuning.examples import examples
from engine.conversation.fine_tuning.pairs import pairs
from engine.schema.catalogue import catalogue
from tests.benchmarks.scratch import small_model, small_tokenizer


def save(folder: Path) -> Path:
    """Random weights and a vocabulary learned from the composed requests, in ``folder``, which is returned."""
    schema = catalogue().mimic3_schema()
    rows = examples(pairs(schema, number=60, seed=3), schema)
    texts = [message["content"] for row in rows for part in ("prompt", "completion") for message in row[part]]
    tokenizer = small_tokenizer(texts, words=600)
    tokenizer.save_pretrained(folder)
    small_model(tokenizer, seed=1, hidden=64, layers=2, longest=1024).save_pretrained(folder)
    return folder

"""What a language model costs: ``python -m tests.benchmarks.bench_language_model [--parameters 100]``; prints JSON.

A Llama of random weights is written as shards, loaded by the product's own code in bfloat16, and asked: seconds and
memory of loading, milliseconds of a request's grammar, tokens per second with and without it, and the whole answer. The
weights are random and the tokenizer is a small one, so the speeds are those of the architecture and the answers mean
nothing. ``--like llama-2-7b`` takes the real size: 13.5 GB on disk and in memory.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from engine.conversation.language_model.backend import LanguageModel, _generate, _inputs
from engine.conversation.language_model.constraint import constrained_processor, draft_schema, request_grammar
from engine.conversation.language_model.draft import draft_of
from engine.conversation.language_model.masking import ConstrainedProcessor
from engine.conversation.language_model.prompt import messages
from engine.conversation.language_model.settings import LlamaSettings
from tests.conversation.language_model.tiny_model import texts, tokenizer
from tests.conversation.patient_table_shape import mimic_like, spec_of

LLAMA_2_7B = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
TEXT = "500 women over 65 with COPD and HbA1c above 6.5 %, 30 % mortality"
DRAFT = "500; sex = F; age_years > 65; copd = true; hba1c > 6.5; share died_in_hospital=true 0.3"
VOCABULARY = 32_000


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--parameters", type=float, default=100.0, help="millions of weights")
    asked.add_argument("--like", choices=["llama-2-7b"], help="the size of a known model instead")
    asked.add_argument("--tokens", type=int, default=64, help="tokens that are written for a speed")
    given = asked.parse_args()
    shape = LLAMA_2_7B if given.like else _shape(given.parameters * 1e6)
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder), shape)
        print(json.dumps(_measured(Path(folder), given.tokens), indent=2))


def _shape(parameters: float) -> dict[str, int]:
    """The widest Llama of 12 layers with at most ``parameters``: two embeddings, and 12.25 hidden² in a layer."""
    hidden = 64
    while 2 * VOCABULARY * (hidden + 64) + 12 * 12.25 * (hidden + 64) ** 2 <= parameters:
        hidden += 64
    return {"hidden_size": hidden, "intermediate_size": hidden * 11 // 4, "num_hidden_layers": 12,
            "num_attention_heads": hidden // 64}  # fmt: skip


def _save(folder: Path, shape: dict[str, int]) -> None:
    config = LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=8192, **shape)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="5GB")
    finally:
        torch.set_default_dtype(before)
    words = tokenizer(words=2000)
    words.add_tokens([f"<unused {number}>" for number in range(VOCABULARY - len(words))])
    words.save_pretrained(folder)


def _measured(folder: Path, tokens: int) -> dict[str, Any]:
    schema, settings = mimic_like(), LlamaSettings(model=str(folder), explanation_tokens=0)
    loaded = LanguageModel(settings).load()
    parameters = sum(one.numel() for one in loaded.model.parameters())
    result = {
        "parameters_millions": round(parameters / 1e6), "device": loaded.device, "threads": torch.get_num_threads(),
        "load_seconds": round(loaded.seconds, 2), "memory_mb": round(loaded.memory_mb),
    }  # fmt: skip
    result |= _grammars(folder)
    inputs = _inputs(loaded, messages(TEXT, schema=schema), room=tokens)
    result["prompt_tokens"] = int(inputs["input_ids"].shape[1])
    started = time.perf_counter()
    _generate(loaded, inputs, 1, threading.Event())
    result["prompt_seconds"] = round(time.perf_counter() - started, 2)
    goal = torch.tensor(loaded.tokenizer.encode(draft_of(spec_of(DRAFT)), add_special_tokens=False)[:tokens])
    grammar = request_grammar(TEXT, schema=schema)
    steps: dict[str, list[float]] = {"free": [], "constrained": []}
    for _ in range(3):  # in turns, so that a machine that does other things as well slows both
        for name, found in steps.items():
            towards: Any = _Towards(goal)
            grammars = [constrained_processor(grammar, loaded.tokenizer)] if name == "constrained" else []
            written = _generate(loaded, inputs, len(goal), threading.Event(), logits_processor=[towards, *grammars])
            assert written.tolist() == goal.tolist()
            found += [later - earlier for earlier, later in pairwise(towards.seconds)]
    for name, found in steps.items():
        result[f"tokens_per_second_{name}"] = round(1 / statistics.median(found), 2)
    return result


class _Towards:
    """Makes every token of ``goal`` the likeliest in its turn, so that both runs write the same draft."""

    def __init__(self, goal: torch.Tensor) -> None:
        self._goal, self._at = goal, 0
        self.seconds: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.seconds.append(time.perf_counter())
        scores = scores.clone()
        scores[:, self._goal[self._at]] = 1e4
        self._at += 1
        return scores


def _grammars(folder: Path) -> dict[str, float]:
    """Milliseconds, medians over the test requests: the JSON schema of a request, its compilation, a mask."""
    schema, words = mimic_like(), AutoTokenizer.from_pretrained(folder)
    draft_schema(schema, TEXT)
    constrained_processor(request_grammar(TEXT, schema=schema), words)
    made, compiled, masks = [], [], []
    for text in texts():
        started = time.perf_counter()
        grammar = request_grammar(text, schema=schema)
        made.append(time.perf_counter() - started)
        started = time.perf_counter()
        constrained_processor(grammar, words)
        compiled.append(time.perf_counter() - started)
    ids = words.encode(draft_of(spec_of(DRAFT)), add_special_tokens=False)
    processor: Any = ConstrainedProcessor(request_grammar(TEXT, schema=schema), words)
    scores = torch.zeros(1, VOCABULARY)
    for at in range(len(ids)):
        started = time.perf_counter()
        processor(torch.tensor([[1, *ids[:at]]]), scores)
        masks.append(time.perf_counter() - started)
    return {
        "grammar_made_ms": round(1000 * statistics.median(made), 1),
        "grammar_compiled_ms": round(1000 * statistics.median(compiled), 1),
        "mask_ms_per_token": round(1000 * statistics.median(masks), 2),
        "mask_ms_worst": round(1000 * max(masks), 2),
    }


if __name__ == "__main__":
    main()

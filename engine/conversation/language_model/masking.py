"""The decoder's mask: at each step only tokens that keep the text inside a grammar, for one sequence."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import llguidance.hf
import torch
from llguidance import LLMatcher, LLTokenizer
from transformers import LogitsProcessor, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from engine.core.errors import InternalError, UserError

_JOINTS = 120
"""Bytes of keys, quotes and brackets around the values of one criterion."""


class ConstrainedProcessor(LogitsProcessor):
    """Masks everything that would leave ``grammar``.

    The first call sees the prompt alone; every later call, one token more. From the ``closing_after``-th token on
    brackets are closed wherever the grammar allows it, so that the text is whole before the tokens run out.
    """

    def __init__(self, grammar: str, tokenizer: PreTrainedTokenizerBase, *, closing_after: int | None = None) -> None:
        self._tokens = _tokens_of(tokenizer)
        self._matcher = LLMatcher(self._tokens, grammar, log_level=0)
        self._closing_after = closing_after
        self._seen: int | None = None
        self._prompt = 0
        if self._matcher.is_error():
            # llguidance's own message repeats the grammar, which holds parts of the request.
            raise InternalError("the grammar of the request does not compile")

    def text(self, written: torch.Tensor) -> str | None:
        """The whole text that ``written`` (tokens without the prompt) is; None where it was cut short."""
        if self._seen is None:
            return None
        if not self._matcher.is_stopped():
            # No call has seen the last token.
            self._matcher.consume_tokens(written[self._seen - self._prompt :].tolist())
        if self._matcher.is_error() or not self._matcher.is_accepting():
            return None
        kept = [token for token in written.tolist() if not self._tokens.is_special_token(token)]
        return self._tokens.decode_str(kept)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """``scores`` of shape (1, vocabulary) with -inf where the grammar forbids the token."""
        length = input_ids.shape[1]
        if self._seen is None:
            self._prompt = length
        elif not self._matcher.is_stopped():
            self._matcher.consume_tokens(input_ids[0, self._seen :].tolist())
        self._seen = length
        if self._matcher.is_error():
            raise InternalError("the model left the grammar of the request")
        mask = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8) > 0
        if self._closing_after is not None and length - self._prompt >= self._closing_after:
            closing = mask & _closers(self._tokens)
            mask = closing if bool(closing.any()) else mask
        allowed = torch.zeros(scores.shape[-1], dtype=torch.bool)
        shared = min(len(mask), len(allowed))
        allowed[:shared] = mask[:shared]
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))  # type: ignore[return-value]


def room_to_close(grammar: str) -> int:
    """An upper bound of the tokens that closing takes: the bytes of a criterion with the longest values."""
    values = _values(json.loads(grammar))
    return 2 * max(len(json.dumps(value, ensure_ascii=False).encode()) for value in values) + _JOINTS


def _values(part: Any) -> Iterator[Any]:
    """Every value of every enumeration inside a schema."""
    if isinstance(part, dict):
        yield from part.get("enum", ())
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _values(inner)


@lru_cache(maxsize=4)
def _tokens_of(tokenizer: PreTrainedTokenizerBase) -> LLTokenizer:
    """The tokenizer as llguidance needs it; that takes about a second for 32,000 tokens."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError("the model's tokenizer is not a fast one", remedy="Name a model that ships tokenizer.json.")
    return llguidance.hf.from_tokenizer(tokenizer, slices=[])


@lru_cache(maxsize=4)
def _closers(tokens: LLTokenizer) -> torch.Tensor:
    """Which tokens begin with a closing bracket: boolean of shape (vocabulary,)."""
    return torch.tensor([tokens.decode_bytes([one])[:1] in (b"}", b"]") for one in range(tokens.vocab_size)])


@lru_cache(maxsize=4)
def bracket_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens with a brace or bracket: without them no JSON can be written."""
    tokens = _tokens_of(tokenizer)
    return [one for one in range(tokens.vocab_size) if set(tokens.decode_bytes([one])) & set(b"{}[]")]

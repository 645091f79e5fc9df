"""The language model as a backend: a draft inside the request's grammar, then an explanation as text.

This module loads torch, so it lives in the model's own process (:mod:`.host`); others use :mod:`.client`.
"""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import GenerationConfig, PreTrainedTokenizerBase, StoppingCriteria, TextStreamer

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName, Turn
from engine.conversation.language_model.constraint import constrained_processor, request_grammar
from engine.conversation.language_model.draft import read_draft
from engine.conversation.language_model.loading import Loaded, shared
from engine.conversation.language_model.masking import bracket_tokens, room_to_close
from engine.conversation.language_model.prompt import check_text, explanation, messages
from engine.conversation.language_model.settings import LlamaSettings
from engine.conversation.language_model.spans import understood
from engine.core.errors import CohortStudioError, UserError
from engine.schema.table import TableSchema

LLAMA_2_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + (system if loop.first else '') + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
"""Llama 2's own form of a conversation, for tokenizers that came without one."""

_WAIT_SECONDS = 0.1
_log = logging.getLogger(__name__)


class LanguageModel:
    """Reads requests with a causal language model; one request at a time."""

    name: BackendName = "llama"

    def __init__(self, settings: LlamaSettings) -> None:
        self._settings = settings

    def load(self) -> Loaded:
        """The model; loads it where this process has not yet.

        Raises:
            UserError: it cannot be loaded; says why.
        """
        return shared(self._settings)

    def parse(
        self,
        text: str,
        *,
        schema: TableSchema,
        previous: CohortSpec | None = None,
        stop: Event | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Turn:
        """See :class:`engine.conversation.backend.Backend`. ``text`` is neither kept nor logged."""
        started, outcome = time.perf_counter(), "failed"
        try:
            turn = self._parse(text, schema, previous, stop or Event(), tell)
            outcome = turn.intent
            return turn.model_copy(update={"seconds": round(time.perf_counter() - started, 4)})
        finally:
            _log.info("llama: %s in %.2f s", outcome, time.perf_counter() - started)

    def _parse(
        self, text: str, schema: TableSchema, previous: CohortSpec | None, stop: Event,
        tell: Callable[[str], None] | None,
    ) -> Turn:  # fmt: skip
        check_text(text)
        loaded = self.load()
        asked = messages(text, schema=schema, previous=previous)
        grammar = request_grammar(text, schema=schema, previous=previous)
        while not loaded.lock.acquire(timeout=_WAIT_SECONDS):
            _check(stop)
        try:
            draft = read_draft(self._draft(loaded, asked, grammar, stop), schema)
            spec = draft.spec
            entries = () if spec is None else understood(spec, text, schema=schema, previous=previous)
            turn = Turn(intent=draft.intent, spec=spec, understood=entries, backend="llama")
            if tell is not None and spec is not None and self._settings.explanation_tokens:
                self._explain(loaded, explanation(asked, turn, schema), stop, tell)
            return turn
        finally:
            loaded.lock.release()

    def _draft(self, loaded: Loaded, asked: list[dict[str, str]], grammar: str, stop: Event) -> str:
        most = self._settings.max_new_tokens
        inputs = _inputs(loaded, asked, room=most)
        closing_after = max(most // 4, most - room_to_close(grammar))
        processor: Any = constrained_processor(grammar, loaded.tokenizer, closing_after=closing_after)
        written = _generate(loaded, inputs, most, stop, logits_processor=[processor])
        _check(stop)
        text = processor.text(written)
        if text is None:
            raise CohortStudioError(f"the model's draft was not whole after {most} tokens", remedy="Shorten the text.")
        return text

    def _explain(
        self, loaded: Loaded, asked: list[dict[str, str]], stop: Event, tell: Callable[[str], None]
    ) -> None:  # fmt: skip
        most = self._settings.explanation_tokens
        inputs = _inputs(loaded, asked, room=most)
        streamer = _Telling(loaded.tokenizer, tell)
        _generate(loaded, inputs, most, stop, streamer=streamer, suppress_tokens=bracket_tokens(loaded.tokenizer))
        _check(stop)


def _inputs(loaded: Loaded, asked: list[dict[str, str]], *, room: int) -> dict[str, torch.Tensor]:
    tokenizer: Any = loaded.tokenizer
    try:
        inputs: Any = tokenizer.apply_chat_template(
            asked, chat_template=tokenizer.chat_template or LLAMA_2_TEMPLATE, add_generation_prompt=True,
            return_tensors="pt", return_dict=True,
        )  # fmt: skip
    except TemplateError as error:
        raise UserError(
            "the model's chat template does not take a system message", remedy="Name another model."
        ) from error
    tokens = inputs["input_ids"].shape[1]
    if tokens + room > loaded.context:
        raise UserError(
            f"the request makes a prompt of {tokens:,} tokens; with an answer of {room} the model holds "
            f"{loaded.context:,}",
            remedy="Shorten the text.",
        )
    return {name: inputs[name].to(loaded.model.device) for name in ("input_ids", "attention_mask")}


def _generate(
    loaded: Loaded, inputs: dict[str, torch.Tensor], most: int, stop: Event, **options: Any
) -> torch.Tensor:  # fmt: skip
    """The tokens that were written, shape (tokens,); always the likeliest ones, so a request has one answer."""
    own: Any = loaded.model.generation_config
    ends = own.eos_token_id if own is not None and own.eos_token_id is not None else loaded.tokenizer.eos_token_id
    padding = loaded.tokenizer.pad_token_id
    config = GenerationConfig(
        do_sample=False, max_new_tokens=most, eos_token_id=ends,
        pad_token_id=loaded.tokenizer.eos_token_id if padding is None else padding,
        suppress_tokens=options.pop("suppress_tokens", None),
    )  # fmt: skip
    model: Any = loaded.model
    with torch.inference_mode():
        written = model.generate(
            **inputs, generation_config=config, stopping_criteria=[_Stopping(stop)], **options
        )  # fmt: skip
    return written[0, inputs["input_ids"].shape[1] :]


class _Stopping(StoppingCriteria):
    """Ends the generation at the next token once the event is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any) -> torch.BoolTensor:
        return torch.full((input_ids.shape[0],), self._stop.is_set(), device=input_ids.device)  # type: ignore[return-value]


class _Telling(TextStreamer):
    """Hands on whole words as they are written."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tell: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)  # type: ignore[arg-type]
        self._tell = tell

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Called by ``generate`` with each piece."""
        if text:
            self._tell(text)


def _check(stop: Event) -> None:
    if stop.is_set():
        raise CohortStudioError("stopped before the language model had answered")

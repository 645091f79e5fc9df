"""One model per process: loaded once, whoever asks first, and shared behind a lock."""

import importlib.util
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from engine.conversation.language_model.needs import Needs, check, needs
from engine.conversation.language_model.settings import LlamaSettings
from engine.core.errors import UserError


@dataclass(frozen=True)
class Loaded:
    """A model and its tokenizer. ``lock`` is held by the one who generates."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    seconds: float
    memory_mb: float
    """Of the weights, wherever they are."""
    device: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def context(self) -> int:
        """The most tokens of a prompt and its answer together."""
        return int(getattr(self.model.config, "max_position_embeddings", 4096))


_guard = threading.Lock()
_cached: dict[LlamaSettings, Loaded] = {}


def shared(settings: LlamaSettings) -> Loaded:
    """The process's model, loaded by the first who asks; another model takes the place of the one before.

    Raises:
        UserError: it is not on this machine, incomplete, or too large; says what it takes.
    """
    with _guard:
        if settings not in _cached:
            _cached.clear()
            _cached[settings] = _load(settings)
        return _cached[settings]


def _load(settings: LlamaSettings) -> Loaded:
    found = needs(settings)
    check(found)
    if found.folder is None:
        raise UserError(f"model {settings.model} is not on this machine", remedy="Download it on the page Assistant.")
    _check_memory(found)
    started = time.perf_counter()
    try:
        tokenizer = AutoTokenizer.from_pretrained(found.folder, local_files_only=True, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            found.folder, dtype=torch.bfloat16, device_map=settings.device_map, local_files_only=True,
            use_safetensors=True, trust_remote_code=False, **_quantization(settings),
        )  # fmt: skip
        if settings.adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(Path(settings.adapter).expanduser()), local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        # Their messages are long and name paths of libraries; the kind and the folder say where to look.
        raise UserError(
            f"{settings.model} holds no causal language model that can be read ({type(error).__name__})",
            remedy="It must hold config.json, the tokenizer and whole safetensors; an adapter must have been trained "
            "for this model.",
        ) from error
    model.eval()
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        seconds=time.perf_counter() - started,
        memory_mb=model.get_memory_footprint() / 1e6,
        device=str(model.device),
    )


def _quantization(settings: LlamaSettings) -> dict[str, Any]:
    if not settings.four_bit:
        return {}
    if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "weights in 4 bits need a CUDA device and the package bitsandbytes", remedy="Turn 4-bit weights off."
        )
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    }


def _check_memory(found: Needs) -> None:
    free = found.memory_free_gb
    if torch.cuda.is_available():
        free += sum(torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())) / 1e9
    if found.memory_gb is not None and found.memory_gb > free:
        raise UserError(
            f"the model needs {found.memory_gb:.1f} GB of memory; {free:.1f} GB are free",
            remedy="Close other programs, name a smaller model, or use an endpoint on a larger machine.",
        )

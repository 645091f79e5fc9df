"""Fine-tuning: a LoRA adapter that teaches a language model the requests of this product."""

import importlib.metadata
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.conversation.fine_tuning.examples import examples
from engine.conversation.fine_tuning.pairs import pairs
from engine.conversation.fine_tuning.training import Course, keep_offline, train
from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.workspace import write_json
from engine.schema.table import TableSchema
from engine.storage.folders import published_folder

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECORD = "fine_tuning.json"
"""What an adapter was trained on and how, beside its weights."""
_LIBRARIES = ("torch", "transformers", "peft", "trl")


def fine_tune(
    base: str,
    out: Path,
    *,
    schema: TableSchema,
    course: Course,
    checkpoint: Path,
    resume: bool,
    progress: Progress,
    job: str | None = None,
) -> dict[str, Any]:
    """Train an adapter for the model ``base`` (a folder, or a name that is on this machine) and publish it as ``out``.

    Returns what :data:`RECORD` holds: base, course, updates of the weights, last loss, seconds, versions, and the id of
    the job that trained it.

    Raises:
        UserError: the model is not there or cannot be read, ``out`` holds something else, or the checkpoint belongs to
            another course.
        Cancelled: ``progress`` asked to stop; ``checkpoint`` holds what to resume from.
    """
    if out.exists() and any(out.iterdir()) and not (out / RECORD).exists():
        raise UserError(f"folder {out} holds other files", remedy="Name a folder that does not exist yet.")
    progress.update(0.0, "Loading the model")
    model, tokenizer = load_base(base)
    progress.update(0.03, "Composing requests")
    rows = examples(pairs(schema, number=course.pairs, seed=course.seed), schema)
    trainer, outcome = train(
        model, tokenizer, rows, course=course, checkpoint=checkpoint, resume=resume, adapter=adapter_configuration(),
        progress=Part(progress, 0.05, 0.97),
    )  # fmt: skip
    progress.update(0.98, "Saving the adapter")
    record = {
        "base": base, "course": asdict(course), **asdict(outcome), "job": job,
        "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }  # fmt: skip
    with published_folder(out) as temporary:
        trained: Any = trainer.model
        trained.save_pretrained(temporary)
        write_json(temporary / RECORD, record)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return record


def adapter_configuration() -> "LoraConfig":
    """LoRA on every linear layer with the published values: rank 64, alpha 16, dropout 0.1."""
    from peft import LoraConfig

    return LoraConfig(r=64, lora_alpha=16, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")


def load_base(base: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The model to adapt and its tokenizer, from this machine's disk only; never the copy that answers requests.

    Raises:
        UserError: it is not there, cannot be read, or is too large; says what it takes to have it.
    """
    keep_offline()
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from engine.conversation.language_model.backend import LLAMA_2_TEMPLATE

    on_gpu = torch.cuda.is_available()
    folder = _folder(base, on_gpu=on_gpu)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, device_map="auto" if on_gpu else None, local_files_only=True,
            use_safetensors=True, trust_remote_code=False,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"{base} holds no causal language model that can be read ({type(error).__name__})",
            remedy="It must hold config.json, the tokenizer and whole safetensors.",
        ) from error
    if tokenizer.chat_template is None:
        tokenizer.chat_template = LLAMA_2_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return model, tokenizer


def _folder(base: str, *, on_gpu: bool) -> Path:
    from engine.conversation.language_model.needs import check, needs
    from engine.conversation.language_model.settings import LlamaSettings

    found = needs(LlamaSettings(model=base, adapter=""))
    check(found)
    if found.folder is None:
        raise UserError(
            f"model {base} is not on this machine",
            remedy="Download it on the page Assistant, or name a folder that holds it.",
        )
    if not on_gpu and found.memory_gb is not None and found.memory_gb > found.memory_free_gb:
        raise UserError(
            f"the model needs {found.memory_gb:.1f} GB of memory; {found.memory_free_gb:.1f} GB are free",
            remedy="Close other programs, or name a smaller model.",
        )
    return found.folder

"""One supervised training of a causal model on examples: with progress, cancellable at every step, resumable.

A LoRA adapter and a small model from scratch are trained by the same code. Nothing is reported to any network.
"""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import Cancelled, DataError, UserError
from engine.core.progress import Progress
from engine.core.workspace import read_json, write_json

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl.trainer.sft_trainer import SFTTrainer

_COURSE = "course.json"
_STATE = "trainer_state.json"
"""The last file that is written into a checkpoint: one without it was cut short."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a model is taught.

    Attributes:
        pairs: number of instruction pairs that are composed.
        epochs: passes over them.
        seed: of the pairs and of the training.
        batch: examples per step.
        accumulate: batches per update of the weights.
        learning_rate: highest learning rate; it rises over the first 3 % of the steps and falls along a cosine.
        longest: tokens of an example beyond which it is cut.
        save_every: steps between two checkpoints.
    """

    pairs: int = 4000
    epochs: float = 1.0
    seed: int = 7
    batch: int = 4
    accumulate: int = 4
    learning_rate: float = 2e-4
    longest: int = 4096
    save_every: int = 50


@dataclass(frozen=True)
class Outcome:
    """What a training came to: updates of the weights, the loss of the last of them, seconds of this attempt."""

    steps: int
    loss: float | None
    seconds: float


def train(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: list[dict[str, Any]],
    *,
    course: Course,
    checkpoint: Path,
    resume: bool,
    progress: Progress,
    adapter: "PeftConfig | None" = None,
) -> tuple["SFTTrainer", Outcome]:
    """Teach ``model`` the examples (prompt and completion); only completions count in the loss.

    Args:
        model: the causal model.
        tokenizer: its tokenizer.
        examples: ``{"prompt": …, "completion": …}``, as text or as chat messages.
        course: how.
        checkpoint: folder of the checkpoints; of the same course when resumed.
        resume: go on from the newest whole checkpoint, if there is one; otherwise whatever is in the folder is deleted.
        progress: told after every step; when it asks to stop, a checkpoint is written first.
        adapter: a PEFT configuration; None trains every weight.

    Raises:
        UserError: the checkpoint belongs to another course, or the folder holds other files.
        Cancelled: ``progress`` asked to stop.
    """
    keep_offline()
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    last = _prepared(checkpoint, course, resume=resume)
    disable_progress_bars()
    on_gpu = torch.cuda.is_available()
    half = torch.cuda.is_bf16_supported() if on_gpu else torch.ops.mkldnn._is_mkldnn_bf16_supported()
    arguments = SFTConfig(
        output_dir=str(checkpoint), seed=course.seed, data_seed=course.seed,
        num_train_epochs=course.epochs, per_device_train_batch_size=course.batch,
        gradient_accumulation_steps=course.accumulate, learning_rate=course.learning_rate, lr_scheduler_type="cosine",
        warmup_steps=0.03, max_length=course.longest, completion_only_loss=True, bf16=bool(half),
        use_cpu=not on_gpu, gradient_checkpointing=on_gpu, train_sampling_strategy="group_by_length", logging_steps=1,
        save_strategy="steps", save_steps=course.save_every, save_total_limit=2, report_to="none", push_to_hub=False,
        disable_tqdm=True, dataloader_num_workers=0,
    )  # fmt: skip
    watch = _watch(progress)
    trainer = SFTTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_list(examples), processing_class=tokenizer,
        peft_config=adapter, callbacks=[watch],
    )  # fmt: skip
    # It writes every step to standard output, which belongs to the command's result.
    trainer.remove_callback(PrinterCallback)
    result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if watch.stopped is not None:
        raise watch.stopped
    return trainer, Outcome(trainer.state.global_step, watch.loss, result.metrics.get("train_runtime", 0.0))


def keep_offline() -> None:
    """Keep the libraries of models and data sets from asking any network; what they need is on the disk by now."""
    for name in (
        "HF_HUB_OFFLINE",
        "HF_DATASETS_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_HUB_DISABLE_TELEMETRY",
        "DO_NOT_TRACK",
    ):
        os.environ.setdefault(name, "1")


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint in ``folder`` that was written to its end."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / _STATE).exists()]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _prepared(checkpoint: Path, course: Course, *, resume: bool) -> Path | None:
    path = checkpoint / _COURSE
    if checkpoint.exists() and any(checkpoint.iterdir()) and not path.exists():
        raise UserError(f"folder {checkpoint} holds other files", remedy="Name a folder that does not exist yet.")
    if path.exists() and not resume:
        shutil.rmtree(checkpoint)
    checkpoint.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_json(path, asdict(course))
        return None
    before = read_json(path)
    changed = [name for name, value in asdict(course).items() if before.get(name) != value]
    if changed:
        told = ", ".join(f"{name} {before.get(name)} instead of {getattr(course, name)}" for name in changed)
        raise UserError(
            f"the interrupted training was another one: {told}",
            where=str(checkpoint),
            remedy="Repeat it with the same options, or start anew without --resume.",
        )
    for path in checkpoint.glob("checkpoint-*"):
        if not (path / _STATE).exists():
            shutil.rmtree(path)
    return newest_checkpoint(checkpoint)


def _watch(progress: Progress) -> Any:
    """A callback of the trainer that reports each step, and ends the training in order when it should stop."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        stopped: Cancelled | None = None
        loss: float | None = None

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
            loss = (logs or {}).get("loss")
            if loss is None:
                return
            if loss != loss:
                raise DataError("the loss is no longer a number", remedy="Train with a lower learning rate.")
            self.loss = loss
            told = f"Step {state.global_step:,} of {state.max_steps:,}"
            try:
                progress.update(state.global_step / max(1, state.max_steps), told, step=state.global_step, loss=loss)
            except Cancelled as asked:
                self.stopped = asked
                control.should_save = control.should_training_stop = True

    return Watch()

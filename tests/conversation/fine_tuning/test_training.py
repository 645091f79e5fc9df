"""A training of a tiny Llama: it learns, stops when asked, and goes on as if it had never been stopped."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.conversation.fine_tuning.lora import adapter_configuration
from engine.conversation.fine_tuning.training import Course, Outcome, newest_checkpoint, train
from engine.core.errors import Cancelled, UserError
from engine.core.progress import Silent
from tests.benchmarks.scratch import small_model, small_tokenizer

SAID = [
    "women over 65",
    "ten men",
    "COPD, no asthma",
    "age 40-60",
    "500 patients",
    "half women",
    "only age and sex",
    "reset",
]
EXAMPLES = [
    {
        "prompt": [{"role": "user", "content": f"{text} {number}"}],
        "completion": [{"role": "assistant", "content": json.dumps({"patients": number, "of": text})}],
    }
    for number in range(4)
    for text in SAID
]
COURSE = Course(pairs=len(EXAMPLES), epochs=2, batch=4, accumulate=1, learning_rate=3e-3, longest=128, save_every=3)
STEPS = 2 * len(EXAMPLES) // 4


class Recorder:
    """Keeps what it is told; asks to stop after a number of steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told: list[tuple[float, dict[str, float]]] = []
        self.stop_after = stop_after

    def update(self, fraction: float, message: str, **figures: float) -> None:
        self.told.append((fraction, figures))
        if len(self.told) == self.stop_after:
            raise Cancelled


def taught(checkpoint: Path, progress: Any, *, resume: bool = False, course: Course = COURSE) -> tuple[Any, Outcome]:
    texts = [part[0]["content"] for example in EXAMPLES for part in (example["prompt"], example["completion"])]
    tokenizer = small_tokenizer(texts, words=400)
    model = small_model(tokenizer, seed=1, hidden=64, layers=2, longest=128)
    return train(
        model, tokenizer, EXAMPLES, course=course, checkpoint=checkpoint, resume=resume, progress=progress,
        adapter=adapter_configuration(),
    )  # fmt: skip


def weights(trainer: Any) -> dict[str, torch.Tensor]:
    return {name: value for name, value in trainer.model.state_dict().items() if "lora" in name}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Outcome, Recorder]:
    progress = Recorder()
    return (*taught(tmp_path_factory.mktemp("whole") / "checkpoint", progress), progress)


def test_the_loss_falls_and_every_step_is_told(whole: tuple[Any, Outcome, Recorder]) -> None:
    _, outcome, progress = whole
    losses = [figures["loss"] for _, figures in progress.told]
    assert outcome.steps == STEPS == len(losses)
    assert outcome.loss == losses[-1] < losses[0] - 0.3
    fractions = [fraction for fraction, _ in progress.told]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_only_the_adapter_is_trained(whole: tuple[Any, Outcome, Recorder]) -> None:
    trainer = whole[0]
    free = {name for name, value in trainer.model.named_parameters() if value.requires_grad}
    assert free and all("lora" in name for name in free)
    assert any("q_proj" in name for name in free) and any("down_proj" in name for name in free)
    configuration = trainer.model.peft_config["default"]
    assert (configuration.r, configuration.lora_alpha, configuration.lora_dropout) == (64, 16, 0.1)


@pytest.mark.parametrize("stop_after", [1, 7])
def test_a_stopped_training_ends_like_one_that_was_not(
    tmp_path: Path, whole: tuple[Any, Outcome, Recorder], stop_after: int
) -> None:
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Cancelled):
        taught(checkpoint, Recorder(stop_after))
    assert newest_checkpoint(checkpoint) == checkpoint / f"checkpoint-{stop_after}"
    progress = Recorder()
    trainer, outcome = taught(checkpoint, progress, resume=True)
    assert outcome.steps == STEPS
    assert len(progress.told) == STEPS - stop_after
    for name, value in weights(whole[0]).items():
        assert torch.equal(value, weights(trainer)[name]), name


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Cancelled):
        taught(checkpoint, Recorder(7))
    (checkpoint / "checkpoint-7" / "trainer_state.json").unlink()
    progress = Recorder()
    _, outcome = taught(checkpoint, progress, resume=True)
    assert (outcome.steps, len(progress.told)) == (STEPS, STEPS - 6)


def test_without_resume_it_starts_anew(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Cancelled):
        taught(checkpoint, Recorder(4))
    progress = Recorder(1)
    with pytest.raises(Cancelled):
        taught(checkpoint, progress)
    assert progress.told[0][0] == pytest.approx(1 / STEPS)


def test_another_course_is_not_resumed(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Cancelled):
        taught(checkpoint, Recorder(1))
    other = Course(**{**COURSE.__dict__, "seed": 8})
    with pytest.raises(UserError, match="seed 7 instead of 8"):
        taught(checkpoint, Silent(), resume=True, course=other)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        taught(tmp_path, Silent())
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_nothing_is_said_on_standard_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    taught(tmp_path / "checkpoint", Silent(), course=Course(**{**COURSE.__dict__, "epochs": 0.2}))
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("text", ["500 women, HbA1c ≥ 6.5 %", "µmol/L – naïve", "<draft>not a token</s>", ""])
def test_the_small_vocabulary_keeps_every_text(text: str) -> None:
    tokenizer = small_tokenizer(["women over 65 with COPD"], words=300)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    digits = tokenizer.tokenize("1250")
    assert digits == ["1", "2", "5", "0"]

"""From templates to an adapter, by the command line and the queue, on a tiny Llama that is made on the spot."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.conversation.fine_tuning.lora import RECORD, load_base
from engine.conversation.fine_tuning.training import newest_checkpoint
from engine.core.errors import Cancelled, UserError
from engine.core.progress import Silent
from engine.core.settings import Settings
from engine.core.workspace import Workspace, read_json
from engine.jobs.queue import Queue
from engine.jobs.records import JobRecord
from engine.jobs.steps import STEPS
from engine.schema.catalogue import catalogue
from engine.services.context import Context
from engine.services.fine_tuning import FineTuning
from engine.storage.database import Database
from engine.storage.records import JobState
from tests.helpers.small_llama import save

ROOT = Path(__file__).resolve().parents[3]
MIMIC = catalogue().mimic3_schema()
PAIRS = 48
STEPS_OF_ALL = 3
"""48 pairs in batches of 4, 4 batches to an update."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("base"))


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "engine", "fine-tune", *map(str, arguments)]


def engine(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


def test_the_command_makes_an_adapter_and_says_so_in_one_object(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    result = engine("--out", out, "--model", base, "--pairs", PAIRS, "--json")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1
    told = json.loads(result.stdout)
    assert told["steps"] == STEPS_OF_ALL and told["course"]["pairs"] == PAIRS and told["loss"] > 0
    assert told["out"] == str(out)
    assert {"adapter_config.json", "adapter_model.safetensors", RECORD} <= {path.name for path in out.iterdir()}
    assert read_json(out / "adapter_config.json")["r"] == 64
    assert not out.with_name("adapter.checkpoint").exists()


def test_the_adapter_changes_what_the_model_says(base: Path, tmp_path: Path) -> None:
    from engine.conversation.language_model.backend import LanguageModel
    from engine.conversation.language_model.settings import LlamaSettings

    out = tmp_path / "adapter"
    assert engine("--out", out, "--model", base, "--pairs", PAIRS, "--epochs", "4", "--json").returncode == 0
    plain = LanguageModel(LlamaSettings(model=str(base), device_map="cpu"))
    tuned = LanguageModel(LlamaSettings(model=str(base), adapter=str(out), device_map="cpu"))
    ids = plain.load().tokenizer("<request>women over 65<draft>", return_tensors="pt")["input_ids"]
    before = plain.load().model(input_ids=ids).logits
    assert (tuned.load().model(input_ids=ids).logits - before).abs().max() > 1e-3
    turn = tuned.parse("250 women over 65", schema=MIMIC)
    assert turn.backend == "llama"
    if turn.spec is not None:
        assert turn.spec.patients in (250, 65, 1000)


def test_a_killed_command_is_resumed_to_the_same_number_of_steps(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    checkpoint = out.with_name("adapter.checkpoint")
    arguments = ("--out", out, "--model", base, "--pairs", 960, "--json")
    running = subprocess.Popen(
        command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    end = time.monotonic() + 90
    while newest_checkpoint(checkpoint) is None:
        assert time.monotonic() < end and running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not out.exists()
    done = int(str(newest_checkpoint(checkpoint)).rpartition("-")[2])
    result = engine(*arguments, "--resume")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert 0 < done < told["steps"] == 60
    assert read_json(out / RECORD)["steps"] == 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "nobody/no-such-model"), "is not on this machine"),
        (("--pairs", "0"), "pairs (0) must lie between 1 and"),
        (("--epochs", "-1"), "epochs (-1) must be above 0"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = engine("--out", tmp_path / "adapter", *arguments, "--json")
    assert result.returncode == 2
    assert said in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_gated_model_that_is_not_there_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError) as caught:
        load_base("meta-llama/Llama-2-7b-chat-hf")
    assert "gated" in str(caught.value) and "HF_TOKEN" in str(caught.value)
    assert "accept it on the model's page" in caught.value.remedy
    monkeypatch.setenv("HF_TOKEN", "hf_not_a_real_one")
    with pytest.raises(UserError, match="is not on this machine"):
        load_base("meta-llama/Llama-2-7b-chat-hf")


def test_weights_that_were_cut_off_are_no_model(base: Path, tmp_path: Path) -> None:
    for path in base.iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if path.suffix == ".safetensors" else content)
    with pytest.raises(UserError, match="holds no causal language model"):
        load_base(str(tmp_path))


def test_the_queue_cancels_goes_on_and_never_does_it_twice(base: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    database = Database.for_workspace(workspace)
    out = tmp_path / "adapter"
    payload = {"out": str(out), "model": str(base), "pairs": PAIRS, "epochs": 1.0, "seed": 7}
    job = Queue(database).submit("fine_tune", payload, subject="adapter")

    class Impatient:
        steps = 0

        def update(self, fraction: float, message: str, **figures: float) -> None:
            self.steps += bool(figures)
            if self.steps == 1:
                raise Cancelled

    def step(progress: Impatient | Silent) -> None:
        STEPS["fine_tune"](job, workspace=workspace, database=database, progress=progress)

    with pytest.raises(Cancelled):
        step(Impatient())
    assert not out.exists() and newest_checkpoint(workspace.job(job.id) / "fine_tuning") is not None
    step(Silent())
    record = read_json(out / RECORD)
    assert (record["steps"], record["job"]) == (STEPS_OF_ALL, job.id)
    written = (out / RECORD).stat().st_mtime_ns
    step(Silent())
    assert (out / RECORD).stat().st_mtime_ns == written


def test_a_worker_stops_when_it_is_told_and_goes_on_when_asked(base: Path, tmp_path: Path) -> None:
    context = Context.open(Settings(workspace=tmp_path / "workspace", worker_idle_seconds=30))
    out = tmp_path / "adapter"
    try:
        number = FineTuning(context).start(out, model=str(base), pairs=640)

        def wait_for(holds: Callable[[JobRecord], object]) -> JobRecord:
            end = time.monotonic() + 120
            while not holds(job := context.queue.job(number)):
                assert job.is_active and time.monotonic() < end, (job.message, job.error)
                time.sleep(0.05)
            return job

        wait_for(lambda job: job.figures)
        context.queue.cancel(number)
        assert wait_for(lambda job: not job.is_active).state == JobState.CANCELLED
        assert not out.exists()
        context.queue.retry(number)
        context.supervisor.ensure()
        job = wait_for(lambda job: not job.is_active)
        assert job.state == JobState.DONE, job.error
        assert read_json(out / RECORD)["steps"] == 40
        assert all("loss" in point for point in job.figures)
    finally:
        context.supervisor.stop(worker=True)


def test_a_folder_with_other_files_is_not_written_into(base: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    result = engine("--out", tmp_path, "--model", base, "--pairs", PAIRS)
    assert result.returncode == 2 and "holds other files" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

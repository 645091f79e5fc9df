"""The model in a process of its own: states, answers, Stop, death and recovery."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.conversation.language_model.client import HostedModel
from engine.conversation.language_model.settings import LlamaSettings
from engine.core.errors import CohortStudioError, UserError
from tests.conversation.language_model.tiny_model import save_asking
from tests.conversation.patient_table_shape import mimic_like, spec_of

ROOT = Path(__file__).resolve().parents[3]
WAIT = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_asking(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def hosted(folder: Path) -> Iterator[HostedModel]:
    client = HostedModel(LlamaSettings(model=str(folder), explanation_tokens=24), log=folder / "host.log")
    assert client.state().state == "off"
    client.start()
    client.start()  # changes nothing
    assert client.wait(WAIT).state == "ready"
    yield client
    client.stop()
    assert client.state().state == "off"


def test_it_answers_and_says_what_it_takes(hosted: HostedModel, folder: Path) -> None:
    state = hosted.state()
    assert state.load_seconds is not None and state.load_seconds > 0
    assert state.memory_mb is not None and 0 < state.memory_mb < 10
    pieces: list[str] = []
    text = "85 women older than 85"
    turn = hosted.parse(text, schema=mimic_like(), previous=spec_of("40; sex = M"), tell=pieces.append)
    assert turn.backend == "llama" and turn.seconds > 0
    assert turn.spec is None or len(pieces) > 1
    log = (folder / "host.log").read_text(encoding="utf-8")
    assert "llama: " in log and "women" not in log and "85" not in log.split("llama:")[-1]


def test_requests_of_several_threads_are_answered_each(hosted: HostedModel) -> None:
    results: dict[int, object] = {}

    def work(number: int) -> None:
        results[number] = hosted.parse(f"{number} women", schema=mimic_like())

    threads = [threading.Thread(target=work, args=(number,)) for number in (40, 85)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert set(results) == {40, 85}


def test_stop_is_passed_on(hosted: HostedModel) -> None:
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    with pytest.raises(CohortStudioError, match="stopped"):
        hosted.parse("85 women", schema=mimic_like(), stop=stop)
    assert time.monotonic() - started < 5
    assert hosted.state().state == "ready"


def test_errors_cross_the_pipe_in_their_kind(hosted: HostedModel) -> None:
    with pytest.raises(UserError, match="e-mail"):
        hosted.parse("jane.doe@example.org", schema=mimic_like())
    with pytest.raises(UserError, match="Shorten the text"):
        hosted.parse("women " * 1_000, schema=mimic_like())


def test_a_killed_process_is_told_and_replaced(hosted: HostedModel) -> None:
    process = hosted._process
    assert process is not None
    failed: list[CohortStudioError] = []

    def work() -> None:
        try:
            for _ in range(1000):
                hosted.parse("85 women older than 85", schema=mimic_like())
        except CohortStudioError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    thread.join(WAIT)
    assert failed and ("ended before it had answered" in str(failed[0]) or "not ready" in str(failed[0]))
    until = time.monotonic() + WAIT
    while hosted.state().state != "ready" and time.monotonic() < until:
        time.sleep(0.05)
    assert hosted.state().state == "ready"
    assert hosted._process is not None and hosted._process.pid != process.pid
    assert hosted.parse("85 women", schema=mimic_like()).backend == "llama"


@pytest.mark.parametrize("fault", ["no folder", "no safetensors", "no token"])
def test_what_is_missing_is_the_reason_of_the_failure(
    fault: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    if fault == "no safetensors":
        (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    model = {"no folder": str(tmp_path / "none"), "no safetensors": str(tmp_path)}.get(fault)
    client = HostedModel(LlamaSettings(model=model) if model else LlamaSettings())
    client.start()
    state = client.wait(WAIT)
    words = {"no folder": "config.json", "no safetensors": "safetensors", "no token": "HF_TOKEN"}
    assert state.state == "failed" and words[fault] in state.detail
    with pytest.raises(CohortStudioError, match="not ready"):
        client.parse("85 women", schema=mimic_like())
    client.stop()


def test_it_ends_with_the_process_that_started_it(folder: Path) -> None:
    code = (
        "import os, sys; from engine.conversation.language_model.client import HostedModel; "
        "from engine.conversation.language_model.settings import LlamaSettings; "
        "client = HostedModel(LlamaSettings(model=sys.argv[1])); client.start(); client.wait(60); "
        "print(client.state().state, client._process.pid, flush=True); os._exit(9)"
    )
    done = subprocess.run((sys.executable, "-c", code, str(folder)), cwd=ROOT, capture_output=True, text=True)
    state, pid = done.stdout.split()
    assert state == "ready"
    pid, until = int(pid), time.monotonic() + WAIT
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_the_client_loads_nothing_heavy() -> None:
    code = (
        "import sys; import engine.conversation.language_model.client, engine.conversation.language_model.prompt, "
        "engine.conversation.language_model.constraint; "
        "print([name for name in ('torch', 'transformers', 'llguidance', 'peft', 'huggingface_hub') "
        "if name in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

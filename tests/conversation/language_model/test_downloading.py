"""Downloads from a server on this machine: only what is needed, with progress, and refused in words."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.conversation.language_model.client import HostedModel
from engine.conversation.language_model.downloading import download
from engine.conversation.language_model.settings import LlamaSettings
from engine.core.errors import CohortStudioError
from tests.conversation.language_model.hub import COMMIT, Hub
from tests.conversation.language_model.tiny_model import save
from tests.conversation.patient_table_shape import mimic_like

NAME = "meta-llama/tiny"
WAIT = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save(tmp_path_factory.mktemp("model"))
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    (folder / "modeling_tiny.py").write_text("raise SystemExit")
    return folder


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub(folder, model=NAME, token="hf_open") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_open")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            # A fine-tuning in the same process keeps offline from then on.
            monkeypatch.delenv(name, raising=False)
        yield server


def test_a_model_is_downloaded_and_answers(hub: Hub, tmp_path: Path) -> None:
    client = HostedModel(LlamaSettings(model=NAME, revision=COMMIT, explanation_tokens=0))
    seen, over = set(), threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            seen.add(client.state().state)

    client.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    state = client.wait(WAIT)
    over.set()
    watcher.join()
    try:
        assert state.state == "ready", state.detail
        assert "downloading" in seen
        there = {file.name for _, _, names in os.walk(tmp_path / "cache") for file in map(Path, names)}
        assert "model.safetensors.index.json" in there and "tokenizer.json" in there
        assert not there & {"pytorch_model.bin", "modeling_tiny.py"}
        assert client.parse("85 women", schema=mimic_like()).backend == "llama"
    finally:
        client.stop()


@pytest.mark.parametrize(("token", "model", "words"), [
    ("hf_other", NAME, "Accept the licence"),
    ("", NAME, "HF_TOKEN"),
    ("hf_open", "meta-llama/absent", "does not let this machine have"),
])  # fmt: skip
def test_a_refused_download_says_what_to_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str, model: str, words: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    client = HostedModel(LlamaSettings(model=model, revision=COMMIT))
    client.start()
    state = client.wait(WAIT)
    assert state.state == "failed" and words in state.detail
    assert "hf_" not in state.detail
    client.stop()


def test_a_server_that_is_gone_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client tries again for half a minute
    with pytest.raises(CohortStudioError, match="could not be downloaded") as caught:
        download(LlamaSettings(model=NAME, revision=COMMIT), lambda there, total: None)
    assert "hf_open" not in str(caught.value)

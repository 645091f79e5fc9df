"""Fine-tuning on the page Assistant: why it cannot start, and a tiny Llama's way from Start to an adapter in use."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.conversation.language_model.needs import needs
from engine.conversation.language_model.settings import LlamaSettings
from engine.core.errors import UserError
from engine.core.settings import settings
from engine.core.workspace import Workspace, read_json
from engine.services.assistant import LLAMA
from engine.services.context import Context
from engine.storage.records import JobState
from pages.components.state import studio
from tests.helpers.small_llama import save
from tests.pages.test_pages import at
from tests.pages.test_privacy_pages import words

PATIENCE = 120
"""Seconds; the machine may be busy with the rest of the suite."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("base"))


@pytest.fixture
def waiting(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which no worker takes the jobs."""
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self, warm=False: False)
    return empty


@pytest.fixture
def working(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace whose worker is ended with the test."""
    monkeypatch.setenv("COHORT_STUDIO_WORKER_IDLE_SECONDS", "60")
    settings.cache_clear()
    yield empty
    Context.open(settings()).supervisor.stop(worker=True)


def page(model: Path | str) -> AppTest:
    app = at("assistant")
    app.radio(key="assistant-backend").set_value("Language model on this machine").run()
    return app.text_input(key="model-name").set_value(str(model)).run()


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button if button.key}


def run_until(app: AppTest, holds: Callable[[AppTest], object]) -> AppTest:
    end = time.monotonic() + PATIENCE
    while not holds(app):
        assert time.monotonic() < end, words(app)
        time.sleep(0.3)
        app.run()
        assert not app.exception
    return app


def test_only_a_language_model_can_be_fine_tuned(empty: Workspace) -> None:
    app = at("assistant")
    assert "tune-start" not in keys(app)
    assert "Fine-tune" in [header.value for header in page("").header]


def test_it_says_that_no_patient_is_read_and_what_it_takes(empty: Workspace, base: Path) -> None:
    said = words(page(base))
    for part in ("no patient's row is read", "LoRA adapter", "files on this machine", "on a processor"):
        assert part in said


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("", "Name a model above"),
        ("nobody/no-such-model", "nobody/no-such-model must be on this machine"),
        ("/no/such/folder", "There is no config.json in folder /no/such/folder"),
    ],
)
def test_without_a_model_it_cannot_start_and_says_why(empty: Workspace, model: str, reason: str) -> None:
    app = page(model)
    assert app.button(key="tune-start").disabled
    assert reason in words(app).replace("\\", "")


def test_an_adapter_that_is_gone_does_not_keep_the_model_from_being_fine_tuned(empty: Workspace, base: Path) -> None:
    app = page(base)
    app.text_input(key="model-adapter").set_value("/no/such/adapter").run()
    app.button(key="assistant-use").click().run()
    assert studio().assistant.choice().adapter == "/no/such/adapter"
    assert "There is no adapter_config.json" in words(app).replace("\\", "")
    assert not app.button(key="tune-start").disabled


def test_llama_2_needs_its_files_first(empty: Workspace) -> None:
    if needs(LlamaSettings(model=LLAMA)).folder is not None:
        pytest.skip("LLaMA 2 is on this machine")
    app = page(LLAMA)
    assert app.button(key="tune-start").disabled
    assert "which downloads it" in words(app)


def test_what_is_typed_is_what_is_queued_in_the_workspace(waiting: Workspace, base: Path) -> None:
    app = page(base)
    app.number_input(key="tune-pairs").set_value(120)
    app.number_input(key="tune-epochs").set_value(2.5)
    app.number_input(key="tune-seed").set_value(11).run()
    app.button(key="tune-start").click().run()
    job = studio().fine_tuning.latest()
    assert job is not None and job.kind == "fine_tune"
    out = Path(job.payload.pop("out"))
    assert job.payload == {"model": str(base), "pairs": 120, "epochs": 2.5, "seed": 11}
    assert out.is_absolute() and out == waiting.adapter(job.subject).absolute()


def test_one_at_a_time_through_a_reload_until_it_is_cancelled(waiting: Workspace, base: Path) -> None:
    page(base).button(key="tune-start").click().run()
    job = studio().fine_tuning.latest()
    assert job is not None
    # A new session, as after a reload of the browser: the section is in sight, though the rules read requests.
    app = at("assistant")
    assert app.button(key="tune-start").disabled and "under way" in words(app)
    app.button(key=f"cancel-{job.id}").click().run()
    app.text_input(key="model-name").set_value(str(base)).run()
    assert "This job was cancelled" in words(app)
    assert not app.button(key="tune-start").disabled
    assert {f"retry-{job.id}", "tune-start"} <= keys(app)


def test_numbers_out_of_range_leave_no_folder_behind(waiting: Workspace) -> None:
    with pytest.raises(UserError, match="pairs"):
        studio().fine_tuning.start(pairs=0)
    with pytest.raises(UserError, match="epochs"):
        studio().fine_tuning.start(epochs=0.0)
    assert studio().fine_tuning.latest() is None
    assert not (waiting.root / "adapters").exists()


def test_the_choice_on_the_screen_outlives_a_look_at_another_page(empty: Workspace) -> None:
    app = page("")
    app.switch_page("pages/about.py").run()
    app.switch_page("pages/assistant.py").run()
    assert app.radio(key="assistant-backend").value == "Language model on this machine"
    assert not app.exception


@pytest.mark.timeout(300)
def test_from_start_over_a_failure_and_a_cancellation_to_an_adapter_in_use(
    working: Workspace, base: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(base, tmp_path / "model")
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    app = page(model)
    app.number_input(key="tune-pairs").set_value(160).run()
    app.button(key="tune-start").click().run()
    job = studio().fine_tuning.latest()
    assert job is not None

    run_until(app, lambda app: f"retry-{job.id}" in keys(app))
    assert "holds no causal language model that can be read" in app.error[0].value
    assert "whole safetensors" in app.error[0].value
    assert not studio().fine_tuning.adapters()

    weights.write_bytes(whole)
    app.button(key=f"retry-{job.id}").click().run()
    run_until(app, lambda _: studio().work.job(job.id).figures)
    app.button(key=f"cancel-{job.id}").click().run()
    run_until(app, lambda app: f"retry-{job.id}" in keys(app))
    assert studio().work.job(job.id).state is JobState.CANCELLED
    assert not studio().fine_tuning.adapters()

    app.button(key=f"retry-{job.id}").click().run()
    use = f"adapter-use-{job.subject}"
    run_until(app, lambda app: use in keys(app))
    assert app.success[0].value == "The adapter is ready."
    assert "Pairs 160 · epochs 1 · seed 7" in words(app)
    folder = working.adapter(job.subject)
    assert (folder / "adapter_model.safetensors").is_file()

    app.button(key=use).click().run()
    assert not app.exception
    kept = read_json(working.assistant)
    assert (kept["backend"], kept["model"], kept["adapter"]) == ("llama", str(model), str(folder))
    assert app.text_input(key="model-adapter").value == str(folder)
    assert "In use" in words(app) and use not in keys(app)
    assert studio().assistant.model_needs(studio().assistant.choice()).missing == ()

    # Deleted by hand: it is no longer offered.
    shutil.rmtree(folder)
    app.run()
    assert not app.exception and "Adapters" not in [one.value for one in app.subheader]

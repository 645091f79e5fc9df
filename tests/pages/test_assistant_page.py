"""The page Assistant: what is kept, what is said about third parties, the test, and the fall back to the rules."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec
from engine.conversation.backend import BackendState
from engine.conversation.contract import Turn
from engine.conversation.language_model.needs import Needs, needs
from engine.conversation.language_model.settings import LlamaSettings
from engine.core.workspace import Workspace
from engine.services.assistant import Assistant, Choice
from pages.components.state import studio
from tests.helpers.openai_server import openai_server
from tests.pages.test_pages import at
from tests.pages.test_privacy_pages import words

SECRET = "sk-not-to-be-kept"


def endpoint_page(address: str, model: str = "tiny") -> AppTest:
    app = at("assistant")
    app.radio(key="assistant-backend").set_value("Endpoint").run()
    app.text_input(key="endpoint-address").set_value(address)
    return app.text_input(key="endpoint-model").set_value(model).run()


def kept(workspace: Workspace) -> dict:
    return json.loads(workspace.assistant.read_text("utf-8"))


def test_the_rules_read_requests_until_something_is_chosen(empty: Workspace) -> None:
    app = at("assistant")
    assert not app.exception
    assert app.title[0].value == "Assistant"
    assert "Now reading requests: **Rules**" in words(app)
    assert not empty.assistant.exists()


def test_looking_at_another_backend_changes_nothing(empty: Workspace) -> None:
    app = endpoint_page("http://127.0.0.1:11434")
    assert "Now reading requests: **Rules**" in words(app)
    assert not empty.assistant.exists()


def test_an_endpoint_is_kept_without_its_key(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STUDIO_ENDPOINT_KEY", SECRET)
    app = endpoint_page("http://127.0.0.1:11434/v1/chat/completions")
    assert "A key is set" in words(app)
    app.number_input(key="assistant-seconds-rules").set_value(12.0).run()
    app.button(key="assistant-use").click().run()
    assert not app.error
    assert "Now reading requests: **Endpoint**" in words(app)
    assert kept(empty) == Choice(
        backend="endpoint", address="http://127.0.0.1:11434/v1", endpoint_model="tiny", seconds=12.0
    ).model_dump(mode="json")
    everything = "".join(path.read_text("utf-8", "ignore") for path in empty.root.rglob("*") if path.is_file())
    assert SECRET not in everything
    assert SECRET not in words(app)


def test_another_machine_is_named_and_must_be_allowed(empty: Workspace) -> None:
    app = endpoint_page("http://192.0.2.9:8000/v1")
    (warning,) = app.warning
    assert "192\\.0\\.2\\.9 is not this machine" in warning.value
    assert "MIMIC-III forbids" in warning.value
    assert "not encrypted" in warning.value
    assert app.button(key="assistant-use").disabled
    assert app.button(key="endpoint-test").disabled
    app.checkbox[0].check().run()
    app.button(key="assistant-use").click().run()
    assert kept(empty)["address"] == "http://192.0.2.9:8000/v1"
    # A different host must be allowed anew.
    app.text_input(key="endpoint-address").set_value("https://api.example.org/v1").run()
    assert app.button(key="assistant-use").disabled
    assert "not encrypted" not in app.warning[0].value


def test_this_machine_needs_no_permission(empty: Workspace) -> None:
    app = endpoint_page("http://localhost:8000")
    assert not app.warning
    assert not app.button(key="assistant-use").disabled


@pytest.mark.parametrize(
    "address", ["localhost:8000", "ftp://localhost", "http://me:secret@localhost:1", "http://[::1"]
)
def test_an_address_that_is_not_one_is_refused_in_words(empty: Workspace, address: str) -> None:
    app = endpoint_page(address)
    assert app.error[0].value.startswith("the endpoint's address")
    assert app.button(key="assistant-use").disabled
    assert "secret" not in app.error[0].value


def test_the_test_button_tells_what_went_wrong(empty: Workspace) -> None:
    with openai_server(models=("llama2:7b", "other")) as (address, server):
        app = endpoint_page(address)
        app.button(key="endpoint-test").click().run()
        assert "no model 'tiny'" in app.error[0].value.replace("\\", "")
        assert "llama2:7b" in app.error[0].value.replace("\\", "")
        server.status = 401
        app.button(key="endpoint-test").click().run()
        assert "COHORT_STUDIO_ENDPOINT_KEY" in app.error[0].value.replace("\\", "")
    app.button(key="endpoint-test").click().run()
    assert "no endpoint answers" in app.error[0].value
    assert "the rules read requests" in app.error[0].value


@pytest.mark.parametrize("text", ["{", "[]", '{"backend": "oracle"}', '{"seconds": -1}', '{"unknown": 1}', "\x00"])
def test_settings_that_cannot_be_read_leave_the_rules_with_a_note(prepared: Workspace, text: str) -> None:
    prepared.assistant.write_text(text, encoding="utf-8")
    app = at("assistant")
    assert "could not be read" in app.warning[0].value
    (record,) = studio().datasets.all()
    turn = studio().chat.reply("50 women over 65", dataset_id=record.id, previous=None)
    assert (turn.backend, turn.spec.patients) == ("rules", 50)
    assert "could not be read" in turn.notice


def test_a_working_endpoint_is_tested_used_and_then_answers_the_chat(prepared: Workspace) -> None:
    older = {"column": "age_years", "minimum": 65, "include_minimum": False}
    draft = {"intent": "generate", "patients": 100, "criteria": [{"column": "sex", "any_of": ["F"]}, older]}
    with openai_server(content=json.dumps(draft)) as (address, server):
        app = endpoint_page(address)
        app.button(key="endpoint-test").click().run()
        assert "answered a test request" in app.success[0].value
        app.button(key="assistant-use").click().run()
        (record,) = studio().datasets.all()
        turn = studio().chat.reply("100 women over 65", dataset_id=record.id, previous=None)
        assert (turn.backend, turn.notice, turn.spec.patients) == ("endpoint", "", 100)
        asked = len(server.received)
        studio().chat.reply("100 women over 65", dataset_id=record.id, previous=None, backend="rules")
        assert len(server.received) == asked
    turn = studio().chat.reply("100 women over 65", dataset_id=record.id, previous=None)
    assert (turn.backend, turn.spec.patients) == ("rules", 100)
    assert "no endpoint answers" in turn.notice


def test_a_server_that_ignores_the_schema_fails_the_test(empty: Workspace) -> None:
    with openai_server(content="Sure, here are 100 women!") as (address, _):
        app = endpoint_page(address)
        app.button(key="endpoint-test").click().run()
    assert "not JSON" in app.error[0].value.replace("\\", "")


class Loading:
    """The process of a language model that is as far as a test says."""

    name = "llama"

    def __init__(self) -> None:
        self.now = BackendState("off")
        self.asked: list[Choice] = []
        self.started = 0

    def __call__(self, choice: Choice, log: Path) -> "Loading":
        self.asked.append(choice)
        return self

    def needs(self) -> Needs:
        return needs(LlamaSettings(model=self.asked[-1].model, adapter=self.asked[-1].adapter))

    def state(self) -> BackendState:
        return self.now

    def start(self) -> None:
        self.started += 1
        self.now = BackendState("loading", "shard 1 of 3")

    def stop(self) -> None:
        self.now = BackendState("off")

    def wait(self, seconds: float) -> BackendState:
        return self.now

    def parse(self, text, *, schema, previous=None, stop=None, tell=None) -> Turn:
        return Turn(intent="generate", spec=CohortSpec(patients=50))


@pytest.fixture
def model(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> Loading:
    """A prepared workspace whose studio has a language model."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    one = Loading()
    studio().__dict__["assistant"] = Assistant(prepared, host=one)
    return one


def model_page(name: str = "meta-llama/Llama-2-7b-chat-hf") -> AppTest:
    app = at("assistant")
    app.radio(key="assistant-backend").set_value("Language model on this machine").run()
    app.text_input(key="model-name").set_value(name).run()
    return app.button(key="assistant-use").click().run()


def test_what_the_model_needs_is_said_before_anything_is_loaded(model: Loading) -> None:
    app = at("assistant")
    app.radio(key="assistant-backend").set_value("Language model on this machine").run()
    said = words(app)
    for part in ("13.5 GB", "Llama 2 Community License", "HF_TOKEN", "Free here", "No token is set"):
        assert part in said
    assert model.started == 0


def test_a_model_is_loaded_followed_and_unloaded(model: Loading) -> None:
    app = model_page()
    assert "**Not loaded**" in words(app)
    app.button(key="model-load").click().run()
    assert (model.started, model.asked[-1].model) == (1, "meta-llama/Llama-2-7b-chat-hf")
    assert "**Loading**. shard 1 of 3" in words(app)
    model.now = BackendState("ready", "on the processor", memory_mb=14_080.0, load_seconds=41.2)
    app.run()
    assert "14.1 GB of memory · loaded in 41.2 seconds" in words(app)
    app.button(key="model-unload").click().run()
    assert "**Not loaded**" in words(app)


def test_the_chat_is_answered_by_the_model_once_it_is_ready(model: Loading) -> None:
    model_page()
    (record,) = studio().datasets.all()
    for state, backend in (("absent", "rules"), ("loading", "rules"), ("failed", "rules"), ("ready", "llama")):
        model.now = BackendState(state, "not enough memory" if state == "failed" else "")
        turn = studio().chat.reply("50 patients", dataset_id=record.id, previous=None)
        assert (turn.backend, turn.spec) == (backend, CohortSpec(patients=50))
        assert ("not enough memory" in turn.notice) == (state == "failed")
        assert bool(turn.notice) == (backend == "rules")


def test_what_is_missing_and_what_failed_is_told(model: Loading, tmp_path: Path) -> None:
    app = model_page(str(tmp_path))
    assert "There is no config.json" in words(app).replace("\\", "")
    model.now = BackendState("failed", "it needs 13.5 GB of memory, 4 GB are free")
    app.run()
    assert "**Failed**" in words(app)
    assert "the rules read requests" in words(app)


def test_another_model_ends_the_one_that_ran(model: Loading, tmp_path: Path) -> None:
    model_page()
    model.now = BackendState("ready")
    studio().assistant.choose(Choice(backend="llama", model=str(tmp_path)))
    assert studio().assistant.model_state().state == "off"

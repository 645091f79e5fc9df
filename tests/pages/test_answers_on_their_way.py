"""A language model's answer on the Cohort page: heard while it works, stopped, and there after a reload."""

import time

from engine.core.workspace import Workspace
from engine.services.assistant import Choice
from pages.components.state import studio
from tests.helpers.openai_server import openai_server
from tests.pages.test_conversation import click, current, keys, request, shown, tab

READ = '{"intent": "generate", "patients": 250}'
ENDLESS = "Reading <b>this</b> " + "and more " * 400


def test_a_model_is_heard_while_it_works_and_can_be_stopped(prepared: Workspace) -> None:
    with openai_server(content=READ, explanation=ENDLESS, pause=0.1) as (address, _):
        studio().assistant.choose(Choice(backend="endpoint", address=address, endpoint_model="tiny", seconds=60))
        app = tab()
        app.chat_input(key="say").set_value("250 patients").run()
        id = current(app)
        reply = studio().conversations.reply(id)
        assert reply is not None
        wait_until(lambda: "</b> and" in reply.said)
        app.run()
        assert app.chat_input(key="say").disabled
        assert ">250 patients</p>" in shown(app) and "Reading &lt;b&gt;this&lt;/b&gt; and" in shown(app)
        reloaded = tab(id)
        assert "stop-reply" in keys(reloaded), "an answer on its way outlives a reload"
        click(reloaded, "stop-reply")
        wait_until(lambda: studio().conversations.reply(id) is None)
        app.run()
    assert not app.chat_input(key="say").disabled
    click(app, "apply-1")
    assert request(app).patients == 250


def wait_until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

"""The conversation beside the form: it proposes, the user applies and takes back."""

from pathlib import Path

import streamlit as st

from engine.schema.table import TableSchema
from engine.services.exchanges import Conversation
from pages.components import sources
from pages.components.conversation import dialogue, earlier, exchange, markup
from pages.components.state import conversation, studio

EXAMPLES = (
    "500 women over 65 admitted as an emergency",
    "200 patients with heart failure, 30 % died in hospital",
    "300 adults with diabetes, creatinine above 1.5 mg/dL",
    "300 women, 30 % readmitted",
    "200 men aged 40 to 60",
    "200 patients older than 60",
    "100 patients",
)
"""Tried in this order; those that suit the data set are offered."""

LONGEST = 4000
_STYLE = Path(__file__).parent / "conversation" / "style.css"
_AT_ONCE = 10
"""Exchanges that are drawn; earlier ones come at a click, because the page is drawn anew at every change."""


def panel(dataset_id: str, schema: TableSchema) -> None:
    """Draw the conversation and its input."""
    st.html(_STYLE)
    head, menu = st.columns([1, 1], vertical_alignment="center")
    head.header("Say it", anchor=False)
    with menu:
        earlier.menu(dataset_id)
    talk = conversation()
    reply = studio().conversations.reply(talk.id) if talk else None
    sources.reason(dataset_id)
    with st.container(height=560, border=True, key="conversation"):
        if talk is None or (not talk.exchanges and reply is None):
            _invitation(dataset_id)
        else:
            _exchanges(talk, schema)
        if talk is not None and reply is not None:
            _on_its_way(talk.id)
    if (problem := dialogue.problem()) is not None:
        st.error(problem, icon=":material/error:")
    st.chat_input(
        "Which patients do you need?", key="say", on_submit=_submitted, args=(dataset_id,), max_chars=LONGEST,
        disabled=reply is not None,
    )  # fmt: skip


def _submitted(dataset_id: str) -> None:
    text = st.session_state["say"]
    if text and text.strip():
        _ask(dataset_id, text.strip())


def _ask(dataset_id: str, text: str) -> None:
    """A first request may be answered from another data set that serves it better."""
    talk = conversation()
    if talk is None or not talk.exchanges:
        sources.ask(text)
    else:
        dialogue.say(dataset_id, text)


def _invitation(dataset_id: str) -> None:
    st.caption("Say in your own words which patients you need. Nothing changes until you apply it. For example:")
    for number, example in enumerate(_examples(dataset_id)):
        st.button(example, key=f"example-{number}", on_click=_ask, args=(dataset_id, example))


def _exchanges(talk: Conversation, schema: TableSchema) -> None:
    key = f"_drawn-{talk.id}"
    drawn = st.session_state.setdefault(key, _AT_ONCE)
    hidden = len(talk.exchanges) - drawn
    if hidden > 0:
        st.button(
            f"Show earlier requests ({hidden})", key="show-earlier", type="tertiary", icon=":material/expand_less:",
            on_click=_show_more, args=(key,),
        )  # fmt: skip
    for one in talk.exchanges[-drawn:]:
        exchange.draw(one, talk, schema)


def _show_more(key: str) -> None:
    st.session_state[key] += _AT_ONCE


@st.fragment(run_every=0.4)
def _on_its_way(id: str) -> None:
    """The request and what is said about it so far, until the answer is there."""
    reply = studio().conversations.reply(id)
    if reply is None:
        st.rerun()
    with exchange.bubble("user"):
        st.html(markup.request(reply.text))
    with exchange.bubble("assistant"):
        st.html(markup.progress(reply.said))
        stopping = reply.stopping.is_set()
        st.button(
            "Stopping…" if stopping else "Stop", key="stop-reply", icon=":material/stop_circle:", disabled=stopping,
            on_click=dialogue.stop, args=(id,), help="The rules answer instead",
        )  # fmt: skip


def _examples(dataset_id: str) -> list[str]:
    """Requests that this data set can answer."""
    kept = st.session_state.setdefault("_examples", {})
    if dataset_id not in kept:
        tried = {
            text: studio().chat.reply(text, dataset_id=dataset_id, previous=None, backend="rules") for text in EXAMPLES
        }
        suits = [text for text, turn in tried.items() if turn.spec and not turn.not_understood and not turn.warnings]
        kept[dataset_id] = suits[:3]
    return kept[dataset_id]

"""The conversation beside the form: it proposes, the user applies."""

import streamlit as st

from engine.conversation.contract import Turn
from engine.schema.table import TableSchema
from pages.components.state import set_spec, spec, studio, turns

EXAMPLES = (
    "500 women over 65 admitted as an emergency",
    "200 patients with heart failure, 30 % died in hospital",
    "300 adults with diabetes, creatinine above 1.5 mg/dL",
)


def panel(dataset_id: str, schema: TableSchema) -> None:
    """Draw the conversation and its input."""
    st.subheader("Say it", anchor=False)
    with st.container(height=460, border=True, key="conversation"):
        if not turns():
            st.caption("For example:")
            for number, example in enumerate(EXAMPLES):
                st.button(example, key=f"example-{number}", type="tertiary", on_click=_say, args=(dataset_id, example))
        for number, entry in enumerate(turns()):
            with st.chat_message(entry["role"]):
                if entry["role"] == "user":
                    st.text(entry["text"])
                else:
                    _answer(number, entry, schema)
    st.chat_input("Which patients do you need?", key="say", on_submit=_submitted, args=(dataset_id,), max_chars=2000)


def _submitted(dataset_id: str) -> None:
    text = st.session_state["say"]
    if text and text.strip():
        _say(dataset_id, text.strip())


def _say(dataset_id: str, text: str) -> None:
    turn = studio().chat.reply(text, dataset_id=dataset_id, previous=spec() if turns() else None)
    personal = any(warning.code == "personal_data" for warning in turn.warnings)
    turns().append({"role": "user", "text": "(not kept: it named a person)" if personal else text})
    turns().append({"role": "assistant", "turn": turn, "applied": False, "before": None})


def _answer(number: int, entry: dict, schema: TableSchema) -> None:
    turn: Turn = entry["turn"]
    if turn.answer is not None:
        st.text(turn.answer.text)
        for source in turn.answer.sources:
            st.caption(f"Source: {source.title}, {source.section}")
    if turn.spec is not None:
        st.text(studio().cohorts.sentence(turn.spec, schema))
    with st.container(horizontal=True, gap="small"):
        for part in turn.understood:
            note = f" ({part.note})" if part.note else ""
            st.badge(_plain(f"{part.text} → {part.meaning}{note}"), icon=":material/check:", color="green")
        for words in turn.not_understood:
            st.badge(f"not understood: {_plain(words)}", icon=":material/help:", color="orange")
    for warning in turn.warnings:
        st.warning(_plain(warning.message), icon=":material/warning:")
    if turn.spec is None:
        return
    if entry["applied"]:
        st.button("Undo", key=f"undo-{number}", icon=":material/undo:", on_click=_undo, args=(number,))
    else:
        st.button(
            "Apply to the form", key=f"apply-{number}", type="primary", icon=":material/check:",
            on_click=_apply, args=(number,),
        )  # fmt: skip


def _apply(number: int) -> None:
    entry = turns()[number]
    entry["before"], entry["applied"] = spec(), True
    set_spec(entry["turn"].spec)


def _undo(number: int) -> None:
    entry = turns()[number]
    set_spec(entry["before"])
    entry["applied"] = False


def _plain(text: str) -> str:
    """Text that Markdown shows as typed."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+-.!|~<>$:" else sign for sign in text)

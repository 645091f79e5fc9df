"""The conversation beside the form: it proposes, the user applies."""

import streamlit as st

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Turn
from engine.core.errors import CohortStudioError
from engine.schema.table import TableSchema
from pages.components.state import set_spec, spec, studio, turns
from pages.components.text import plain

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


def panel(dataset_id: str, schema: TableSchema) -> None:
    """Draw the conversation and its input."""
    st.header("Say it", anchor=False)
    with st.container(height=460, border=True, key="conversation"):
        if not turns():
            st.caption("For example:")
            for number, example in enumerate(_examples(dataset_id)):
                st.button(example, key=f"example-{number}", on_click=_say, args=(dataset_id, example))
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
    try:
        turn = studio().chat.reply(text, dataset_id=dataset_id, previous=_previous())
    except CohortStudioError as error:
        turns().append({"role": "user", "text": text})
        turns().append({"role": "assistant", "error": str(error)})
        return
    personal = any(warning.code == "personal_data" for warning in turn.warnings)
    turns().append({"role": "user", "text": "(not kept: it named a person)" if personal else text})
    turns().append({"role": "assistant", "turn": turn, "applied": False, "before": None, "form": spec()})


def _previous() -> CohortSpec | None:
    """What a follow-up refers to: the proposal that still waits, or else the form."""
    if not turns():
        return None
    proposals = [entry for entry in turns() if entry.get("turn") is not None and entry["turn"].spec is not None]
    waits = proposals and proposals[-1]["before"] is None and proposals[-1]["form"] == spec()
    return proposals[-1]["turn"].spec if waits else spec()


def _examples(dataset_id: str) -> list[str]:
    """Requests that this data set can answer."""
    kept = st.session_state.setdefault("_examples", {})
    if dataset_id not in kept:
        ask = studio().chat.reply
        tried = {text: ask(text, dataset_id=dataset_id, previous=None, backend="rules") for text in EXAMPLES}
        suits = [text for text, turn in tried.items() if turn.spec and not turn.not_understood and not turn.warnings]
        kept[dataset_id] = suits[:3]
    return kept[dataset_id]


def _answer(number: int, entry: dict, schema: TableSchema) -> None:
    if "error" in entry:
        st.error(entry["error"], icon=":material/error:")
        return
    turn: Turn = entry["turn"]
    if turn.answer is not None:
        # What has sources is quoted from texts that ship, which are Markdown; the rest may repeat what was typed.
        (st.markdown if turn.answer.sources else st.text)(turn.answer.text)
        for source in turn.answer.sources:
            st.caption(f"Source: {source.title}, {source.section}")
    if turn.spec is not None:
        st.text(studio().cohorts.sentence(turn.spec, schema))
    with st.container(horizontal=True, gap="small"):
        for part in turn.understood:
            note = f" ({part.note})" if part.note else ""
            st.badge(plain(f"{part.text} → {part.meaning}{note}"), icon=":material/check:", color="green")
        for words in turn.not_understood:
            st.badge(f"not understood: {plain(words)}", icon=":material/help:", color="orange")
    for warning in turn.warnings:
        st.warning(plain(warning.message), icon=":material/warning:")
    if turn.spec is None:
        return
    latest = number == len(turns()) - 1
    if entry["applied"] and not latest:
        st.caption(":material/check: Applied")
    elif entry["applied"]:
        st.button("Undo", key=f"undo-{number}", icon=":material/undo:", on_click=_undo, args=(number,))
    else:
        st.button(
            "Apply to the form", key=f"apply-{number}", icon=":material/check:",
            type="primary" if latest else "secondary", on_click=_apply, args=(number,),
        )  # fmt: skip


def _apply(number: int) -> None:
    entry = turns()[number]
    entry["before"], entry["applied"] = spec(), True
    set_spec(entry["turn"].spec)


def _undo(number: int) -> None:
    entry = turns()[number]
    set_spec(entry["before"])
    entry["applied"] = False

"""The Start page's invitation to ask, and what is ready to answer."""

import streamlit as st

from engine.storage.records import DatasetRecord, ModelRecord, State
from pages.components import budget, sources, tour
from pages.components.conversation import dialogue
from pages.components.entry import turn
from pages.components.state import choose, studio
from pages.components.text import plain

EXAMPLES = {
    "Type 2 diabetes, US population": "generate 2000 Type 2 diabetes patients EHR data with 20 important diabetes "
    "observations based on the US population",
    "Women with obesity and hypertension": "500 women over 50 with hypertension and BMI above 30, following the US "
    "population",
    "Inpatients readmitted": "1000 inpatients with type 2 diabetes on insulin, half of them readmitted within 30 days",
}
"""What a chip says, and the request that it types."""
LONGEST = 4000
_WHAT_EPSILON_IS = (
    "Noise was added while the model learned, so that hardly anything in it depends on any one patient. ε says how "
    "much at most: smaller protects more. The page About & privacy explains it."
)


def invitation() -> None:
    """The field to ask in, example requests, and the tour."""
    if (problem := dialogue.problem()) is not None:
        st.error(problem, icon=":material/error:")
    with st.container(border=True, key="invitation"):
        st.chat_input("Which patients do you need?", key="ask", on_submit=_asked, max_chars=LONGEST)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            for number, (label, text) in enumerate(EXAMPLES.items()):
                st.button(label, key=f"chip-{number}", icon=":material/forum:", help=text, on_click=sources.ask_anew,
                          args=(text,))  # fmt: skip
            st.button("Two-minute tour", key="tour-begin", icon=":material/explore:", type="tertiary",
                      on_click=tour.begin)  # fmt: skip


def _asked() -> None:
    text = st.session_state["ask"]
    if text and text.strip():
        sources.ask_anew(text.strip())


def cards() -> None:
    """The data sets that are ready, each with what it is and what protects its patients."""
    ready = [record for record in studio().datasets.all() if record.state is State.READY]
    if not ready:
        return
    st.header("Ready to answer", anchor=False)
    beside = min(3, max(2, len(ready)))
    for start in range(0, len(ready), beside):
        for place, record in zip(st.columns(beside, gap="medium"), ready[start : start + beside], strict=False):
            with place, st.container(border=True, height="stretch"):
                _card(record)


def _card(record: DatasetRecord) -> None:
    about = studio().datasets.about(record.id)
    st.subheader(plain(record.name), anchor=False)
    if about is not None:
        st.markdown(plain(about.sentence))
    model = studio().training.newest_ready(record.id)
    patients = f"about {record.patients or 0:,}" if about is not None else f"{record.patients or 0:,}"
    st.caption(
        plain(f"{patients} patients learned · {record.columns or 0} columns · {_guarded(model)}"),
        help=_WHAT_EPSILON_IS if model is not None and budget.is_private(model.report) else None,
    )
    with st.container(horizontal=True, gap="small"):
        page = "pages/cohort.py" if model is not None else "pages/train.py"
        st.button("Ask it" if model is not None else "Train", key=f"use-{record.id}", icon=":material/groups:",
                  on_click=_use, args=(record.id, page))  # fmt: skip
        if about is not None:
            with st.popover("Model card", type="tertiary", icon=":material/description:"):
                st.markdown(studio().datasets.card(record.id).replace("\n# ", "\n### ").removeprefix("# "))


def _guarded(model: ModelRecord | None) -> str:
    if model is None:
        return "no generator is trained yet"
    if not budget.is_private(model.report):
        return budget.statement(model.report)
    return f"each patient protected by differential privacy (ε {(model.report or {})['epsilon']:.2f})"


def _use(dataset_id: str, page: str) -> None:
    choose("dataset", dataset_id)
    turn(page)

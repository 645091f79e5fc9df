"""The Start page's way back: the cohorts that were made and the conversations that were held."""

import streamlit as st

from engine.storage.records import CohortRecord, DatasetRecord, State
from pages.components import sources
from pages.components.conversation.earlier import short
from pages.components.entry import turn
from pages.components.state import choose, studio
from pages.components.text import moment, plain

_SHOWN, _CONVERSATIONS = 5, 3


def resume() -> None:
    """The last conversations to take up again, and the last cohorts, each with the page that shows it."""
    datasets = studio().datasets.all()
    names = {record.id: record.name for record in datasets}
    _conversations(datasets)
    cohorts = studio().cohorts.all()[:_SHOWN]
    if not cohorts:
        return
    st.header("Recent cohorts", anchor=False)
    for cohort in cohorts:
        text, action = st.columns([6, 1], vertical_alignment="center")
        source = names.get(cohort.dataset_id, "")
        text.markdown(f"**{plain(short(cohort.name))}**  \n{plain(source)} · {moment(cohort.created_at)}")
        ready = cohort.state is State.READY
        action.button("Compare" if ready else "Look", key=f"open-{cohort.id}", width="stretch", on_click=_open,
                      args=(cohort,))  # fmt: skip


def _open(cohort: CohortRecord) -> None:
    choose("cohort", cohort.id)
    choose("dataset", cohort.dataset_id)
    turn("pages/compare.py" if cohort.state is State.READY else "pages/cohort.py")


def _conversations(datasets: list[DatasetRecord]) -> None:
    said = [(one, record) for record in datasets for one in studio().conversations.all(record.id)]
    said.sort(key=lambda pair: pair[0].changed_at, reverse=True)
    if not said:
        return
    st.header("Go on where you left off", anchor=False)
    for one, record in said[:_CONVERSATIONS]:
        text, action = st.columns([6, 1], vertical_alignment="center")
        text.markdown(f"{plain(short(one.title))}  \n{plain(record.name)} · {moment(one.changed_at)}")
        action.button(
            "Resume", key=f"resume-{one.id}", width="stretch", on_click=sources.resume, args=(one.id, record.id)
        )

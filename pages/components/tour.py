"""The two-minute tour: on each page one sentence says what to do next, until it is done or left."""

from dataclasses import dataclass

import streamlit as st

_KEY = "_tour"


@dataclass(frozen=True)
class Step:
    """What to do on one page."""

    page: str
    text: str


STEPS = (
    Step("start", "Click one of the example requests, or type your own."),
    Step("cohort", "See what was understood and **apply it to the form**. Change the age range there if you like, "
         "then press **Generate** and **Compare with real**."),
    Step("compare", "The three cards say whether to trust the cohort; each tab shows why. Then **export** it."),
    Step("export", "Download it with its data dictionary and manifest. That was the tour."),
)  # fmt: skip


def begin() -> None:
    """Start the tour; a callback."""
    st.session_state[_KEY] = True


def end() -> None:
    """Leave the tour; a callback."""
    st.session_state.pop(_KEY, None)


def show(page: str) -> None:
    """What to do on ``page``, while the tour is on."""
    if not st.session_state.get(_KEY):
        return
    number, step = next((number, step) for number, step in enumerate(STEPS, start=1) if step.page == page)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="tour"):
        st.markdown(f":material/explore: **Tour {number} of {len(STEPS)}.** {step.text}")
        last = number == len(STEPS)
        st.button("Done" if last else "Leave the tour", key="tour-end", type="tertiary", on_click=end)

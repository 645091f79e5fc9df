"""What the pages share: the open studio, and the ids and specs of this browser session."""

import streamlit as st

from engine.cohort.spec import CohortSpec
from engine.core.settings import settings
from engine.services.exchanges import Conversation
from engine.services.studio import Studio


@st.cache_resource(show_spinner="Opening the workspace…")
def studio() -> Studio:
    """The one studio of this process."""
    return Studio(settings()).start()


def dataset_id() -> str | None:
    """The chosen data set."""
    return st.session_state.get("dataset")


def cohort_id() -> str | None:
    """The chosen cohort."""
    return st.session_state.get("cohort")


def choose(kind: str, identifier: str, *, by_person: bool = True) -> None:
    """Choose a data set or cohort; takes effect at the next run, before the bar's widgets exist."""
    st.session_state[f"_next_{kind}"] = identifier
    if kind == "dataset" and by_person:
        pin(identifier)


def pin(dataset_id: str | None) -> None:
    """Remember that a person chose this data set: requests are answered from it, others are only offered."""
    st.session_state["_pinned"] = dataset_id


def is_pinned(dataset_id: str | None) -> bool:
    """Whether a person chose this data set."""
    return dataset_id is not None and st.session_state.get("_pinned") == dataset_id


def take_choice(kind: str, options: list[str]) -> None:
    """Hand a choice made on a page to the bar's widget ``kind``."""
    chosen = st.session_state.pop(f"_next_{kind}", None)
    if chosen in options:
        st.session_state[kind] = chosen


def spec() -> CohortSpec:
    """The request that chat and form edit."""
    return st.session_state.setdefault("_spec", CohortSpec())


def set_spec(new: CohortSpec) -> None:
    """Replace the request; the form's widgets are made anew from it."""
    st.session_state["_spec"] = new
    st.session_state["_spec_version"] = version() + 1


def keep_spec(new: CohortSpec) -> None:
    """Keep what the form's widgets say; they stay as they are."""
    st.session_state["_spec"] = new


def version() -> int:
    """Counts the replacements of the request; part of the form's widget keys."""
    return st.session_state.setdefault("_spec_version", 0)


def turn_to(dataset_id: str) -> None:
    """Show the request and conversation of ``dataset_id``; those of another data set wait until it is chosen again."""
    before = st.session_state.get("_request_of")
    if before not in (None, dataset_id):
        waiting = st.session_state.setdefault("_requests", {})
        waiting[before] = (spec(), conversation())
        request, talk = waiting.get(dataset_id, (CohortSpec(), None))
        set_conversation(talk)
        set_spec(request)
    st.session_state["_request_of"] = dataset_id


def is_current(key: str) -> bool:
    """Whether a form widget's ``key`` is of the form on the screen; late events of a replaced one change nothing."""
    return key.startswith(f"v{version()}-")


def conversation() -> Conversation | None:
    """The conversation on the screen, as it was when it was last read; None before the first request."""
    return st.session_state.get("_conversation")


def set_conversation(talk: Conversation | None) -> None:
    """Show ``talk``."""
    st.session_state["_conversation"] = talk


def is_dark() -> bool:
    """Whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"

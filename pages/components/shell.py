"""The frame around every page."""

import ipaddress
from collections import Counter
from collections.abc import Sequence

import streamlit as st

from engine.core.errors import CohortStudioError
from engine.storage.records import CohortRecord, DatasetRecord, State
from pages.components.entry import follow
from pages.components.shipped import spent as spent_of
from pages.components.state import choose, pin, studio, take_choice
from pages.components.text import moment, plain

STYLE = """<style>
.block-container {padding-top: 4rem; padding-bottom: 2rem}
/* Beside a button a heading's own padding and margin would push it below the button's middle. */
[data-testid="stColumn"] [data-testid="stHeading"] h2 {padding: 0.25rem 0}
[data-testid="stColumn"] [data-testid="stHeading"] [data-testid="stMarkdownContainer"] {margin-bottom: 0}
/* Under the pointer the dark theme's blue misses 4.5:1; the line says the same. */
[data-testid="stBaseButton-tertiary"]:is(:hover, :focus-visible) {color: inherit !important; text-decoration: underline}
/* Streamlit's grey captions and the coloured text of chosen tabs, pills and sliders miss 4.5:1 in one theme each. */
[data-testid="stCaptionContainer"] {color: inherit; opacity: 0.8}
[data-testid="stTab"][aria-selected="true"] *, [data-testid="stSliderThumbValue"], [data-testid="stSliderThumbValue"] *,
[data-testid="stButtonGroup"] button[data-selected="true"], [data-testid="stButtonGroup"] [data-selected="true"] * {
  color: inherit !important
}
</style>"""

_STATES = {State.PENDING: "not ready yet", State.FAILED: "failed", State.CANCELLED: "cancelled"}
_DOING = {
    "prepare": "Preparing", "train": "Training", "generate": "Generating", "compare": "Comparing",
    "outcome": "Analysing", "fine_tune": "Fine-tuning", "bake_off": "Bake-off",
}  # fmt: skip


def pages() -> list:
    """The pages in the order of the work."""
    return [
        st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
        st.Page("pages/data.py", title="Data", icon=":material/table:"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page("pages/cohort.py", title="Cohort", icon=":material/groups:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("pages/bake_off.py", title="Bake-off", icon=":material/leaderboard:"),
        st.Page("pages/export.py", title="Export", icon=":material/download:"),
        st.Page("pages/assistant.py", title="Assistant", icon=":material/forum:"),
        st.Page("pages/about.py", title="About & privacy", icon=":material/info:"),
    ]


def guard() -> None:
    """Serve nobody on a public address who has not signed in."""
    address = st.get_option("server.address") or "0.0.0.0"
    if _is_loopback(address):
        return
    if not _sign_in_is_configured():
        st.error(
            f"Cohort Studio is bound to {address} and no sign-in is configured, so it shows nothing. "
            "Bind it to 127.0.0.1, or configure [auth] in .streamlit/secrets.toml."
        )
        st.stop()
    if not st.user.is_logged_in:
        st.button("Sign in", on_click=st.login)
        st.stop()


def run(page: st.Page) -> None:
    """Draw the bar, then the page; what goes wrong for a reason is said in a sentence."""
    st.session_state["_shell"] = True
    st.html(STYLE)
    follow()
    try:
        _bar()
        page.run()
    except CohortStudioError as error:
        st.error(str(error), icon=":material/error:")


def _bar() -> None:
    left, middle, right = st.columns([3, 4, 3], vertical_alignment="center")
    records = studio().cohorts.all()
    datasets, labels = _labels(studio().datasets.all()), _labels(records)
    st.session_state["_states"] = _states()
    if datasets:
        _follow_link(records, labels)
        take_choice("dataset", list(datasets))
        left.selectbox(
            "Data set", list(datasets), key="dataset", format_func=lambda key: datasets.get(key, "…"),
            bind="query-params", label_visibility="collapsed", on_change=lambda: pin(st.session_state["dataset"]),
        )  # fmt: skip
    chosen = st.session_state.get("dataset")
    cohorts = {record.id: labels[record.id] for record in records if record.dataset_id == chosen}
    if cohorts:
        take_choice("cohort", list(cohorts))
        middle.selectbox(
            "Cohort", list(cohorts), key="cohort", format_func=lambda key: cohorts.get(key, "…"),
            bind="query-params", label_visibility="collapsed",
        )  # fmt: skip
    else:
        st.session_state.pop("cohort", None)  # of the data set that was shown before
    with right:
        _work()


def _states() -> dict[str, State]:
    return {record.id: record.state for record in (*studio().datasets.all(), *studio().cohorts.all())}


def _labels(records: Sequence[DatasetRecord | CohortRecord]) -> dict[str, str]:
    """A label of its own for each record: Streamlit tells options, also in the address, by their labels."""
    names = Counter(record.name for record in records)
    minutes = Counter((record.name, moment(record.created_at)) for record in records)
    labels: dict[str, str] = {}
    for record in records:
        label = record.name if names[record.name] == 1 else f"{record.name} · {moment(record.created_at)}"
        label += "" if minutes[record.name, moment(record.created_at)] == 1 else f" · {record.id}"
        labels[record.id] = label if record.state is State.READY else f"{label} · {_STATES[record.state]}"
    return labels


def _follow_link(cohorts: list[CohortRecord], labels: dict[str, str]) -> None:
    """A link that names only a cohort chooses its data set too: the bar lists the cohorts of one data set."""
    if "dataset" in st.session_state or "dataset" in st.query_params:
        return
    linked = next((record for record in cohorts if labels[record.id] == st.query_params.get("cohort")), None)
    if linked is not None:
        choose("dataset", linked.dataset_id)


@st.fragment(run_every=2.0)
def _work() -> None:
    if st.session_state.get("_states") != _states():
        st.rerun()  # something was made since the bar was drawn, perhaps in another tab
    active = studio().work.active()
    chosen = st.session_state.get("dataset")
    spent = spent_of(chosen)
    if not active:
        st.caption(" · ".join(part for part in (spent, ":material/check_circle: No job is running") if part))
        return
    if spent:
        st.caption(spent)
    job = active[-1]
    st.progress(
        min(1.0, job.fraction),
        text=f"{_DOING.get(job.kind, job.kind)}: {plain(job.message or 'waiting for the worker')}",
    )


def _sign_in_is_configured() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False

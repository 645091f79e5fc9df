"""The source that the form asks, in a line, and the others that could be asked instead."""

import streamlit as st

from engine.cohort.spec import CohortSpec
from engine.schema.table import TableSchema
from engine.services.sources import TakeOver
from engine.storage.records import DatasetRecord
from pages.components import sources
from pages.components.conversation import dialogue
from pages.components.state import dataset_id, set_spec, studio, version
from pages.components.text import plain

_TAKEN_OVER = "_taken_over"
_WHAT = {
    "mimic3": "Intensive-care stays at Beth Israel Deaconess Medical Center, Boston, 2001–2012.",
    "csv": "A table of your own.",
}


def show(request: CohortSpec, schema: TableSchema) -> None:
    """Draw the line; ``request`` is what the form says now."""
    chosen = dataset_id()
    if chosen is None:
        return
    record = studio().datasets.get(chosen)
    told, change = st.columns([3, 1])
    told.markdown(
        f":material/database: **Source: {plain(record.name)}**  \n:small[{plain(_what(record).rstrip('.'))} · "
        f"{len(schema.features)}&nbsp;columns]"
    )
    # A key of its own after each replacement of the form: the popover that was used is closed then.
    with change, st.popover("Change", key=f"v{version()}-sources", icon=":material/swap_horiz:", width="stretch"):
        _others(chosen, request, record.name)
    _say_what_was_dropped()


def _what(record: DatasetRecord) -> str:
    """What the source is, in a sentence."""
    about = studio().datasets.about(record.id)
    return about.sentence if about is not None else _WHAT.get(record.source, "")


def _others(chosen: str, request: CohortSpec, name: str) -> None:
    found = studio().sources.take_over(request, of=chosen)
    if not found:
        st.markdown("No other source is ready. Add a MIMIC-III folder or a table of your own on the Start page.")
    asks_nothing = request.model_copy(update={"patients": 1, "seed": 0}) == CohortSpec(patients=1, seed=0)
    for one in found:
        with st.container(border=True, gap="xsmall", key=f"source-{one.dataset.id}"):
            st.markdown(f"**{plain(one.dataset.name)}**  \n{plain(_what(one.dataset))}")
            st.caption(f"{one.dataset.columns or 0:,} columns")
            if one.dropped:
                st.markdown(f":material/close: Cannot be asked for: {plain('; '.join(one.dropped))}")
            elif not asks_nothing:
                st.markdown(":material/check: Has everything that the form asks for")
            st.button(
                "Use it", key=f"use-source-{one.dataset.id}", on_click=_use, args=(one, name),
                help="The form goes along as far as it fits; the conversation is kept and a new one begins",
            )  # fmt: skip


@dialogue.told_later
def _use(other: TakeOver, before: str) -> None:
    sources.move(other.dataset.id, by_person=True)
    dialogue.begin_anew()
    set_spec(other.spec)
    st.session_state[_TAKEN_OVER] = (version(), before, other.dropped)


def _say_what_was_dropped() -> None:
    """Until the form is replaced, what it lost on its way from another source."""
    of, before, dropped = st.session_state.get(_TAKEN_OVER, (None, "", ()))
    if of == version() and dropped:
        st.info(
            f"Taken over from “{plain(before)}”, but for what this source cannot be asked: {plain('; '.join(dropped))}",
            icon=":material/content_cut:",
        )

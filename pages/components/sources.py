"""From which data set a request is answered, why, and the others that could."""

import streamlit as st

from engine.core.errors import UserError
from engine.services.sources import Choice
from pages.components.conversation import dialogue
from pages.components.entry import turn
from pages.components.state import choose, conversation, dataset_id, is_pinned, studio, turn_to
from pages.components.text import plain

_CHOICE = "_source_choice"


@dialogue.told_later
def ask(text: str, *, anew: bool = False) -> None:
    """Ask the data set that serves ``text``, the first request of a conversation, best; a callback.

    The one on the screen stays the best among equals, and stays anyway where the person chose it; another one is
    offered then. ``anew`` begins a conversation of its own, with an empty form.
    """
    shown = dataset_id()
    found = studio().sources.choose(text, kept=shown)
    if found is None:
        chosen = shown
    else:
        able = {offer.dataset.id for offer in (found.best, *found.others)}
        chosen = shown if is_pinned(shown) and shown in able else found.best.dataset.id
    if chosen is None:
        raise UserError("no data set is ready to answer from", remedy="Prepare one on the Start page.")
    if chosen != shown:
        move(chosen, by_person=False)
    if anew:
        dialogue.begin_anew()
    st.session_state[_CHOICE] = (text, found) if found is not None else None
    dialogue.say(chosen, text)
    if anew:
        turn("pages/cohort.py")


def ask_anew(text: str) -> None:
    """Ask in a conversation of its own, and show it on the Cohort page; a callback."""
    ask(text, anew=True)


def resume(conversation_id: str, of: str) -> None:
    """Take up an earlier conversation of the data set ``of``, and show it on the Cohort page; a callback."""
    move(of, by_person=True)
    dialogue.reopen(conversation_id)
    turn("pages/cohort.py")


def move(to: str, *, by_person: bool) -> None:
    """Turn to the data set ``to``, with the request and conversation that wait there; part of a callback."""
    turn_to(to)
    choose("dataset", to, by_person=by_person)


def reason(answering: str) -> None:
    """Why the last first request was answered from this data set, and the way to another one."""
    talk = conversation()
    kept: tuple[str, Choice] | None = st.session_state.get(_CHOICE)
    if kept is None or talk is None or not talk.exchanges or talk.exchanges[0].text != kept[0]:
        return
    (text, found), name = kept, studio().datasets.get(answering).name
    if found.shortcoming:
        st.info(plain(f"{found.shortcoming} {_remedy(found)}"), icon=":material/search_off:")
        st.button("Add a source", key="add-source", icon=":material/add:", on_click=turn, args=("pages/start.py",))
    if not found.others:
        return
    if found.best.dataset.id != answering:
        st.info(plain(f"Answered from “{name}”, which you chose. {found.reason}"), icon=":material/database:")
        st.button(
            plain(f"Ask {found.best.dataset.name}"), key="better-source", icon=":material/swap_horiz:",
            on_click=_elsewhere, args=(text, found.best.dataset.id),
        )  # fmt: skip
        return
    with st.popover(plain(f"Answered from {name}"), icon=":material/database:", type="tertiary"):
        st.markdown(plain(found.reason))
        for offer in found.others:
            st.button(
                plain(f"Ask {offer.dataset.name} instead"), key=f"ask-{offer.dataset.id}",
                on_click=_elsewhere, args=(text, offer.dataset.id),
            )  # fmt: skip


def _remedy(found: Choice) -> str:
    if found.setting in ("intensive care", "hospital") and not found.best.suits:
        return (
            "MIMIC-III describes intensive-care stays in hospital: on the Start page name its folder, or fetch its "
            "open demo of 100 patients."
        )
    return "A table of your own may: add it on the Start page."


def _elsewhere(text: str, dataset_id: str) -> None:
    move(dataset_id, by_person=True)
    dialogue.begin_anew()
    dialogue.say(dataset_id, text)

"""The conversation of this browser session: what the service keeps, and the form that follows it."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

import streamlit as st

from engine.cohort.spec import CohortSpec
from engine.core.errors import CohortStudioError
from engine.services.exchanges import Conversation
from pages.components.state import choose, conversation, set_conversation, set_spec, spec, studio

_WAIT_SECONDS = 1.5
"""For an answer before the page shows it as on its way; the rules need under 0.1."""
_LINK = "conversation"
P = ParamSpec("P")


def told_later(act: Callable[P, None]) -> Callable[P, None]:
    """``act`` as a widget's callback, which runs outside the page: what goes wrong is said at the next drawing."""

    @wraps(act)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(*args, **kwargs)
        except CohortStudioError as error:
            st.session_state["_conversation_problem"] = str(error)

    return guarded


def problem() -> str | None:
    """What went wrong since the last drawing."""
    shown = conversation()
    lost = studio().conversations.lost(shown.id) if shown is not None else None
    return st.session_state.pop("_conversation_problem", None) or lost


def follow(dataset_id: str) -> None:
    """Take up what was said since the page was last drawn, also in another tab, and the conversation of a link.

    Call it before the form's widgets are drawn.
    """
    shown, linked = conversation(), st.query_params.get(_LINK)
    if linked and (shown is None or shown.id != linked):
        _take_up(linked, dataset_id)
    elif shown is not None:
        try:
            if studio().conversations.revision(shown.id) != shown.revision:
                _show(studio().conversations.open(shown.id))
        except CohortStudioError as error:
            st.session_state["_conversation_problem"] = studio().conversations.lost(shown.id) or str(error)
            set_conversation(None)
    _link()


def keep_form(request: CohortSpec) -> None:
    """Keep what the form says with its conversation."""
    shown = conversation()
    if shown is not None and request != shown.form:
        revision = studio().conversations.keep_form(shown.id, request)
        set_conversation(replace(shown, form=request, revision=revision))


@told_later
def say(dataset_id: str, text: str) -> None:
    """Ask the assistant."""
    shown = conversation()
    id = studio().conversations.say(
        text, dataset_id=dataset_id, conversation_id=shown.id if shown else None, form=spec()
    )
    if (reply := studio().conversations.reply(id)) is not None:
        reply.wait(_WAIT_SECONDS)
    _show(studio().conversations.open(id))


@told_later
def apply(id: str, position: int) -> None:
    """Put a proposal into the form."""
    studio().conversations.apply(id, position, form=spec())
    _show(studio().conversations.open(id))


@told_later
def apply_and_generate(id: str, position: int, model_id: str) -> None:
    """Put a proposal into the form, and draw its cohort from a model."""
    studio().conversations.apply(id, position, form=spec())
    applied = studio().conversations.open(id)
    _show(applied)
    cohort, _ = studio().cohorts.generate(model_id, applied.form, conversation_id=id)
    choose("cohort", cohort.id)


@told_later
def undo(id: str, position: int) -> None:
    """Take a proposal back out of the form."""
    studio().conversations.undo(id, position)
    _show(studio().conversations.open(id))


@told_later
def take(id: str, position: int, warning: int, action: int) -> None:
    """Propose what a warning's button offers."""
    studio().conversations.take(id, position, warning, action, form=spec())
    _show(studio().conversations.open(id))


@told_later
def propose_again(id: str, position: int) -> None:
    """Bring an earlier proposal forward."""
    studio().conversations.propose_again(id, position, form=spec())
    _show(studio().conversations.open(id))


@told_later
def stop(id: str) -> None:
    """Be content with what the rules understood."""
    if (reply := studio().conversations.reply(id)) is not None:
        reply.stop()


@told_later
def reopen(id: str) -> None:
    """Bring an earlier conversation back, with its form."""
    _show(studio().conversations.open(id))


def begin_anew() -> None:
    """Leave the conversation, which is kept, for an empty one with an empty form."""
    set_conversation(None)
    set_spec(CohortSpec())
    _link()


@told_later
def delete(id: str) -> None:
    """Forget a conversation; the form stays."""
    studio().conversations.delete(id)
    shown = conversation()
    if shown is not None and shown.id == id:
        set_conversation(None)
    _link()


def _take_up(id: str, dataset_id: str) -> None:
    try:
        found = studio().conversations.open(id)
    except CohortStudioError:
        return
    if found.dataset_id == dataset_id:
        _show(found)


def _show(found: Conversation) -> None:
    shown = conversation()
    # Only a form that someone changed there replaces the one here, which may have been edited a moment ago.
    news = shown is None or shown.id != found.id or shown.form != found.form
    if news and found.form != spec():
        set_spec(found.form)
    set_conversation(found)
    _link()


def _link() -> None:
    """The page's address names the conversation, so that a reload brings it back."""
    shown = conversation()
    if shown is None:
        st.query_params.pop(_LINK, None)
    elif st.query_params.get(_LINK) != shown.id:
        st.query_params[_LINK] = shown.id

"""The choice of who reads requests, and its state in words."""

import streamlit as st

from engine.conversation.contract import BackendName
from engine.core.errors import CohortStudioError
from engine.services.assistant import Choice
from pages.components.state import studio
from pages.components.text import plain

LABELS: dict[BackendName, str] = {
    "rules": "Rules",
    "llama": "Language model on this machine",
    "endpoint": "Endpoint",
}
_CAPTIONS = (
    "Built in: needs no download, answers in under a tenth of a second, sends nothing anywhere.",
    "LLaMA 2 or another model, in a process of its own. Needs much memory; sends nothing anywhere.",
    "A server that speaks the OpenAI protocol (vLLM, Ollama, llama.cpp), here or on another machine.",
)


def in_use() -> None:
    """Say who reads requests now, and why it is not who was chosen."""
    kept = studio().assistant.choice()
    st.markdown(f":material/forum: Now reading requests: **{LABELS[kept.backend]}**{_detail(kept)}")
    if problem := studio().assistant.problem():
        st.warning(problem, icon=":material/warning:")
    if (done := st.session_state.pop("_assistant_done", None)) is not None:
        st.success(done, icon=":material/check_circle:")


def pick() -> BackendName:
    """The backend whose settings are on the screen; choosing it here changes nothing yet."""
    latest = studio().fine_tuning.latest()
    # What runs stays in sight when the browser is reloaded.
    first = "llama" if latest is not None and latest.is_active else studio().assistant.choice().backend
    st.session_state.setdefault("assistant-backend", LABELS[first])
    label = st.radio(
        "Who reads requests", list(LABELS.values()), captions=_CAPTIONS, key="assistant-backend",
        persist_state="session",
    )  # fmt: skip
    return next(name for name, text in LABELS.items() if text == label)


def rules() -> None:
    """What there is to set for the rules: nothing."""
    st.header("Rules", anchor=False)
    st.markdown("Nothing to set up. The rules know the columns of your data set and some thousand clinical terms.")
    use(studio().assistant.choice().model_copy(update={"backend": "rules"}), label="Use the rules")


def use(choice: Choice, *, label: str, disabled: bool = False) -> None:
    """A button that keeps ``choice``."""
    if st.button(label, type="primary", key="assistant-use", icon=":material/check:", disabled=disabled):
        try:
            studio().assistant.choose(choice)
        except CohortStudioError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.session_state["_assistant_done"] = f"{LABELS[choice.backend]}: kept. The next request is read this way."
        st.rerun()


def waiting_time(kept: Choice) -> float:
    """How long a model may take."""
    return float(
        st.number_input(
            "Wait for an answer (seconds)", 1.0, 600.0, kept.seconds, 5.0, format="%.0f",
            key=f"assistant-seconds-{kept.backend}", help="After that the rules answer instead.",
        )
    )  # fmt: skip


def _detail(kept: Choice) -> str:
    if kept.backend == "llama":
        return f" · {plain(kept.model)}"
    if kept.backend == "endpoint":
        return f" · {plain(kept.endpoint_model)} at {plain(kept.address)}"
    return ""

"""The settings of a language model on this machine: what it needs, its state, loading and unloading."""

import streamlit as st

from engine.core.errors import CohortStudioError
from engine.services.assistant import LLAMA, Choice
from pages.components.assistant import use, waiting_time
from pages.components.state import studio
from pages.components.text import plain

_STATES = {
    "off": (":material/power_settings_new:", "Not loaded"),
    "absent": (":material/cloud_off:", "Not on this machine"),
    "downloading": (":material/downloading:", "Downloading"),
    "loading": (":material/hourglass_top:", "Loading"),
    "ready": (":material/check_circle:", "Ready"),
    "failed": (":material/error:", "Failed"),
}
_LICENCE = "https://huggingface.co/meta-llama/Llama-2-7b-chat-hf"


def settings() -> str:
    """Draw the settings; nothing is downloaded or loaded before "Load". Returns the model that is named in them."""
    st.header("Language model on this machine", anchor=False)
    kept = studio().assistant.choice()
    st.session_state.setdefault("model-name", kept.model)
    st.session_state.setdefault("model-adapter", kept.adapter)
    model = st.text_input(
        "Model", key="model-name", max_chars=500,
        help=f"A name on Hugging Face, such as {LLAMA}, or a folder on this machine that holds a model.",
    )  # fmt: skip
    adapter = st.text_input(
        "Adapter folder (optional)", key="model-adapter", max_chars=500,
        help="A LoRA adapter, such as Fine-tune below or python -m engine fine-tune writes.",
    )  # fmt: skip
    seconds = waiting_time(kept)
    new = kept.model_copy(
        update={"backend": "llama", "model": model.strip(), "adapter": adapter.strip(), "seconds": seconds}
    )
    if new.model:
        _needs(new)
    use(new, label="Use this model", disabled=not model.strip())
    if kept.backend == "llama" and (kept.model, kept.adapter) != (new.model, new.adapter):
        st.caption("The state below is that of the model that is in use.")
    if kept.backend == "llama":
        _state()
    else:
        st.caption("Once it is in use it can be loaded here.")
    return new.model


def show(choice: Choice) -> None:
    """Fill the fields in from ``choice``; for callbacks, which run before the fields exist."""
    st.session_state["model-name"] = choice.model
    st.session_state["model-adapter"] = choice.adapter


def _needs(choice: Choice) -> None:
    found = studio().assistant.model_needs(choice)
    there = found.folder is not None
    disk = "nothing more, it is on this machine" if there else f"{_size(found.download_gb)} to download"
    lines = [
        f"- **Disk:** {disk}. Free here: {found.disk_free_gb:,.0f} GB.",
        f"- **Memory:** {_size(found.memory_gb)}. LLaMA 2 takes 13.5 GB in 16 bits, 5 to 6 GB in 4 bits on a GPU. "
        f"Free here: {found.memory_free_gb:,.1f} GB.",
        "- **Time:** seconds per request on a GPU, minutes on a processor.",
    ]
    if found.licence:
        token = "A token is set." if found.token_is_set else "No token is set."
        lines.append(
            f"- **Licence:** {plain(found.licence)} ([page of LLaMA 2]({_LICENCE})). The files are gated: put your "
            f"token into the environment variable `HF_TOKEN`, where it is not stored or shown. {token}"
        )
    st.markdown("**What it needs**")
    st.markdown("\n".join(lines))
    for missing in found.missing:
        st.warning(plain(missing), icon=":material/warning:")


def _size(gigabytes: float | None) -> str:
    return "not known" if gigabytes is None else f"{gigabytes:,.1f} GB"


@st.fragment(run_every=2.0)
def _state() -> None:
    state = studio().assistant.model_state()
    icon, title = _STATES[state.state]
    with st.container(border=True, key="model-state"):
        st.markdown(f"{icon} **{title}**{f'. {plain(state.detail)}' if state.detail else ''}")
        figures = [
            f"{state.memory_mb / 1000:,.1f} GB of memory" if state.memory_mb is not None else "",
            f"loaded in {state.load_seconds:,.1f} seconds" if state.load_seconds is not None else "",
        ]
        if any(figures):
            st.caption(" · ".join(part for part in figures if part))
        if state.state != "ready":
            st.caption("Until it is ready, the rules read requests and say so.")
        busy = state.state in ("downloading", "loading")
        with st.container(horizontal=True):
            if state.state in ("off", "absent", "failed"):
                st.button("Load", key="model-load", icon=":material/play_arrow:", on_click=_load)
            else:
                label = "Cancel" if busy else "Unload"
                st.button(label, key="model-unload", icon=":material/eject:", on_click=studio().assistant.unload_model)
        if (problem := st.session_state.pop("_model_problem", None)) is not None:
            st.error(problem, icon=":material/error:")


def _load() -> None:
    try:
        studio().assistant.load_model()
    except CohortStudioError as error:
        st.session_state["_model_problem"] = plain(str(error))

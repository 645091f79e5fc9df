"""The settings of an OpenAI-compatible endpoint, with what is sent there and a test."""

import streamlit as st

from engine.core.errors import CohortStudioError
from engine.services.assistant import ENDPOINT_KEY, Choice
from pages.components.assistant import use, waiting_time
from pages.components.state import studio
from pages.components.text import plain


def settings() -> None:
    """Draw the settings; nothing is sent before "Test" or the first request after "Use this endpoint"."""
    st.header("Endpoint", anchor=False)
    kept = studio().assistant.choice()
    address = st.text_input(
        "Address", kept.address, key="endpoint-address", placeholder="http://127.0.0.1:11434/v1", max_chars=500,
        help="The base address of the server, without user name or password. Ollama uses port 11434, vLLM 8000.",
    )  # fmt: skip
    model = st.text_input(
        "Model", kept.endpoint_model, key="endpoint-model", placeholder="llama2:7b-chat", max_chars=200,
        help="The name under which the server offers the model.",
    )  # fmt: skip
    seconds = waiting_time(kept)
    there = f"`{ENDPOINT_KEY}`"
    st.caption(
        f":material/key: A key is set in the environment variable {there}; it is not stored or shown."
        if studio().assistant.key_is_set()
        else f":material/key: No key is set. A server that asks for one gets it from the environment variable {there}."
    )
    new = kept.model_copy(
        update={"backend": "endpoint", "address": address, "endpoint_model": model.strip(), "seconds": seconds}
    )
    allowed = _may_be_sent(new)
    filled = bool(address.strip() and model.strip()) and allowed
    with st.container(horizontal=True):
        use(new, label="Use this endpoint", disabled=not filled)
        tested = st.button("Test", key="endpoint-test", icon=":material/network_check:", disabled=not filled)
    if tested:
        _test(new)


def _may_be_sent(choice: Choice) -> bool:
    """State what is sent; for another machine, ask whether it may be."""
    st.markdown(
        "**What is sent:** the text that you type, the names and units of the columns, categories that the built-in "
        "catalogue lists (such as F and M), and what the request so far demands. **Never:** a patient's record, a "
        "value that stands only in your table, a file, a result."
    )
    try:
        host = studio().assistant.third_party(choice)
    except CohortStudioError as error:
        st.error(str(error), icon=":material/error:")
        return False
    if not host:
        return True
    open_line = "" if choice.address.strip().startswith("https://") else " The connection is not encrypted (http)."
    st.warning(
        f"**{plain(host)} is not this machine.** The data use agreement of MIMIC-III forbids giving its data to third "
        "parties, and other sources have rules of their own. No patient data is sent, but whoever runs that machine "
        f"can read every request.{open_line}",
        icon=":material/public:",
    )
    return st.checkbox(f"Requests may be sent to {plain(host)}", key=f"endpoint-allowed-{host}",
                       value=host == studio().assistant.third_party(studio().assistant.choice()))  # fmt: skip


def _test(choice: Choice) -> None:
    try:
        with st.spinner("Asking the endpoint…"):
            done = studio().assistant.test_endpoint(choice)
    except CohortStudioError as error:
        st.error(f"{plain(str(error))} Until it works, the rules read requests.", icon=":material/error:")
        return
    st.success(done, icon=":material/check_circle:")

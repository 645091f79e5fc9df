"""Assistant: who reads what is typed in the chat, and what that takes."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/assistant.py")

from pages.components import assistant, assistant_endpoint, assistant_fine_tuning, assistant_model

st.title("Assistant")
st.markdown(
    "Choose who reads what you type in the chat. Whoever it is, every reading is checked in the same way and nothing "
    "happens before you apply it. When a model is not there, fails or is slow, the rules answer and say so. "
    "Requests that name a person, ask for real records or for medical advice never reach a model."
)
assistant.in_use()
picked = assistant.pick()
model = ""
with st.container(border=True, key="assistant-settings"):
    if picked == "llama":
        model = assistant_model.settings()
    elif picked == "endpoint":
        assistant_endpoint.settings()
    else:
        assistant.rules()
if picked == "llama":
    with st.container(border=True, key="assistant-fine-tuning"):
        assistant_fine_tuning.section(model)

"""Fine-tuning the language model: what it does, its start, its progress, and the adapters that came of it."""

import streamlit as st

from engine.services.fine_tuning import MOST_PAIRS, Adapter
from pages.components import assistant_model, progress
from pages.components.state import studio
from pages.components.text import moment, plain

_SHOWN = 5
"""Adapters in the list; older ones stay in the workspace."""


def section(model: str) -> None:
    """Draw everything about fine-tuning ``model``, the one that the settings above name."""
    st.header("Fine-tune", anchor=False)
    st.markdown(
        "Teaches the model the requests of this product. It practises on pairs of a request and the cohort that it "
        "stands for, which are composed from templates over the catalogue of columns; **no patient's row is read**, "
        "and nothing leaves this machine."
    )
    st.markdown(
        "- **Result:** a LoRA adapter, a small addition to the model, kept in the workspace. The model's own files "
        "stay as they are.\n"
        "- **Needs:** the model's files on this machine, and memory for a second copy beside the one that answers.\n"
        "- **Time:** minutes for a small model. For LLaMA 2 it takes a GPU; on a processor it may take days. "
        "Training and generating wait until it is done or cancelled."
    )
    latest = studio().fine_tuning.latest()
    _start(model, running=latest is not None and latest.is_active)
    if latest is not None and progress.follow(latest.subject) is not None:
        st.success("The adapter is ready.", icon=":material/check_circle:")
    _adapters()


def _start(model: str, *, running: bool) -> None:
    first, second, third = st.columns(3)
    pairs = first.number_input(
        "Pairs", 1, MOST_PAIRS, 4000, 500, key="tune-pairs", help="How many requests are composed."
    )  # fmt: skip
    epochs = second.number_input(
        "Epochs", 0.1, 100.0, 1.0, 0.5, format="%.1f", key="tune-epochs", help="Passes over all pairs."
    )  # fmt: skip
    seed = third.number_input(
        "Seed", 0, 2**32 - 1, 7, key="tune-seed", help="The same seed composes the same requests."
    )  # fmt: skip
    reason = "One fine-tuning is under way." if running else _obstacle(model)
    if st.button("Start", key="tune-start", icon=":material/model_training:", disabled=bool(reason)):
        studio().fine_tuning.start(model=model, pairs=int(pairs), epochs=float(epochs), seed=int(seed))
        st.rerun()
    if reason:
        st.caption(f":material/info: {reason}")


def _obstacle(model: str) -> str:
    """Why ``model`` cannot be fine-tuned here, in words; empty where it can be tried."""
    if not model:
        return "Name a model above to start."
    base = studio().assistant.choice().model_copy(update={"model": model, "adapter": ""})
    found = studio().assistant.model_needs(base)
    if found.folder is None:
        return (
            f"To start, {plain(model)} must be on this machine: use and load it above, which downloads it, or name a "
            "folder that holds a model."
        )
    return plain(found.missing[0]) if found.missing else ""


def _adapters() -> None:
    made = studio().fine_tuning.adapters()[:_SHOWN]
    if not made:
        return
    st.subheader("Adapters", anchor=False)
    kept = studio().assistant.choice()
    for one in made:
        identifier = one.folder.name
        with st.container(border=True, key=f"adapter-{identifier}"):
            st.markdown(f"**{moment(one.made_at)}** for {plain(one.base)}")
            loss = "" if one.loss is None else f" · last loss {one.loss:.2f}"
            st.caption(
                f"Pairs {one.pairs:,} · epochs {one.epochs:g} · seed {one.seed} · {one.seconds:,.0f} seconds{loss}"
            )
            if kept.backend == "llama" and (kept.model, kept.adapter) == (one.base, str(one.folder)):
                st.markdown(":material/check: In use")
            else:
                st.button("Use this adapter", key=f"adapter-use-{identifier}", on_click=_use, args=(one,))


def _use(adapter: Adapter) -> None:
    # An adapter fits the model that it was trained for and no other.
    wanted = {"backend": "llama", "model": adapter.base, "adapter": str(adapter.folder)}
    kept = studio().assistant.choose(studio().assistant.choice().model_copy(update=wanted))
    assistant_model.show(kept)
    st.session_state["_assistant_done"] = "The adapter is kept. Load the model below to read requests with it."

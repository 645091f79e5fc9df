"""What is promised of each patient: the formal guarantee of a cohort's model, and the ledger of its source."""

from typing import Any

import streamlit as st

from engine.privacy.accounts import Account, RunState
from pages.components.budget import certainty, spent_of
from pages.components.state import studio
from pages.components.text import plain


def statement(cohort_id: str, *, on_real_rows: bool = True) -> None:
    """The guarantee with its unit and neighbours, or plainly that there is none; and what its source has spent."""
    found = studio().comparison.privacy_statement(cohort_id)
    with st.container(border=True, key="guarantee"):
        st.subheader("Formal guarantee", anchor=False)
        if found.guarantee is None:
            st.warning(
                "**No formal guarantee: treat as confidential.** This model was trained without differential privacy: "
                "nothing bounds what it remembers of one patient, and attacks that find nothing do not either.",
                icon=":material/lock_open:",
            )
        else:
            st.markdown(_promise(found.guarantee))
            st.caption(
                "It holds for the model and for every cohort drawn from it, against any attack, known or not. "
                + (
                    "It does not hold for the figures of this page, which are computed on the real rows."
                    if on_real_rows
                    else "It holds for the figures of this page too: no real row is behind them."
                )
            )
        st.caption(_ledger(found.account, is_private=found.guarantee is not None))


def of_export(cohort_id: str) -> None:
    """In a sentence, what is promised of each patient wherever the files go."""
    found = studio().comparison.privacy_statement(cohort_id)
    if found.guarantee is None:
        st.warning(
            "**No formal guarantee: treat these files as confidential.** The model was trained without differential "
            "privacy, so its rows may repeat what single patients have.",
            icon=":material/lock_open:",
        )
    else:
        st.caption(_promise(found.guarantee))


def _promise(told: dict[str, Any]) -> str:
    epsilon, delta, unit = told["epsilon"], told["delta"], plain(told["unit"])
    return (
        f":material/shield: **Differential privacy, ε {epsilon:.2f} and δ {delta:g}, for each {unit}** (neighbouring "
        f"tables: {plain(told['neighbours'])}). An even bet on whether a {unit} is in these data can become at most "
        f"{certainty(epsilon)} sure, except with a probability of δ."
    )


def _ledger(account: Account | None, *, is_private: bool) -> str:
    if account is None:
        return "Ledger: this workspace keeps no account of the patients it was trained on."
    paid = sum(run.state is not RunState.RELEASED for run in account.runs)
    trainings = "no private training" if not paid else f"{paid} private training{'s' if paid > 1 else ''}"
    told = f"Ledger of its source: {spent_of(account)} by {trainings} on these patients (at δ {account.delta:g})."
    return told if is_private else f"{told} This model is not among them."

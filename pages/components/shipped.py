"""What the pages say of a model that ships: a summary stands for its rows, and nothing is left to train."""

import streamlit as st

from engine.privacy.summary import PrivateSummary
from engine.storage.records import SHIPPED, DatasetRecord
from pages.components import budget
from pages.components.state import studio
from pages.components.text import plain


def is_shipped(record: DatasetRecord) -> bool:
    """Whether the data set ships with its model and has no row."""
    return record.source == SHIPPED


def about_summary(summary: PrivateSummary) -> None:
    """What the Data page shows in place of a preparation's figures."""
    told = summary.statement
    st.markdown(
        ":material/shield: This source ships as a trained model with a **differentially private summary** of the "
        f"patients that it learned from (ε {told['epsilon']:.2f}, δ {told['delta']:g} for each {told['unit']}). "
        "No patient's row is on this machine: every figure below carries noise."
    )


def card(dataset_id: str) -> None:
    """The model's card: where its patients come from, and how well it was measured to do."""
    st.markdown(studio().datasets.card(dataset_id).replace("\n# ", "\n### ").removeprefix("# "))


def nothing_to_train(record: DatasetRecord) -> None:
    """What the Train page says of a model that is ready made."""
    st.markdown(
        f"**{plain(record.name)}** is ready made: its model ships with Cohort Studio, so there is nothing to train. "
        "Drawing cohorts from it costs no privacy budget."
    )
    model = studio().training.newest_ready(record.id)
    if model is not None:
        st.caption(f":material/shield: Its guarantee: {budget.statement(model.report)}, for each patient.")
    st.page_link("pages/cohort.py", label="Ask for a cohort", icon=":material/groups:")
    st.page_link("pages/start.py", label="Train on your own patients instead", icon=":material/home:")


def nothing_to_compare(record: DatasetRecord) -> None:
    """What the Bake-off page says where there are no rows to teach several generators."""
    st.markdown(
        "A bake-off teaches several generators the same real patients and compares what they draw. "
        f"**{plain(record.name)}** is ready made and has no real row to learn from: its model card says how well it "
        "was measured to do."
    )
    st.page_link("pages/data.py", label="Read its model card", icon=":material/description:")
    st.page_link("pages/start.py", label="Compare generators on your own patients instead", icon=":material/home:")


def spent(dataset_id: str | None) -> str:
    """The privacy of the chosen data set in a few words for the bar; empty where there is nothing to say."""
    if dataset_id is None:
        return ""
    account = studio().training.known_account(dataset_id)
    if account is not None:
        return f":material/shield: {budget.spent_of(account)}"
    record = next((one for one in studio().datasets.all() if one.id == dataset_id), None)
    if record is None or not is_shipped(record):
        return ""
    model = studio().training.newest_ready(dataset_id)
    return "" if model is None else f":material/shield: Ready made, {budget.statement(model.report)}"

"""Train: teach a generator the prepared table."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/train.py")

from engine.generators.base import Capability
from pages.components import budget, options, progress, shipped
from pages.components.state import dataset_id, studio
from pages.components.text import moment, plain

st.title("Train")
chosen = dataset_id()
if chosen is None or studio().datasets.get(chosen).state.value != "ready":
    st.info("Training needs a prepared data set.")
    st.page_link("pages/data.py" if chosen else "pages/start.py", label="Prepare one", icon=":material/table:")
    st.stop()
record = studio().datasets.get(chosen)
if shipped.is_shipped(record):
    shipped.nothing_to_train(record)
    st.stop()
st.markdown(
    f"Learn from **{plain(record.name)}**: {record.rows or 0:,} rows of {record.patients or 0:,} patients. "
    "About 30 % of the patients are held out, so that fidelity is judged against real patients the generator never saw."
)

infos = {info.name: info for info in studio().training.generators()}
with st.container(border=True):
    name = st.selectbox(
        "Generator", list(infos), key="generator", format_func=lambda key: infos[key].label, persist_state="session"
    )
    info = infos[name]
    st.caption(f":material/shield: {info.privacy}")
    offered = Capability.DIFFERENTIAL_PRIVACY in info.capabilities
    account = studio().training.account(chosen) if offered else None
    level = budget.level(record) if offered else None
    spending = st.container()
    asked = None
    with st.expander("Expert settings"):
        if account is not None and level is not None:
            asked = budget.experts(level, record, account, info)
        seed = st.number_input("Seed", 0, 2**32 - 1, 7, key="train_seed", help="The same seed gives the same model.")
        settings = options.fields(info)
    choice = budget.Choice({"private": False} if options.offers_privacy(info) else {}, True)
    if account is not None:
        with spending:
            choice = budget.state(account, asked, record)
    if st.button("Train", type="primary", icon=":material/model_training:", key="train", disabled=not choice.allowed):
        studio().training.start(chosen, name, options=settings | choice.options, seed=int(seed))

models = studio().training.models(chosen)
running = [model for model in models if model.state.value == "pending"]
for model in running or models[:1]:
    if progress.follow(model.id) is not None:
        st.success("The generator is ready.", icon=":material/check_circle:")
        st.page_link("pages/cohort.py", label="Ask for a cohort", icon=":material/groups:")
ready = [model for model in models if model.state.value == "ready" and model.report]
if ready:
    st.header("Trained generators", anchor=False)
    st.dataframe(
        [
            {
                "Generator": infos[model.generator].label if model.generator in infos else model.generator,
                "Trained": moment(model.created_at),
                "Rows": model.report["rows"],
                "Columns": model.report["columns"],
                "Seconds": round(model.report["fit_wall_seconds"], 1),
                "Peak memory (MB)": round(model.report.get("peak_memory_mb") or 0),
                "Privacy": budget.statement(model.report),
            }
            for model in ready
        ],
        hide_index=True,
        alt="Trained generators of this data set",
    )

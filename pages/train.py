"""Train: teach a generator the prepared table."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/train.py")

from pages.components import progress
from pages.components.state import dataset_id, studio
from pages.components.text import moment, plain

st.title("Train")
chosen = dataset_id()
if chosen is None or studio().datasets.get(chosen).state.value != "ready":
    st.info("Training needs a prepared data set.")
    st.page_link("pages/data.py" if chosen else "pages/start.py", label="Prepare one", icon=":material/table:")
    st.stop()
record = studio().datasets.get(chosen)
st.markdown(
    f"Learn from **{plain(record.name)}**: {record.rows or 0:,} rows of {record.patients or 0:,} patients. "
    "30 % of the patients are held out, so that fidelity can be judged against real patients the generator never saw."
)

infos = {info.name: info for info in studio().training.generators()}
with st.container(border=True):
    name = st.selectbox(
        "Generator", list(infos), key="generator", format_func=lambda key: infos[key].label, persist_state="session"
    )
    info = infos[name]
    st.caption(f":material/shield: {info.privacy}")
    options = {}
    with st.expander("Expert settings"):
        seed = st.number_input("Seed", 0, 2**32 - 1, 7, key="train_seed", help="The same seed gives the same model.")
        for option in info.options:
            if option.kind == "boolean":
                options[option.name] = st.toggle(
                    option.label, option.default, help=option.help, key=f"{name}-{option.name}"
                )
            else:
                options[option.name] = st.number_input(
                    option.label, min_value=option.minimum, max_value=option.maximum, value=option.default,
                    help=option.help, key=f"{name}-{option.name}",
                )  # fmt: skip
    if st.button("Train", type="primary", icon=":material/model_training:", key="train"):
        studio().training.start(chosen, name, options=options, seed=int(seed))

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
                "Privacy": f"ε {model.report['epsilon']:.2f}"
                if model.report["epsilon"] is not None
                else "no formal privacy",
            }
            for model in ready
        ],
        hide_index=True,
        alt="Trained generators of this data set",
    )

"""What a request would find, the Generate button, and the cohorts that came of it."""

import streamlit as st

from engine.cohort.spec import LARGE, MAX_PATIENTS, CohortSpec
from engine.core.errors import UserError
from engine.schema.table import TableSchema
from engine.services.cohorts import Support
from engine.storage.conversations import Outcome
from engine.storage.records import CohortRecord, State
from pages.components import budget, population, progress, shipped
from pages.components.conversation import earlier
from pages.components.entry import turn
from pages.components.state import choose, cohort_id, conversation, set_spec, studio
from pages.components.text import moment, plain


def summary(dataset_id: str, request: CohortSpec, schema: TableSchema) -> None:
    """The cohort in one sentence, the real patients behind it, and Generate."""
    with st.container(border=True):
        st.text(studio().cohorts.sentence(request, schema))
        try:
            for line in studio().cohorts.population(request, schema):
                st.caption(plain(line))
            support = studio().cohorts.support(dataset_id, request)
        except UserError as error:
            st.error(str(error), icon=":material/error:")
            return
        _support(support, schema)
        _generate(dataset_id, request)


def _support(support: Support, schema: TableSchema) -> None:
    if support.estimated:
        st.markdown(
            f"By its own estimate, the model learned from **{support.text}** patients like this.",
            help="From the model's differentially private summary: no real patient is counted, and it costs nothing.",
        )
    else:
        st.markdown(f"**{support.text}** real patients support this request.", help="Counts of 1 to 10 are not shown.")
    if len(support.steps) > 1:
        st.dataframe(
            [
                {
                    "After": "all patients" if step.criterion == "all" else schema[step.criterion].title,
                    "Patients": support.show(step.patients),
                }
                | ({} if support.estimated else {"Rows": support.show(step.rows)})
                for step in support.steps
            ],
            hide_index=True,
            key="attrition",
            alt="Real patients left after each criterion",
        )
    if support.patients is None or support.patients == 0:
        st.warning(
            "Hardly any real patient is like this: the cohort will be marked as extrapolated.",
            icon=":material/warning:",
        )


def _generate(dataset_id: str, request: CohortSpec) -> None:
    models = [model for model in studio().training.models(dataset_id) if model.state is State.READY]
    if not models:
        st.info("No generator is trained on this data set yet.", icon=":material/model_training:")
        st.page_link("pages/train.py", label="Train one", icon=":material/model_training:")
        return
    labels = {info.name: info.label for info in studio().training.generators()}
    by_id = {model.id: model for model in models}
    picked = st.selectbox(
        "Generator", list(by_id), key="model",
        format_func=lambda key: " · ".join(
            (
                labels.get(by_id[key].generator, by_id[key].generator), moment(by_id[key].created_at),
                budget.statement(by_id[key].report),
            )
        ),
    )  # fmt: skip
    talk = conversation()
    waiting = talk.last_proposal if talk is not None else None
    is_waiting = waiting is not None and waiting.outcome is Outcome.PROPOSED
    if is_waiting:
        st.caption(
            ":material/info: What the chat proposes is not in the form yet: apply it first, or generate the above."
        )
    if st.button(
        "Generate", type="secondary" if is_waiting else "primary", icon=":material/play_arrow:", key="generate",
        width="stretch", disabled=not _is_meant(request),
    ):  # fmt: skip
        cohort, _ = studio().cohorts.generate(picked, request, conversation_id=talk.id if talk else None)
        choose("cohort", cohort.id)
        st.rerun()


def _is_meant(request: CohortSpec) -> bool:
    """Whether so many patients are asked for on purpose; another number is confirmed anew."""
    if request.patients <= LARGE:
        return True
    st.info(
        f"A job draws more than {LARGE:,} patients in parts: it takes minutes and room on the disk. Of such a cohort "
        f"comparisons read a random sample, and Excel cannot hold it. At most {MAX_PATIENTS:,} are possible.",
        icon=":material/database:",
    )
    return st.checkbox(f"Make all {request.patients:,} patients", key=f"sure-{request.patients}")


def ready_cohort() -> CohortRecord:
    """The chosen cohort, named on the page; while there is none, the page says what to do and ends."""
    chosen = cohort_id()
    if chosen is None:
        st.info("Generate a cohort first.")
        st.page_link("pages/cohort.py", label="Ask for a cohort", icon=":material/groups:")
        st.stop()
    cohort = studio().cohorts.get(chosen)
    st.text(cohort.name)
    earlier.origin(cohort)
    if cohort.state is not State.READY:
        progress.follow(chosen)
        st.stop()
    return cohort


def results() -> None:
    """The chosen cohort: progress while it is made, then its figures and first rows."""
    chosen = cohort_id()
    if chosen is None:
        return
    cohort = studio().cohorts.get(chosen)
    st.divider()
    st.header("Your cohort", anchor=False)
    st.text(cohort.name)
    earlier.origin(cohort)
    if cohort.state is not State.READY:
        progress.follow(chosen)
        return
    report, source = cohort.report or {}, studio().datasets.get(cohort.dataset_id)
    with st.container(horizontal=True):
        st.metric("Synthetic patients", f"{cohort.rows or 0:,}")
        st.metric("Obey every criterion", _percent(cohort.compliance))
        st.metric(
            "Supporting patients", _shown(report.get("support_rows"), estimated=shipped.is_shipped(source)),
            help="Patients like these among those that the model learned from: the more, the better it knows them.",
        )  # fmt: skip
        st.metric("Made in", "–" if cohort.seconds is None else f"{cohort.seconds:.1f} s")
    followed = report.get("population")
    if followed is not None:
        population.reached(followed)
    for note in report.get("notes", []):
        if followed is not None and note in followed["notes"]:
            continue
        st.warning(note, icon=":material/warning:")
    st.dataframe(
        studio().cohorts.rows(chosen, 100), hide_index=True, height=260, key="rows",
        column_config={
            column.name: st.column_config.Column(column.title, help=column.name)
            for column in studio().exports.schema(chosen).columns
        },
        alt="The first 100 synthetic patients",
    )  # fmt: skip
    st.caption(
        "The first 100 synthetic rows: no real patient is shown. Not for clinical decisions. Privacy of its model: "
        f"{budget.statement(studio().training.get(cohort.model_id).report)}."
    )
    with st.container(horizontal=True):
        st.button("Compare with real", type="primary", icon=":material/compare:", key="to-compare", on_click=turn,
                  args=("pages/compare.py",))  # fmt: skip
        st.button("Export", icon=":material/download:", key="to-export", on_click=turn, args=("pages/export.py",))
        st.button(
            "Put its request into the form", icon=":material/edit:", key="to-form", on_click=set_spec,
            args=(CohortSpec.model_validate(cohort.spec),),
        )  # fmt: skip


def _percent(share: float | None) -> str:
    """A share that reaches 100 % only when all of them do."""
    if share is None:
        return "not assessable"
    return "100%" if share >= 1 else f"{min(share, 0.999):.1%}"


def _shown(count: int | None, *, estimated: bool) -> str:
    if count is None:
        return "not counted"
    minimum = studio().small_cell_minimum
    return f"fewer than {minimum}" if 0 < count < minimum else f"{'about ' if estimated else ''}{count:,}"

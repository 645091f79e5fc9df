"""The cohort's report as a document: made by the worker when asked for, then offered for download."""

import streamlit as st

from engine.jobs.queue import JobState
from engine.services.reports import FORMATS
from pages.components import progress, shipped
from pages.components.state import studio

_INTERNAL = "Internal report: contains aggregates of real patients"
_COMPARISON = "Comparison report: rests on the model's private summary"


def compared(cohort_id: str) -> None:
    """At the end of the comparison: all of it on paper, for people who may see figures of real patients."""
    st.subheader("Report", anchor=False)
    if is_of_summary(cohort_id):
        st.caption(
            ":material/shield: The whole comparison with its provenance. It rests on the model's private summary: no "
            "real row is behind its figures."
        )
    else:
        st.caption(
            ":material/lock: Internal: the whole comparison with its provenance, for people who may see aggregates of "
            "real patients. It is not part of an export."
        )
    _offers(cohort_id, "internal")


def exported(cohort_id: str) -> None:
    """Beside the exports: the release report; the internal one only for who says that its readers may see it."""
    st.header("Report", anchor=False)
    st.caption(
        "Table 1, distributions, provenance, privacy statement and limits of the synthetic rows. It holds no figure of "
        "real patients, so it may go where the rows go."
    )
    _offers(cohort_id, "release")
    of_summary = is_of_summary(cohort_id)
    with st.expander(
        _COMPARISON if of_summary else _INTERNAL, icon=":material/shield:" if of_summary else ":material/lock:"
    ):
        st.caption(
            "How the cohort compares with the model's private summary. No real row is behind it."
            if of_summary
            else "How the cohort compares with real patients. Keep it where the real data may be kept."
        )
        if of_summary or st.checkbox(
            "Whoever gets this file may see aggregates of real patients", key="internal-report"
        ):
            if studio().comparison.result(cohort_id) is None:
                st.info(
                    f"This cohort is not compared with {'the summary' if of_summary else 'real patients'} yet. "
                    "Open Compare first."
                )
            else:
                _offers(cohort_id, "internal")


def is_of_summary(cohort_id: str) -> bool:
    """Whether the cohort is of a source that ships without rows, and is compared with its private summary."""
    return shipped.is_shipped(studio().datasets.get(studio().cohorts.get(cohort_id).dataset_id))


def _offers(cohort_id: str, view: str) -> None:
    for place, format in zip(st.columns(len(FORMATS)), FORMATS, strict=True):
        with place:
            _offer(cohort_id, view, format)


def _offer(cohort_id: str, view: str, format: str) -> None:
    reports, label = studio().reports, FORMATS[format][0]
    made = reports.document(cohort_id, view, format)
    kind = "comparison" if view == "internal" and is_of_summary(cohort_id) else view
    name = f"{kind} report as {label}"
    if made is not None:
        st.download_button(
            f"Download {name}", data=made.read, file_name=made.name, mime=made.mime, key=f"report-{view}-{format}",
            on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        return
    subject = reports.subject(cohort_id, view, format)
    job = studio().work.latest(subject)
    if job is not None and job.state is not JobState.DONE:
        progress.follow(subject)
    elif st.button(f"Make {name}", key=f"make-{view}-{format}", icon=":material/description:"):
        reports.start(cohort_id, view, format)
        st.rerun()

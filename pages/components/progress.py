"""A running job on a page: progress, figures, cancel; the page is drawn anew when the job ends."""

from collections.abc import Callable

import streamlit as st

from engine.jobs.queue import JobRecord, JobState
from pages.components.state import is_dark, studio


def follow(subject: str, *, changed: Callable[[], bool] | None = None) -> JobRecord | None:
    """Show the newest job of ``subject`` while it runs, its cause when it failed; returns it once it is done.

    While it runs, the page is also drawn anew whenever ``changed`` says that there is more to show.
    """
    job = studio().work.latest(subject)
    if job is None:
        return None
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        _running(job.id, changed)
        return None
    if job.state is JobState.DONE:
        return job
    if job.state is JobState.FAILED:
        error = job.error or {}
        where = f" ({error['where']})" if error.get("where") else ""
        st.error(f"{error.get('what', 'The job failed')}{where}. {error.get('remedy', '')}", icon=":material/error:")
    else:
        st.info("This job was cancelled. What it had reached is kept.", icon=":material/cancel:")
    if st.button("Try again", key=f"retry-{job.id}", icon=":material/refresh:"):
        studio().work.retry(job.id)
        st.rerun()
    return None


@st.fragment(run_every=0.4)
def _running(job_id: str, changed: Callable[[], bool] | None) -> None:
    job = studio().work.job(job_id)
    if job.state not in (JobState.QUEUED, JobState.RUNNING) or (changed is not None and changed()):
        st.rerun(scope="app")
    waiting = "Waiting for the worker…" if job.state is JobState.QUEUED else job.message or "Working…"
    if problem := studio().work.problem():
        st.error(problem, icon=":material/error:")
    spent = [point["epsilon"] for point in job.figures if "epsilon" in point]
    rest = f" · ε {spent[-1]:.2f} so far" if spent else ""
    rest += f" · about {job.eta_seconds:,.0f} s left" if job.eta_seconds is not None and job.eta_seconds > 1 else ""
    st.progress(min(1.0, job.fraction), text=waiting + rest)
    if job.figures:
        st.plotly_chart(
            studio().comparison.training(job.figures, dark=is_dark()), width="stretch", theme=None,
            key=f"history-{job_id}", alt="Training figures over the epochs so far",
        )  # fmt: skip
    stopping = job.cancel_requested
    if st.button("Stopping…" if stopping else "Cancel", key=f"cancel-{job_id}", disabled=stopping):
        studio().work.cancel(job_id)
        st.rerun(scope="fragment")

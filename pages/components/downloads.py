"""The cohort's files: as downloads, or, of a cohort too large for a browser, where its file lies."""

from functools import partial
from shlex import quote

import streamlit as st

from engine.cohort.spec import LARGE
from engine.storage.records import CohortRecord
from pages.components.state import studio


def offer(cohort: CohortRecord) -> None:
    """A card for each format."""
    if (cohort.rows or 0) > LARGE:
        _where_it_lies(cohort)
        return
    formats = studio().exports.formats()
    for card, (name, format_) in zip(st.columns(len(formats)), formats.items(), strict=True):
        with card, st.container(border=True, height="stretch"):
            st.header(format_.label, anchor=False)
            st.caption(format_.description)
            st.download_button(
                f"Download {format_.extension}", data=partial(studio().exports.build, cohort.id, name),
                file_name=f"cohort-{cohort.id}{format_.extension}", mime=format_.mime, key=f"download-{name}",
                on_click="ignore", type="primary", icon=":material/download:",
            )  # fmt: skip


def _where_it_lies(cohort: CohortRecord) -> None:
    """A download is held in memory whole, which so many rows would fill; the command writes them part by part."""
    st.info(
        f"{cohort.rows or 0:,} patients are too many for a download through the browser. They lie ready on the machine "
        "that runs Cohort Studio, as one Parquet file with the manifest beside it.",
        icon=":material/database:",
    )
    folder = studio().exports.folder(cohort.id)
    st.code(str(folder / "cohort.parquet"), language=None, wrap_lines=True)
    for name, format_ in studio().exports.formats().items():
        with st.container(border=True):
            st.markdown(f"**{format_.label}** · {format_.description}")
            if name == "excel":
                st.button(
                    f"Not for more than {LARGE:,} patients", key=f"download-{name}", disabled=True,
                    help="A worksheet holds 1,048,576 rows.",
                )  # fmt: skip
                continue
            st.caption("Run this there; it writes the rows part by part, so that memory stays small:")
            st.code(
                f"python -m engine export --cohort {quote(str(folder))} --format {name} "
                f"--out cohort-{cohort.id}{format_.extension}",
                language=None, wrap_lines=True,
            )  # fmt: skip

"""How nearly a cohort reaches the reference population that it follows."""

from typing import Any

import streamlit as st

from pages.components.text import plain


def reached(report: dict[str, Any]) -> None:
    """Draw what was followed, and per category the wanted and the reached proportion."""
    st.markdown(f"**Follows {report['title']}**")
    st.dataframe(
        [
            {
                "Proportion of": margin["title"] + (" (as requested)" if margin["by_request"] else ""),
                "Category": category["label"],
                "Wanted %": 100 * category["target"],
                "Reached %": 100 * category["reached"],
                "Patients": category["rows"],
            }
            for margin in report["margins"]
            for category in margin["categories"]
        ],
        hide_index=True,
        height="content",
        key="population",
        column_config={
            name: st.column_config.NumberColumn(format="%.1f") for name in ("Wanted %", "Reached %")
        },
        alt="Wanted and reached proportions of the population",
    )  # fmt: skip
    for line in report["notes"]:
        st.caption(plain(line))
    st.caption(
        f"Design effect {report['design_effect']:g}: {report['pool_rows']:,} patients of the model, weighted to this "
        f"population, say as much as about {report['effective_rows']:,}. Source: {plain(report['source'])}"
    )

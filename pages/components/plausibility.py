"""The Plausibility section of the Compare page: which rules rows break, why they hold, and where they are from."""

from typing import Any

import streamlit as st

from pages.components.findings import is_of_summary, is_there
from pages.components.text import plain, told

SEVERITIES = ("impossible", "discordant", "rare")


def plausibility(result: dict[str, Any]) -> None:
    """Totals by severity, the rules that rows break, and every rule with its reason and source."""
    if not is_there(result, "plausibility"):
        return
    found = result["plausibility"]
    rules, totals, of_summary = found["rules"], found["totals"], is_of_summary(result)
    st.caption(
        f"{len(rules)} of {found['rules_in_all']} rules can be asked of these columns. Missing values break none."
    )
    for card, severity in zip(st.columns(len(SEVERITIES)), SEVERITIES, strict=True):
        total = totals[severity]
        with card, st.container(border=True, height="stretch"):
            st.metric(f"Synthetic {severity} rows", total["synthetic"]["text"], help=total["meaning"])
            if not of_summary:
                st.caption(f"Real rows: {total['real']['text']}")
                st.caption(f"Held-out real rows: {total['holdout']['text']}")
    for note in found["notes"]:
        st.warning(told(note), icon=":material/warning:")
    for severity in SEVERITIES:
        _rules([rule for rule in rules if rule["severity"] == severity], totals[severity], of_summary=of_summary)


def _rules(rules: list[dict[str, Any]], total: dict[str, Any], *, of_summary: bool) -> None:
    if not rules:
        return
    st.header(total["label"], anchor=False)
    st.caption(total["meaning"])
    broken = [rule for rule in rules if any(_is_broken(rule[table]) for table in ("real", "holdout", "synthetic"))]
    if broken:
        st.table(
            [
                {
                    "Rule": plain(rule["title"]),
                    # Of a source without rows there is nothing beside them.
                    **({} if of_summary else {"Real": rule["real"]["text"], "Held-out real": rule["holdout"]["text"]}),
                    "Synthetic": rule["synthetic"]["text"],
                }
                for rule in broken
            ],
            hide_index=True,
            alt=f"{total['label']} rules that rows break: share of "
            f"{'synthetic' if of_summary else 'real, held-out real and synthetic'} rows",
        )
    others = len(rules) - len(broken)
    if others:
        st.caption(f"No row that could be checked breaks the {'other ' if broken else ''}{_count(others)}.")
    with st.expander(f"Why, and where from: {_count(len(rules))}"):
        for rule in rules:
            st.markdown(
                f"**{plain(rule['title'])}** · {plain(', '.join(rule['columns']))}  \n"
                f"{plain(rule['message'])}  \n*{plain(rule['citation'])}*"
            )


def _count(rules: int) -> str:
    return f"{rules} {'rule' if rules == 1 else 'rules'}"


def _is_broken(figure: dict[str, Any]) -> bool:
    """Whether rows break the rule, or a few may, of which the figure is not shown."""
    return bool(figure["rate"]) or (figure["rate"] is None and figure["checked"])

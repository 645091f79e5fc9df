"""The shares of the form: which proportion of the cohort has a category."""

import streamlit as st

from engine.cohort.spec import Share, Value
from engine.schema.table import Kind, TableSchema
from pages.components.state import is_current, set_spec, spec
from pages.components.text import category_label, plain

MOST_CATEGORIES = 60
"""A column with more categories is not offered: no list of shares could be read."""


def edit(key: str, share: Share, schema: TableSchema, number: int) -> Share:
    """Draw one share; returns what its slider says, the exact share while nobody moved it."""
    column, shown = schema[share.column], plain(category_label(share.category))
    name, value, drop = st.columns([4, 5, 1.4], vertical_alignment="center")
    name.markdown(f"{plain(column.title)} = **{shown}**")
    percent = value.slider(
        f"Share of {column.title} = {category_label(share.category)}", 0, 100, round(share.share * 100), key=key,
        format="%d %%", label_visibility="collapsed",
    )  # fmt: skip
    drop.button("✕", key=f"{key}-drop", help="Remove this share", on_click=_remove, args=(key, number))
    exact = share.share if round(share.share * 100) == percent else percent / 100
    return Share(column=share.column, category=share.category, share=exact)


def add(key: str, schema: TableSchema) -> None:
    """Draw the list of the shares that can be added."""
    taken = {(share.column, share.category) for share in spec().shares}
    choices: list[tuple[str, Value]] = []
    for column in schema.features:
        if column.kind.is_ordered:
            continue
        known = (True, False) if column.kind is Kind.BOOLEAN else column.categories or ()
        if len(known) <= MOST_CATEGORIES:
            choices.extend((column.name, category) for category in known if (column.name, category) not in taken)
    st.selectbox(
        "Add a share", choices, index=None, key=key, placeholder="Add a share of …", label_visibility="collapsed",
        format_func=lambda choice: f"{schema[choice[0]].title} = {category_label(choice[1])}",
        on_change=_added, args=(key,),
    )  # fmt: skip


def _added(key: str) -> None:
    if st.session_state.get(key) is None or not is_current(key):
        return
    column, category = st.session_state[key]
    left = 1 - sum(share.share for share in spec().shares if share.column == column)
    new = Share(column=column, category=category, share=min(0.5, max(0.0, round(left, 9))))
    set_spec(spec().model_copy(update={"shares": (*spec().shares, new)}))


def _remove(key: str, number: int) -> None:
    if not is_current(key):
        return
    left = tuple(share for index, share in enumerate(spec().shares) if index != number)
    set_spec(spec().model_copy(update={"shares": left}))

"""The form of a CohortSpec: everything the chat can say can be clicked together, and is shown here."""

import streamlit as st
from pydantic import ValidationError

from engine.cohort.spec import MAX_PATIENTS, CohortSpec, Share
from engine.schema.table import Kind, TableSchema
from pages.components import criteria
from pages.components.state import set_spec, spec, version


def edit(request: CohortSpec, schema: TableSchema) -> CohortSpec | None:
    """Draw the form for ``request``; returns what it says now, or None while it contradicts itself."""
    head, reset = st.columns([3, 1], vertical_alignment="bottom")
    head.subheader("Or click it together", anchor=False)
    reset.button("Start over", key="reset", icon=":material/restart_alt:", on_click=_start_over, width="stretch")
    prefix = f"v{version()}"
    count, seed = st.columns([3, 1])
    patients = count.number_input("Synthetic patients", 1, MAX_PATIENTS, request.patients, key=f"{prefix}-patients")
    drawn = seed.number_input(
        "Seed", 0, 2**32 - 1, request.seed, key=f"{prefix}-seed", help="The same seed draws the same patients."
    )
    try:
        edited = []
        st.markdown("**Criteria** — every patient satisfies all of them")
        for number, criterion in enumerate(request.criteria):
            if criterion.column in schema:
                kept = criteria.edit(f"{prefix}-c{number}", criterion, schema[criterion.column], number)
                edited.extend([kept] if kept is not None else [])
            else:
                st.warning(f"This data set has no column {criterion.column!r}; the criterion is left out.")
        _add_criterion(prefix, schema)
        st.markdown("**Shares** — proportions to reach")
        shares = [_share(f"{prefix}-s{number}", share, schema, number) for number, share in enumerate(request.shares)]
        _add_share(prefix, schema)
        columns = st.multiselect(
            "Columns", [column.name for column in schema.features], default=_known(request.columns, schema),
            key=f"{prefix}-columns", format_func=lambda name: schema[name].title, placeholder="All columns",
        )  # fmt: skip
        return CohortSpec(
            patients=int(patients),
            criteria=tuple(edited),
            shares=tuple(share for share in shares if share is not None),
            columns=tuple(columns) or None,
            reference_population=request.reference_population,
            seed=int(drawn),
        )
    except ValidationError as error:
        for problem in error.errors():
            st.error(problem["msg"].removeprefix("Value error, ").capitalize(), icon=":material/error:")
        return None


def _start_over() -> None:
    set_spec(CohortSpec())


def _known(columns: tuple[str, ...] | None, schema: TableSchema) -> list[str]:
    return [name for name in columns or () if name in schema]


def _add_criterion(prefix: str, schema: TableSchema) -> None:
    names = [column.name for column in schema.features]
    st.selectbox(
        "Add a criterion", names, index=None, key=f"{prefix}-add", placeholder="Add a criterion on …",
        format_func=lambda name: _grouped(schema, name), label_visibility="collapsed",
        on_change=_added, args=(f"{prefix}-add", schema),
    )  # fmt: skip


def _grouped(schema: TableSchema, name: str) -> str:
    column = schema[name]
    return f"{column.group} · {column.title}" if column.group else column.title


def _added(key: str, schema: TableSchema) -> None:
    name = st.session_state[key]
    if name is None:
        return
    new = criteria.fresh(schema[name])
    set_spec(spec().model_copy(update={"criteria": (*spec().criteria, new)}))


def remove_criterion(number: int) -> None:
    """Drop the criterion at ``number``."""
    left = tuple(criterion for index, criterion in enumerate(spec().criteria) if index != number)
    set_spec(spec().model_copy(update={"criteria": left}))


def _share(key: str, share: Share, schema: TableSchema, number: int) -> Share | None:
    if share.column not in schema:
        return None
    column = schema[share.column]
    name, value, drop = st.columns([4, 5, 1], vertical_alignment="bottom")
    shown = criteria.category_label(share.category)
    name.markdown(f"{column.title} = **{shown}**")
    percent = value.slider(
        f"Share of {shown}", 0, 100, round(share.share * 100), key=key, format="%d %%", label_visibility="collapsed"
    )
    drop.button("✕", key=f"{key}-drop", help="Remove this share", on_click=_remove_share, args=(number,))
    exact = share.share if round(share.share * 100) == percent else percent / 100
    return Share(column=share.column, category=share.category, share=exact)


def _remove_share(number: int) -> None:
    left = tuple(share for index, share in enumerate(spec().shares) if index != number)
    set_spec(spec().model_copy(update={"shares": left}))


def _add_share(prefix: str, schema: TableSchema) -> None:
    nominal = [column for column in schema.features if not column.kind.is_ordered]
    choices = {}
    for column in nominal:
        known = (True, False) if column.kind is Kind.BOOLEAN else column.categories or ()
        if len(known) > 60:
            continue
        for category in known:
            choices[f"{column.title} = {criteria.category_label(category)}"] = (column.name, category)
    st.selectbox(
        "Add a share", list(choices), index=None, key=f"{prefix}-share", placeholder="Add a share of …",
        label_visibility="collapsed", on_change=_share_added, args=(f"{prefix}-share", choices),
    )  # fmt: skip


def _share_added(key: str, choices: dict) -> None:
    label = st.session_state[key]
    if label is None:
        return
    column, category = choices[label]
    taken = sum(share.share for share in spec().shares if share.column == column)
    if any(share.column == column and share.category == category for share in spec().shares):
        return
    new = Share(column=column, category=category, share=min(0.5, max(0.0, 1 - taken)))
    set_spec(spec().model_copy(update={"shares": (*spec().shares, new)}))

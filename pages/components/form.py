"""The form of a CohortSpec: everything the chat can say can be clicked together, and is shown here."""

import streamlit as st
from pydantic import ValidationError

from engine.cohort.spec import LARGE, MAX_PATIENTS, CohortSpec, Criterion, Share
from engine.core.errors import UserError
from engine.schema.table import TableSchema
from pages.components import criteria, shares, source_line
from pages.components.state import is_current, set_spec, spec, studio, version


def edit(request: CohortSpec, schema: TableSchema) -> CohortSpec | None:
    """Draw the form for ``request``; returns what it says now, or None while it contradicts itself."""
    head, reset = st.columns([3, 1], vertical_alignment="center")
    head.header("Or click it together", anchor=False)
    reset.button("Start over", key="reset", icon=":material/restart_alt:", on_click=_start_over, width="stretch")
    # Above the fields, and drawn after them: it compares what they say now.
    source = st.container()
    said = _fields(request, schema)
    with source:
        source_line.show(said if said is not None else request, schema)
    return said


def _fields(request: CohortSpec, schema: TableSchema) -> CohortSpec | None:
    prefix = f"v{version()}"
    count, seed = st.columns([3, 1])
    # Any number can be typed: the spec answers an impossible one with the limits, a bounded widget would round it.
    patients = count.number_input(
        "Synthetic patients", value=float(request.patients), step=1.0, format="%g", key=f"{prefix}-patients",
        help=f"A whole number from 1 to {MAX_PATIENTS:,}; more than {LARGE:,} are confirmed before.",
    )  # fmt: skip
    drawn = seed.number_input(
        "Seed", 0, 2**32 - 1, request.seed, key=f"{prefix}-seed", help="The same seed draws the same patients."
    )
    st.markdown("**Criteria** — every patient satisfies all of them")
    demanded = _criteria(prefix, request, schema)
    _add_criterion(prefix, schema)
    st.markdown("**Shares** — proportions to reach")
    wanted = _shares(prefix, request, schema)
    shares.add(f"{prefix}-share", schema)
    columns = st.multiselect(
        "Columns", [column.name for column in schema.features], key=f"{prefix}-columns",
        default=[name for name in request.columns or () if name in schema],
        format_func=lambda name: schema[name].title, placeholder="All columns",
    )  # fmt: skip
    population = _population(prefix, request, schema)
    if demanded is None:
        return None
    try:
        return CohortSpec(
            patients=patients,  # pyright: ignore[reportArgumentType] - a float that is a whole number, or an error
            criteria=demanded,
            shares=wanted,
            columns=tuple(columns) or None,
            reference_population=population,
            seed=int(drawn),
        )
    except ValidationError as error:
        _say(error)
        return None


def _criteria(prefix: str, request: CohortSpec, schema: TableSchema) -> tuple[Criterion, ...] | None:
    """The criteria as the widgets say them, None while one of them cannot be read."""
    edited, readable = [], True
    for number, criterion in enumerate(request.criteria):
        if criterion.column not in schema:
            st.warning(f"This data set has no column {criterion.column!r}; the criterion is left out.")
            continue
        try:
            edited.append(criteria.edit(f"{prefix}-c{number}", criterion, schema[criterion.column], number))
        except (UserError, ValidationError) as error:
            _say(error)
            readable = False
    return tuple(edited) if readable else None


def _shares(prefix: str, request: CohortSpec, schema: TableSchema) -> tuple[Share, ...]:
    known = [(number, share) for number, share in enumerate(request.shares) if share.column in schema]
    return tuple(shares.edit(f"{prefix}-s{number}", share, schema, number) for number, share in known)


def _population(prefix: str, request: CohortSpec, schema: TableSchema) -> str | None:
    offered = studio().cohorts.populations(schema)
    chosen = request.reference_population
    if not offered and chosen is None:
        return None
    names = [None, *offered] if chosen is None or chosen in offered else [None, *offered, chosen]
    return st.selectbox(
        "Proportions of age, sex and ethnicity", names, names.index(chosen), key=f"{prefix}-population",
        format_func=lambda name: offered.get(name, name) if name else "As among the source's patients",
        help="A population's table sets how many of the patients are of which age, sex and ethnicity.",
    )  # fmt: skip


def _say(error: UserError | ValidationError) -> None:
    if isinstance(error, UserError):
        st.error(str(error), icon=":material/error:")
        return
    for problem in error.errors():
        sentence = problem["msg"].removeprefix("Value error, ")
        st.error(f"{sentence[:1].upper()}{sentence[1:]}.", icon=":material/error:")


def _start_over() -> None:
    set_spec(CohortSpec())


def _add_criterion(prefix: str, schema: TableSchema) -> None:
    st.selectbox(
        "Add a criterion", [column.name for column in schema.features], index=None, key=f"{prefix}-add",
        placeholder="Add a criterion on …", format_func=lambda name: _grouped(schema, name),
        label_visibility="collapsed", on_change=_added, args=(f"{prefix}-add", schema),
    )  # fmt: skip


def _grouped(schema: TableSchema, name: str) -> str:
    column = schema[name]
    return f"{column.group} · {column.title}" if column.group else column.title


def _added(key: str, schema: TableSchema) -> None:
    name = st.session_state.get(key)
    if name is not None and is_current(key):
        set_spec(spec().model_copy(update={"criteria": (*spec().criteria, criteria.fresh(schema[name]))}))

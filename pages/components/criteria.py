"""One criterion of the form: the widgets that suit its column, and everything rarer under "More"."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from engine.cohort.spec import Criterion, Value
from engine.schema.table import Column, Kind
from pages.components import entries
from pages.components.state import is_current, set_spec, spec
from pages.components.text import category_label, plain


def fresh(column: Column) -> Criterion:
    """A criterion to start from: the column has a value."""
    return Criterion(column=column.name, recorded=True)


def edit(key: str, criterion: Criterion, column: Column, number: int) -> Criterion:
    """Draw the widgets of ``criterion``; returns what they say. A criterion without a limit demands a value.

    Raises:
        UserError: a field does not hold values of the column.
        ValidationError: the fields contradict each other.
    """
    with st.container(border=True, key=f"{key}-card"):
        title, main, side = st.columns([4, 7, 3.6], vertical_alignment="center")
        title.markdown(f"**{plain(column.title)}**", help=plain(column.description) or None)
        with side.container(horizontal=True, gap="small", vertical_alignment="center"):
            rarer = st.popover("More", help="Exclusions, several ranges, missing values")
            st.button("✕", key=f"{key}-drop", help="Remove this criterion", on_click=_remove, args=(key, number))
        draw = _ordered if column.kind.is_ordered else _nominal
        fields = draw(key, criterion, column, main, rarer)
        demands = any(value is not None for name, value in fields.items() if not name.startswith("include_"))
        said = Criterion(column=column.name, **fields) if demands else fresh(column)
        if words := _rarer_words(said, column):
            st.caption(plain(words))
    return said


def _remove(key: str, number: int) -> None:
    if not is_current(key):
        return
    left = tuple(criterion for index, criterion in enumerate(spec().criteria) if index != number)
    set_spec(spec().model_copy(update={"criteria": left}))


def _ordered(key: str, criterion: Criterion, column: Column, main: Place, rarer: Place) -> dict:
    with rarer:
        above, below = not criterion.include_minimum, not criterion.include_maximum
        strictly_above = st.toggle("Above “from”, not equal", above, key=f"{key}-xmin")
        strictly_below = st.toggle("Below “to”, not equal", below, key=f"{key}-xmax")
        example = "2020-01-01..2020-06-30" if column.kind is Kind.DATE else "..20; 35..40"
        ranges = st.text_input(
            "One of several ranges", entries.shown_ranges(criterion.ranges, column), key=f"{key}-ranges",
            placeholder=example, help=f"Separated by semicolons, for example “{example}”.",
        )  # fmt: skip
        exactly = st.text_input("Exactly one of", entries.shown_list(criterion.any_of, column), key=f"{key}-any")
        never = st.text_input("None of", entries.shown_list(criterion.none_of, column), key=f"{key}-none")
        recorded = _recorded(key, criterion)
    low, high = main.columns(2)
    bound = _date_bound if column.kind is Kind.DATE else _number_bound
    return {
        "minimum": bound(low, f"{key}-min", "from", criterion.minimum, column, column.minimum),
        "maximum": bound(high, f"{key}-max", "to", criterion.maximum, column, column.maximum),
        "include_minimum": not strictly_above,
        "include_maximum": not strictly_below,
        "ranges": entries.ranges(ranges, column),
        "any_of": entries.values(exactly, column),
        "none_of": entries.values(never, column),
        "recorded": recorded,
    }


def _number_bound(
    place: Place, key: str, word: str, value: float | str | None, column: Column, limit: float | None
) -> float | None:
    decimals = 0 if column.kind is Kind.INTEGER else column.decimals if column.decimals is not None else 2
    return place.number_input(
        f"{column.title} {word}", value=None if value is None else float(value), key=key,
        placeholder=word if limit is None else f"{word} {limit:g}", step=10.0**-decimals, format=f"%.{decimals}f",
        label_visibility="collapsed",
    )  # fmt: skip


def _date_bound(
    place: Place, key: str, word: str, value: float | str | None, column: Column, limit: float | None
) -> float | str | None:
    typed = place.text_input(
        f"{column.title} {word}", "" if value is None else entries.shown(value, column), key=key,
        placeholder=f"{word} {'YYYY-MM-DD' if limit is None else entries.shown(float(int(limit)), column)}",
        label_visibility="collapsed",
    )  # fmt: skip
    return entries.value(typed, column)


def _nominal(key: str, criterion: Criterion, column: Column, main: Place, rarer: Place) -> dict:
    known: list[Value] = [True, False] if column.kind is Kind.BOOLEAN else list(column.categories or ())
    fields: dict = {"any_of": None}
    with main:
        if column.kind is Kind.BOOLEAN:
            asked = {str(value).lower() == "true" for value in criterion.any_of or ()}
            chosen = st.segmented_control(
                column.title, known, default=asked.pop() if len(asked) == 1 else None, key=f"{key}-any",
                format_func=category_label, label_visibility="collapsed",
            )  # fmt: skip
            fields["any_of"] = None if chosen is None else (chosen,)
        else:
            fields["any_of"] = _choose(column.title, f"{key}-any", known, criterion.any_of, "any")
        if column.code_system:
            starts = st.text_input(
                f"{column.title} starts with", ", ".join(criterion.starts_with or ()), key=f"{key}-starts",
                placeholder="code starts with, e.g. 250, 4280", label_visibility="collapsed",
            )  # fmt: skip
            fields["starts_with"] = entries.texts(starts)
    with rarer:
        fields["none_of"] = _choose("None of", f"{key}-none", known, criterion.none_of, "no exclusion")
        if column.code_system:
            never = st.text_input(
                "Code does not start with", ", ".join(criterion.not_starts_with or ()), key=f"{key}-nstarts"
            )
            pairs = "; ".join("..".join(pair) for pair in criterion.between_codes or ())
            between = st.text_input("Code ranges", pairs, key=f"{key}-between", placeholder="250..250.93; 401..405")
        recorded = _recorded(key, criterion)
    if column.code_system:
        fields["not_starts_with"] = entries.texts(never)
        fields["between_codes"] = entries.code_ranges(between, column)
    return fields | {"recorded": recorded}


def _choose(
    label: str, key: str, known: list[Value], chosen: tuple[Value, ...] | None, placeholder: str
) -> tuple[Value, ...] | None:
    unknown = [category for category in chosen or () if category not in known]
    picked = st.multiselect(
        label, [*known, *unknown], default=list(chosen or ()), key=key, format_func=category_label,
        placeholder=placeholder, label_visibility="collapsed" if placeholder == "any" else "visible",
    )  # fmt: skip
    return tuple(picked) or None


def _recorded(key: str, criterion: Criterion) -> bool | None:
    choice = st.segmented_control(
        "Value", ["recorded", "missing"], key=f"{key}-recorded",
        default={True: "recorded", False: "missing", None: None}[criterion.recorded],
    )  # fmt: skip
    return None if choice is None else choice == "recorded"


def _rarer_words(criterion: Criterion, column: Column) -> str:
    """What is set under "More", so that it is seen while that is closed."""
    if criterion == fresh(column):
        return "any recorded value"
    words = []
    if criterion.minimum is not None and not criterion.include_minimum:
        words.append(f"above {entries.shown(criterion.minimum, column)}, not equal")
    if criterion.maximum is not None and not criterion.include_maximum:
        words.append(f"below {entries.shown(criterion.maximum, column)}, not equal")
    if criterion.ranges:
        words.append(f"one of {entries.shown_ranges(criterion.ranges, column)}")
    if criterion.any_of and column.kind.is_ordered:
        words.append(f"exactly {entries.shown_list(criterion.any_of, column)}")
    if criterion.none_of:
        words.append(f"not {', '.join(category_label(value) for value in criterion.none_of)}")
    if criterion.not_starts_with:
        words.append(f"code does not start with {', '.join(criterion.not_starts_with)}")
    if criterion.between_codes:
        words.append(f"codes {'; '.join('..'.join(pair) for pair in criterion.between_codes)}")
    if criterion.recorded is not None:
        words.append("value recorded" if criterion.recorded else "value missing")
    return " · ".join(words)

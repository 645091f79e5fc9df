"""One criterion of the form: the widgets that suit its column, and everything rarer under "More"."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from engine.cohort.spec import Criterion, Value
from engine.core.errors import UserError
from engine.schema.table import Column, Kind


def fresh(column: Column) -> Criterion:
    """A criterion to start from: the column has a value."""
    return Criterion(column=column.name, recorded=True)


def category_label(category: Value) -> str:
    """A category as the screen writes it."""
    if isinstance(category, bool):
        return "yes" if category else "no"
    return str(category)


def edit(key: str, criterion: Criterion, column: Column, number: int) -> Criterion | None:
    """Draw the widgets of ``criterion``; returns what they say, or None when they demand nothing."""
    from pages.components.form import remove_criterion

    with st.container(border=True, key=f"{key}-card"):
        title, main, more, drop = st.columns([4, 7, 2, 1.4], vertical_alignment="center")
        title.markdown(f"**{column.title}**", help=column.description or None)
        rarer = more.popover("More", width="stretch", help="Exclusions, several ranges, missing values")
        drop.button("✕", key=f"{key}-drop", help="Remove this criterion", on_click=remove_criterion, args=(number,))
        draw = _ordered if column.kind.is_ordered else _nominal
        fields = draw(key, criterion, column, main, rarer)
        if all(value is None for name, value in fields.items() if not name.startswith("include_")):
            return None
        return Criterion(column=column.name, **fields)


def _ordered(key: str, criterion: Criterion, column: Column, main: Place, rarer: Place) -> dict:
    if column.kind is Kind.DATE:
        return _dates(key, criterion, main, rarer)
    decimals = 0 if column.kind is Kind.INTEGER else column.decimals if column.decimals is not None else 2
    low, high = main.columns(2)
    shared = {"step": 10.0**-decimals, "format": f"%.{decimals}f", "label_visibility": "collapsed"}
    fields: dict = {
        "minimum": low.number_input(
            "From", value=_float(criterion.minimum), key=f"{key}-min", placeholder=f"from {_bound(column.minimum)}",
            **shared,
        ),
        "maximum": high.number_input(
            "To", value=_float(criterion.maximum), key=f"{key}-max", placeholder=f"to {_bound(column.maximum)}",
            **shared,
        ),
    }  # fmt: skip
    with rarer:
        above, below = not criterion.include_minimum, not criterion.include_maximum
        fields["include_minimum"] = not st.toggle("Above “From”, not equal", above, key=f"{key}-xmin")
        fields["include_maximum"] = not st.toggle("Below “To”, not equal", below, key=f"{key}-xmax")
        ranges = st.text_input(
            "One of several ranges", _ranges_text(criterion.ranges), key=f"{key}-ranges", placeholder="..20; 35..",
            help="Ranges separated by semicolons, for example “..20; 35..40”.",
        )  # fmt: skip
        fields["ranges"] = _ranges(ranges, column)
        exactly = st.text_input("Exactly one of", _joined(criterion.any_of), key=f"{key}-any")
        never = st.text_input("None of", _joined(criterion.none_of), key=f"{key}-none")
        fields["any_of"], fields["none_of"] = _numbers(exactly, column), _numbers(never, column)
        fields["recorded"] = _recorded(key, criterion)
    return fields


def _dates(key: str, criterion: Criterion, main: Place, rarer: Place) -> dict:
    low, high = main.columns(2)
    hidden = {"label_visibility": "collapsed"}
    first = low.text_input("From", criterion.minimum or "", key=f"{key}-min", placeholder="from 2020-01-31", **hidden)
    last = high.text_input("To", criterion.maximum or "", key=f"{key}-max", placeholder="to 2020-12-31", **hidden)
    with rarer:
        recorded = _recorded(key, criterion)
    return {"minimum": first or None, "maximum": last or None, "recorded": recorded}


def _nominal(key: str, criterion: Criterion, column: Column, main: Place, rarer: Place) -> dict:
    known: list[Value] = [True, False] if column.kind is Kind.BOOLEAN else list(column.categories or ())
    fields: dict = {}
    with main:
        if column.kind is Kind.BOOLEAN:
            chosen = st.segmented_control(
                column.title, known, default=(criterion.any_of or (None,))[0], key=f"{key}-any",
                format_func=category_label, label_visibility="collapsed",
            )  # fmt: skip
            fields["any_of"] = None if chosen is None else (chosen,)
        else:
            fields["any_of"] = tuple(_choose(column.title, f"{key}-any", known, criterion.any_of, "any")) or None
        if column.code_system:
            starts = st.text_input(
                "Code starts with", ", ".join(criterion.starts_with or ()), key=f"{key}-starts",
                placeholder="code starts with, e.g. 250, 4280", label_visibility="collapsed",
            )  # fmt: skip
            fields["starts_with"] = _texts(starts)
    with rarer:
        fields["none_of"] = tuple(_choose("None of", f"{key}-none", known, criterion.none_of, "no exclusion")) or None
        if column.code_system:
            prefixes = ", ".join(criterion.not_starts_with or ())
            never = st.text_input("Code does not start with", prefixes, key=f"{key}-nstarts")
            fields["not_starts_with"] = _texts(never)
            pairs = "; ".join("..".join(pair) for pair in criterion.between_codes or ())
            between = st.text_input("Code ranges", pairs, key=f"{key}-between", placeholder="250..250.93; 401..405")
            fields["between_codes"] = _code_ranges(between, column)
        fields["recorded"] = _recorded(key, criterion)
    return fields


def _choose(
    label: str, key: str, known: list[Value], chosen: tuple[Value, ...] | None, placeholder: str
) -> list[Value]:
    default = [category for category in chosen or () if category in known]
    return st.multiselect(
        label, known, default=default, key=key, format_func=category_label, placeholder=placeholder,
        label_visibility="collapsed" if placeholder == "any" else "visible",
    )  # fmt: skip


def _recorded(key: str, criterion: Criterion) -> bool | None:
    choice = st.segmented_control(
        "Value", ["recorded", "missing"], key=f"{key}-recorded",
        default={True: "recorded", False: "missing", None: None}[criterion.recorded],
    )  # fmt: skip
    return None if choice is None else choice == "recorded"


def _float(value: float | str | None) -> float | None:
    return None if value is None else float(value)


def _bound(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g}"


def _joined(values: tuple[Value, ...] | None) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values or ())


def _ranges_text(ranges: tuple[tuple[float | None, float | None], ...] | None) -> str:
    return "; ".join("..".join("" if end is None else f"{end:g}" for end in pair) for pair in ranges or ())


def _texts(text: str) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in text.split(",") if part.strip()) or None


def _numbers(text: str, column: Column) -> tuple[float, ...] | None:
    return tuple(_number(part, column) for part in text.split(",") if part.strip()) or None


def _ranges(text: str, column: Column) -> tuple[tuple[float | None, float | None], ...] | None:
    pairs = []
    for part in text.split(";"):
        if not part.strip():
            continue
        low, found, high = part.partition("..")
        if not found:
            raise UserError(f"{part.strip()!r} is not a range of {column.title}", remedy="Write it as 20..35.")
        pairs.append(tuple(_number(end, column) if end.strip() else None for end in (low, high)))
    return tuple(pairs) or None


def _code_ranges(text: str, column: Column) -> tuple[tuple[str, str], ...] | None:
    pairs = []
    for part in text.split(";"):
        if not part.strip():
            continue
        low, found, high = part.partition("..")
        if not (found and low.strip() and high.strip()):
            raise UserError(f"{part.strip()!r} is not a range of {column.title}", remedy="Write it as 250..250.93.")
        pairs.append((low.strip(), high.strip()))
    return tuple(pairs) or None


def _number(text: str, column: Column) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{text.strip()!r} is not a number, as {column.title} needs") from error

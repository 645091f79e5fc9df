"""A generator's own options as form fields."""

from typing import Any

import streamlit as st

from engine.generators.options import GeneratorInfo, Option

PRIVACY = frozenset({"private", "epsilon", "delta"})
"""Options that the privacy levels set."""


def fields(info: GeneratorInfo) -> dict[str, Any]:
    """One field for each option but those of privacy; returns the values."""
    return {option.name: _field(info.name, option) for option in info.options if option.name not in PRIVACY}


def offers_privacy(info: GeneratorInfo) -> bool:
    """Whether the generator wants to be told whether to be private."""
    return any(option.name == "private" for option in info.options)


def _field(generator: str, option: Option) -> Any:
    key = f"{generator}-{option.name}"
    if option.kind == "boolean":
        return st.toggle(option.label, bool(option.default), help=option.help, key=key)
    # Streamlit wants value and bounds of one type.
    kind = int if option.kind == "integer" else float
    low, high, value = (
        None if number is None else kind(number) for number in (option.minimum, option.maximum, option.default)
    )
    return st.number_input(option.label, min_value=low, max_value=high, value=value, help=option.help, key=key)

"""The privacy of a training: levels with what they mean, what is spent, and what would not fit."""

import math
from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.core.errors import UserError
from engine.generators.options import GeneratorInfo
from engine.privacy.accounts import Account
from engine.services.training import Outlook
from engine.storage.records import DatasetRecord
from pages.components.state import studio
from pages.components.text import plain

_ENOUGH = 3_000
"""Patients times epsilon below which a private model says little: at 1,000 patients and ε 3 strong patterns survive."""


@dataclass(frozen=True)
class Level:
    """A choice of epsilon in words; None for no formal privacy."""

    name: str
    epsilon: float | None
    meaning: str

    @property
    def label(self) -> str:
        """As on the screen."""
        return self.name if self.epsilon is None else f"{self.name} · ε {self.epsilon:g}"


def certainty(epsilon: float) -> str:
    """How sure an even bet on a patient's presence can become at most (Wasserman and Zhou 2010), in percent."""
    share = 100 / (1 + math.exp(-epsilon))
    return f"{share:.0f} %" if share < 99 else f"{share:.3f} %" if share < 99.9995 else "practically 100 %"


_BET = "An even bet on whether a patient is in these data can become at most {} sure. "
LEVELS = (
    Level("Strong", 1.0, _BET.format(certainty(1)) + "Common patterns survive; rare groups and combinations blur."),
    Level("Balanced", 3.0, _BET.format(certainty(3)) + "Most patterns survive; rare combinations blur."),
    Level(
        "Detailed", 10.0,
        _BET.format(certainty(10)) + "That is a weak promise; every count still carries noise. Closest to the data.",
    ),
    Level(
        "No formal privacy", None,
        "Nothing bounds what the model remembers of one patient. It uses no budget; model and cohorts are as "
        "confidential as the source.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The options ``private``, ``epsilon`` and ``delta`` of a training, and whether it may begin."""

    options: dict[str, Any]
    allowed: bool


def proposed(record: DatasetRecord) -> Level:
    """The level that suits the number of patients."""
    return LEVELS[1] if (record.patients or 0) * (LEVELS[1].epsilon or 0) >= _ENOUGH else LEVELS[-1]


def level(record: DatasetRecord) -> Level:
    """The level that is chosen; proposed is the one that suits the number of patients."""
    labels, suits = [one.label for one in LEVELS], LEVELS.index(proposed(record))
    picked = st.radio(
        "Privacy", labels, index=suits, key="privacy-level", captions=[one.meaning for one in LEVELS],
        help="ε bounds what anybody can learn about one patient from the model and all cohorts drawn from it.",
    )  # fmt: skip
    return LEVELS[labels.index(picked or labels[suits])]


def experts(chosen: Level, record: DatasetRecord, account: Account, info: GeneratorInfo) -> tuple[float, float] | None:
    """Fields for epsilon, delta and the source's limit; returns epsilon and delta, None without formal privacy."""
    asked = None
    if chosen.epsilon is not None:
        epsilon = st.number_input(
            "ε of this training", **_bounds(info, "epsilon"), value=chosen.epsilon, step=0.5,
            key=f"epsilon-{chosen.name}-{record.id}", help="Smaller protects more and blurs more.",
        )  # fmt: skip
        asked = float(epsilon), delta_field(record, info, key=f"delta-{record.id}")
    limit = st.number_input(
        "Limit of this source (ε)", min_value=0.1, max_value=10_000.0, value=account.limit, step=1.0,
        key=f"limit-{account.source}-{account.limit}",
        help="Most that all private trainings on these patients may spend together. Totals above 10 protect weakly.",
    )  # fmt: skip
    if limit != account.limit and st.button("Set this limit", key="set-limit", icon=":material/gavel:"):
        studio().training.set_limit(account, float(limit))
        st.rerun()
    return asked


def delta_field(record: DatasetRecord, info: GeneratorInfo, *, key: str) -> float:
    """The field for delta; proposed is a power of ten below one over the number of patients."""
    bounds = _bounds(info, "delta")
    suits = min(studio().training.proposed_delta(record), bounds["max_value"] or 1.0)
    delta = st.number_input(
        "δ of this training", **bounds, value=suits, step=suits, format="%.1e", key=key,
        help="Probability with which the bound of ε may fail. Keep it below one over the number of patients.",
    )  # fmt: skip
    return float(delta)


def warn_of_few(record: DatasetRecord, epsilon: float) -> None:
    """Say so where the patients are too few for a private model at ``epsilon`` to say much."""
    if (record.patients or 0) * epsilon < _ENOUGH:
        st.warning(
            f"{record.patients or 0:,} patients are few for ε {epsilon:g}: noise will drown most of what they have in "
            "common. More patients or a larger ε help; without formal privacy the model learns all, for you alone.",
            icon=":material/blur_on:",
        )


def state(account: Account, asked: tuple[float, float] | None, record: DatasetRecord) -> Choice:
    """What is spent, what this training would bring it to, and why it may not begin; returns the options."""
    st.markdown(f":material/shield: {spent_of(account)} (at δ {account.delta:.2g}). {_left(account)}")
    others = [name for name in account.members if name != record.name]
    if others:
        shown = ", ".join(plain(name) for name in others[:3]) + (" and others" if len(others) > 3 else "")
        st.caption(f"One budget with {shown}: some patients are the same.")
    if asked is None:
        st.caption("This training spends nothing of it, and its results are protected by nothing.")
        return Choice({"private": False, "epsilon": None, "delta": None}, True)
    epsilon, delta = asked
    options = {"private": True, "epsilon": epsilon, "delta": delta}
    warn_of_few(record, epsilon)
    try:
        outlook = studio().training.outlook(account, epsilon=epsilon, delta=delta)
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return Choice(options, False)
    if not outlook.fits:
        st.warning(_refusal(epsilon, outlook), icon=":material/block:")
        return Choice(options, False)
    st.markdown(
        f"This training (ε {epsilon:g}, δ {delta:g}) brings it to **ε {outlook.after:.2f}** of {outlook.limit:g}. "
        "Drawing cohorts from the model costs nothing more."
    )
    return Choice(options, True)


def spent_of(account: Account) -> str:
    """The account in a few words."""
    return f"ε {account.spent:.2f} of {account.limit:g} spent"


def is_private(report: dict[str, Any] | None) -> bool:
    """Whether a trained model has a guarantee."""
    return bool(report) and report.get("epsilon") is not None


def statement(report: dict[str, Any] | None) -> str:
    """The guarantee of a trained model, wherever it is shown."""
    if report is None or not is_private(report):
        return "no formal privacy"
    return f"ε {report['epsilon']:.2f}, δ {report['delta']:g}"


def _bounds(info: GeneratorInfo, name: str) -> dict[str, float | None]:
    option = next(option for option in info.options if option.name == name)
    low, high = (None if bound is None else float(bound) for bound in (option.minimum, option.maximum))
    return {"min_value": low, "max_value": high}


def _left(account: Account) -> str:
    return (
        "Nothing more fits."
        if account.remaining <= 0
        else f"At most ε {account.remaining:g} more fits"
        + (": trainings together cost less than their sum." if account.spent > 0 else ".")
    )


def _refusal(epsilon: float, outlook: Outlook) -> str:
    left = f"at most ε {outlook.largest:g} more fits" if outlook.largest > 0 else "nothing more fits"
    ask = "Choose a stronger level, use" if outlook.largest > 0 else "Use"
    return (
        f"ε {epsilon:g} does not fit the budget of these patients: {left}. {ask} a model that is trained already "
        "(cohorts cost nothing), or raise the limit in the expert settings if you may decide that."
    )

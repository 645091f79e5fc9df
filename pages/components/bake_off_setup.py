"""What a bake-off compares: generators with their levels of privacy, the outcome, and how much each may do."""

from typing import Any

import streamlit as st

from engine.core.errors import UserError
from engine.generators.options import GeneratorInfo
from engine.jobs.contenders import LEAST_ROWS, MOST_ROWS
from engine.services.bake_off import LIMIT_SECONDS
from engine.storage.records import DatasetRecord
from pages.components import budget
from pages.components.options import offers_privacy
from pages.components.state import choose, studio
from pages.components.text import plain

_LEFT_OUT_AT_FIRST = frozenset({"dp_cgans"})
"""Takes minutes for what the others do in one, and refuses tables of many categories."""

Asked = tuple[str, dict[str, Any]]


def setup(record: DatasetRecord, *, running: bool) -> None:
    """The form, what it would cost, and Start; ``running``: whether a bake-off of the data set is under way."""
    offered = _offered()
    picked = st.multiselect(
        "Generators", list(offered), default=_proposed(record, offered), key=f"bake-off-generators-{record.id}",
        help="A generator that can be private may be there several times, once for each level of privacy.",
    )  # fmt: skip
    outcomes = studio().bake_offs.outcomes(record.id)
    outcome = st.selectbox(
        "Outcome", list(outcomes), key=f"bake-off-outcome-{record.id}",
        format_func=lambda key: outcomes.get(key, "…"), placeholder="The table offers none",
        help="What a model learns to predict from synthetic rows, and is then tested on with real patients.",
    )  # fmt: skip
    with st.expander("Expert settings"):
        rows = st.number_input(
            "Synthetic rows of each", LEAST_ROWS, MOST_ROWS, studio().bake_offs.rows(record.id),
            key=f"bake-off-rows-{record.id}", help="As many as are learned, so that figures do not differ by size.",
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 2**32 - 1, 7, key="bake-off-seed", help="Of every training and draw.")
        limit = st.number_input(
            "Most seconds for one training", 10.0, 86_400.0, LIMIT_SECONDS, 60.0, format="%.0f", key="bake-off-limit",
            help="A generator that takes longer is stopped and says so in its line; the others go on.",
        )  # fmt: skip
        delta = budget.delta_field(record, _private_one(), key=f"bake-off-delta-{record.id}")
    asked = [_asked(offered[label], delta) for label in picked]
    allowed = _cost(record, asked)
    obstacle = "One bake-off of this data set is under way." if running else "" if asked else "Choose a generator."
    disabled = bool(obstacle) or not allowed
    if st.button("Start", type="primary", icon=":material/play_arrow:", key="bake-off-start", disabled=disabled):
        try:
            started = studio().bake_offs.start(
                record.id, asked, outcome=outcome, rows=int(rows), seed=int(seed), limit_seconds=float(limit)
            )
        except UserError as error:
            st.error(str(error), icon=":material/error:")
            return
        choose("bake_off", started)
        st.rerun()
    if obstacle:
        st.caption(f":material/info: {obstacle}")


def _private_one() -> GeneratorInfo:
    return next(info for info in studio().training.generators() if offers_privacy(info))


def _offered() -> dict[str, tuple[str, budget.Level | None]]:
    """(generator, level) by what the form calls them; no level where a generator has no choice of it."""
    found: dict[str, tuple[str, budget.Level | None]] = {}
    for info in studio().training.generators():
        if offers_privacy(info):
            found |= {f"{info.label} · {level.label}": (info.name, level) for level in budget.LEVELS}
        else:
            found[info.label] = (info.name, None)
    return found


def _proposed(record: DatasetRecord, offered: dict[str, tuple[str, budget.Level | None]]) -> list[str]:
    """Our default without privacy and at the level that suits the number of patients, and the baselines."""
    levels = {None, budget.LEVELS[-1], budget.proposed(record)}
    return [label for label, (name, level) in offered.items() if level in levels and name not in _LEFT_OUT_AT_FIRST]


def _asked(chosen: tuple[str, budget.Level | None], delta: float) -> Asked:
    name, level = chosen
    if level is None:
        return name, {}
    if level.epsilon is None:
        return name, {"private": False}
    return name, {"private": True, "epsilon": level.epsilon, "delta": delta}


def _cost(record: DatasetRecord, asked: list[Asked]) -> bool:
    """Say what the private trainings spend together, and what the others do not promise; whether they may begin."""
    private = [(options["epsilon"], options["delta"]) for _, options in asked if options.get("private")]
    if len(private) < len(asked):
        st.caption(f":material/lock_open: Generators without a level of ε: {budget.LEVELS[-1].meaning}")
    if not private:
        return True
    account = studio().training.account(record.id)
    st.markdown(f":material/shield: {budget.spent_of(account)} (at δ {account.delta:.2g}).")
    for epsilon in sorted({one for one, _ in private}):
        budget.warn_of_few(record, epsilon)
    try:
        after = studio().bake_offs.after(account, private)
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return False
    many = f"The {len(private)} private trainings bring" if len(private) > 1 else "The private training brings"
    if after > account.limit:
        st.warning(
            f"{many} it to ε {after:.2f}, more than the limit of {account.limit:g}. Leave one out, or raise the limit "
            f"on the page Train if you may decide that for {plain(record.name)}.",
            icon=":material/block:",
        )
        return False
    st.markdown(f"{many} it to **ε {after:.2f}** of {account.limit:g}: trying generators on patients costs, too.")
    return True

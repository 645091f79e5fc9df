"""The reservoir of third-party generators: exact conditions, no row twice, refusals with a remedy; and the exchange."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.cohort.conditions import Condition, Interval
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.core.errors import UserError
from engine.core.progress import Progress, Silent
from engine.generators.exchange import Exchange
from engine.generators.reservoir import Drawn, ReservoirGenerator, draw_in_parts
from engine.sampling.conditional import draw
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="age", kind=Kind.INTEGER, minimum=0, maximum=99),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
    )
)


def real() -> pd.DataFrame:
    return conform(pd.DataFrame({"age": np.arange(100), "sex": ["F", "M", "M", "M"] * 25}), SCHEMA)


class Copying(ReservoirGenerator):
    """Stands in for a package: draws its rows in order, again and again; ages reach 30 beyond both bounds."""

    name = "ctgan"
    package = "none"
    fails_with: Exception | None = None

    def _train_and_draw(
        self, exchange: Exchange, *, rows: int, seed: int, options: Mapping[str, Any], progress: Progress
    ) -> Drawn:
        if self.fails_with is not None:
            raise self.fails_with
        frame = exchange.frame.iloc[np.arange(rows) % len(exchange.frame)].reset_index(drop=True)
        if "c0" in frame:
            frame["c0"] = frame["c0"].where(frame["c0"] != 50, 130).where(frame["c0"] != 51, -30)
        return Drawn(frame)


@pytest.fixture
def fitted() -> Copying:
    made = Copying()
    made.report = made.fit(real(), SCHEMA, seed=1, options={"reservoir_rows": 100}, progress=Silent())
    return made


def test_no_row_is_given_twice(fitted: Copying) -> None:
    rows = fitted.sample(100, seed=3)
    assert sorted(rows["age"]) == sorted([*(age for age in range(100) if age not in (50, 51)), 0, 99])


def test_values_outside_the_declared_range_are_moved_and_counted(fitted: Copying) -> None:
    assert fitted.report.notes[-1] == ("Drawn values outside the column's range were moved to its edge: age (2.0%).")


def test_more_rows_than_the_reservoir_holds_name_the_remedy(fitted: Copying) -> None:
    with pytest.raises(UserError, match=r"holds 100 synthetic rows, 101 were asked for.*reservoir_rows"):
        fitted.sample(101, seed=1)


def test_too_little_support_names_the_rarest_criterion_and_how_many_there_are(fitted: Copying) -> None:
    conditions = {
        "sex": Condition("sex", categories=frozenset({"F"}), allow_missing=False),
        "age": Condition("age", intervals=(Interval(10, 19),), allow_missing=False),
    }
    assert fitted.available(conditions) == 2  # women are every fourth: 12 and 16
    assert sorted(fitted.sample(2, seed=1, conditions=conditions)["age"]) == [12, 16]
    with pytest.raises(UserError) as refused:
        fitted.sample(3, seed=1, conditions=conditions)
    assert str(refused.value) == (
        "only 2 rows of this ctgan model satisfy every criterion, 3 were asked for "
        "(the criterion on 'age' leaves 10 of 100, the fewest of all). Ask for at most 2, relax that criterion, "
        "train again with more rows kept (reservoir_rows), or use the dp_cgan generator, which draws to order."
    )


def test_a_cohort_with_criteria_and_shares_is_drawn_from_a_small_reservoir(fitted: Copying) -> None:
    spec = CohortSpec(
        patients=20,
        criteria=(Criterion(column="age", minimum=20),),
        shares=(Share(column="sex", category="F", share=0.5),),
    )
    drawn = draw(fitted, spec, table=None, progress=Silent())
    assert (drawn.frame["sex"] == "F").sum() == 10
    assert drawn.frame["age"].is_unique


def test_a_package_that_fails_is_named_without_its_message() -> None:
    made = Copying()
    made.fails_with = ValueError("could not convert 'Mrs Smith' to float")
    with pytest.raises(UserError) as refused:
        made.fit(real(), SCHEMA, seed=1, options={"reservoir_rows": 100}, progress=Silent())
    assert "ValueError" in str(refused.value)
    assert "Smith" not in str(refused.value)


def test_a_table_of_constants_needs_no_package() -> None:
    made = Copying()
    made.fails_with = ValueError("not to be called")
    table = conform(pd.DataFrame({"age": [40] * 30, "sex": ["F"] * 30}), SCHEMA)
    made.fit(table, SCHEMA, seed=1, options={"reservoir_rows": 50}, progress=Silent())
    rows = made.sample(50, seed=1)
    assert (rows["age"] == 40).all()
    assert (rows["sex"] == "F").all()


def test_parts_add_up_and_report_each() -> None:
    seen: list[float] = []

    class Keeping:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            seen.append(fraction)

    rows = draw_in_parts(lambda part: pd.DataFrame({"x": range(part)}), rows=25, progress=Keeping(), part=10)
    assert len(rows) == 25
    assert seen == [0.4, 0.8, 1.0]


WIDE = TableSchema(
    columns=(
        Column(name="number", kind=Kind.NUMERIC),
        Column(name="count", kind=Kind.INTEGER),
        Column(name="text", kind=Kind.CATEGORICAL),
        Column(name="truth", kind=Kind.BOOLEAN),
        Column(name="day", kind=Kind.DATE),
    )
)
rows_of_anything = st.lists(
    st.tuples(
        st.none() | st.floats(-1e9, 1e9),
        st.none() | st.integers(-(2**40), 2**40),
        st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        st.none() | st.booleans(),
        st.none() | st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2200-01-01").date()),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(rows_of_anything)
@example([(None, None, "", None, None), (None, None, "\0", None, None)])
def test_the_exchange_returns_what_it_was_given(values: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(values, columns=WIDE.names, dtype=object)
    frame["day"] = pd.to_datetime(frame["day"]).astype("datetime64[s]")
    table = conform(frame, WIDE)
    exchange = Exchange.encode(table, WIDE)
    assert not exchange.frame[exchange.categorical].isna().any().any()
    back = exchange.decode(exchange.frame, rows=len(table), random=np.random.default_rng(0))
    for name in WIDE.names:
        # Constant columns with gaps get theirs at random; everything else returns exactly.
        if len(set(table[name].dropna())) > 1 or not table[name].isna().any():
            assert back[name].isna().tolist() == table[name].isna().tolist()
            assert back[name].dropna().tolist() == table[name].dropna().tolist()
        else:
            assert set(back[name].dropna()) <= set(table[name].dropna())

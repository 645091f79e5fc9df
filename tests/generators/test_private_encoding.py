"""The private encoding finds what many patients share, shows nothing that few have, and reads rows by counts only."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from engine.generators.dp_cgan.budget import PairBudget
from engine.generators.dp_cgan.pairs import measure_pairs
from engine.generators.encoding import ColumnCode
from engine.generators.private_encoding import SUPPRESSED, PrivateEncoding, public_part
from engine.privacy.measurement import Measurer
from engine.privacy.noise import NoiseStream
from engine.schema.inference import infer_schema
from engine.schema.table import Kind, TableSchema, conform
from tests.helpers import privacy_sabotage as sabotage
from tests.helpers.private_tables import Watching, encode, schema_of, simulated

PLENTY = 1e6
"""μ² with which counts are all but exact."""
ROWS = 4_000


def code(private: PrivateEncoding, name: str) -> ColumnCode:
    return next(code for code in private.encoding.columns if code.column.name == name)


def text(private: PrivateEncoding) -> str:
    return json.dumps([code.as_json() for code in private.encoding.columns])


def drawn(private: PrivateEncoding, name: str, rows: int = 2_000) -> pd.Series:
    """Values decoded from levels drawn by the encoding's own counts."""
    found, random = code(private, name), np.random.default_rng(0)
    levels = random.choice(found.n_levels, rows, p=found.counts / found.counts.sum())
    return pd.Series(found.decode(levels, cells=found.cells(), random=random))


# What many patients share is found.


def test_planted_structure_is_recovered_with_a_large_budget() -> None:
    table, schema = simulated(ROWS)
    private = encode(table, schema, square=PLENTY)
    assert private.patients == ROWS
    for name in ("years", "value", "fine", "day", "moment"):
        found = code(private, name)
        assert found.bins is not None
        widest = found.bins.cell_length.max()
        values = table[name]
        if schema[name].kind is Kind.DATE:
            values = values.astype("int64") / 86_400
        low, high = found.column.minimum, found.column.maximum
        assert low is not None and high is not None
        # The bounds are those of the values, up to one cell.
        assert 0 <= (values.min() - low) * found.scale < widest
        assert -1 <= (high - values.max()) * found.scale < widest + found.scale * (name == "moment")
        assert found.column.bounds_are_public
        exact = np.bincount(found.encode(table[name]), minlength=found.n_levels)
        assert found.counts == pytest.approx(exact, abs=2)
        assert (private.levels[:, schema.names.index(name)] == found.encode(table[name])).all()
    assert code(private, "value").counts[-1] == table["value"].isna().sum()
    assert (code(private, "years").scale, code(private, "value").scale, code(private, "fine").scale) == (1, 10, 1_000)
    assert (code(private, "day").scale, code(private, "moment").scale) == (1, 86_400)
    assert code(private, "value").column.decimals == 1
    assert code(private, "group").categories == ("east", "north", "south")
    assert code(private, "group").counts[:3] == pytest.approx(table["group"].value_counts().sort_index(), abs=1)
    assert code(private, "flag").counts == pytest.approx([(~table["flag"]).sum(), table["flag"].sum(), 0], abs=1)


def test_values_come_back_in_the_form_they_were_recorded_in() -> None:
    table, schema = simulated(ROWS)
    private = encode(table, schema, epsilon=10.0)
    assert drawn(private, "years").dtype == "Int64"
    value = drawn(private, "value").dropna()
    assert (value.round(1) == value).all()
    day = drawn(private, "day").dropna()
    assert (day == day.dt.normalize()).all()
    assert abs(value.median() - table["value"].median()) < 0.5
    assert abs(drawn(private, "years").median() - table["years"].median()) < 4


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_counts_are_near_the_truth_at_usual_budgets(epsilon: float) -> None:
    table, schema = simulated(ROWS)
    private = encode(table, schema, epsilon=epsilon)
    for position, found in enumerate(private.encoding.columns):
        exact = np.bincount(private.levels[:, position].clip(0), minlength=found.n_levels)
        cells = 1 if found.bins is None else len(found.bins.cell_mass)
        error = np.abs(found.counts - exact).max()
        assert error < 6 * private.margin_noise[position] * math.sqrt(cells)
    assert abs(private.patients - ROWS) < 6 * 70 / epsilon


def test_public_bounds_and_categories_are_kept() -> None:
    table, _ = simulated(ROWS)
    schema = schema_of(
        years={"kind": Kind.INTEGER, "minimum": 0, "maximum": 120, "bounds_are_public": True},
        value={"kind": Kind.NUMERIC, "minimum": 10.0, "maximum": 15.0, "bounds_are_public": True},
        group={
            "kind": Kind.CATEGORICAL, "categories": ("north", "south", "nowhere"), "categories_are_public": True
        },
    )  # fmt: skip
    private = encode(conform(table, schema), schema, square=PLENTY)
    years, value, group = private.encoding.columns
    assert 0 <= years.column.minimum <= 18 and 90 <= years.column.maximum <= 120
    # Values outside declared bounds count as at the bound.
    assert (value.column.minimum, value.column.maximum) == (10.0, 15.0)
    assert drawn(private, "value").dropna().between(10.0, 15.0).all()
    # Kept whole, in its order; what it does not list is nowhere counted.
    assert group.categories == ("north", "south", "nowhere")
    east = (table["group"] == "east").to_numpy()
    assert (private.levels[east, 2] == SUPPRESSED).all()
    assert (private.levels[~east, 2] >= 0).all()


def test_patients_of_categories_that_are_not_listed_are_not_given_to_those_that_are() -> None:
    table, _ = simulated(ROWS)
    listed = {"kind": Kind.CATEGORICAL, "categories": ("north", "south", "nowhere"), "categories_are_public": True}
    schema = schema_of(group=listed)
    private = encode(conform(table, schema), schema, square=PLENTY)
    assert code(private, "group").counts[2] == pytest.approx(0, abs=1)


# What few patients have is shown nowhere.

PLANTED = ("987654321", "-987654320", "RARE", "123457", "1812", "STRANGER")


def with_planted(patients: int, rows: int = 1_500) -> tuple[pd.DataFrame, TableSchema]:
    """A table in which ``patients`` patients have a category, extremes and decimals that nobody else has."""
    table, schema = simulated(rows)
    frame = table.astype({"group": object}).assign(
        public=np.random.default_rng(1).choice(["yes", "no"], rows).astype(object)
    )
    few = list(range(7, 7 + patients))
    frame.loc[few, "value"] = 987654321.125
    frame.loc[few, "fine"] = 1.123457
    frame.loc[few, "group"] = "RARE"
    frame.loc[few, "day"] = pd.Timestamp("1812-03-04")
    frame.loc[few, "public"] = "STRANGER"
    others = list(range(100, 100 + patients))
    frame.loc[others, "years"] = -987654320
    listed = schema_of(public={"kind": Kind.CATEGORICAL, "categories": ("no", "yes"), "categories_are_public": True})
    schema = TableSchema(columns=schema.columns + listed.columns)
    return conform(frame, schema), schema


@pytest.mark.parametrize("patients", [1, 3])
@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_what_few_patients_have_appears_nowhere(patients: int, epsilon: float) -> None:
    table, schema = with_planted(patients)
    wide = 0
    for number in range(12):
        private = encode(table, schema, epsilon=epsilon, key=bytes([number, patients]))
        shown = text(private)
        values = " ".join(drawn(private, name, 300).astype(str).str.cat(sep=" ") for name in schema.names)
        for planted in PLANTED:
            # Among the digits of a noisy count anything may turn up.
            whole = rf"(?<![\d.]){re.escape(planted)}(?!\d)"
            assert not re.search(whole, shown), (planted, number)
            assert not re.search(whole, values), (planted, number)
        assert (private.levels[7 : 7 + patients, -1] == SUPPRESSED).all()
        assert (private.levels[7 : 7 + patients, schema.names.index("group")] == SUPPRESSED).all()
        wide += code(private, "value").column.maximum > 1e6
        wide += code(private, "years").column.minimum < -1e6
    # A bucket of few patients is taken for part of the range about as often as an empty one.
    assert wide <= 3


def test_the_search_finds_what_is_released() -> None:
    table, schema = with_planted(400)
    private = encode(table, schema, epsilon=10.0)
    shown = text(private)
    assert "RARE" in shown and code(private, "value").column.maximum >= 987654321
    assert code(private, "years").column.minimum <= -987654320
    assert "STRANGER" not in shown


def test_skipping_the_threshold_would_be_seen() -> None:
    table, schema = with_planted(1)
    measurer = sabotage.IgnoresThresholds(len(table), NoiseStream(b"key"), lambda events: None)
    assert "RARE" in text(encode(table, schema, epsilon=1.0, measurer=measurer))


# Odd columns.


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
def test_empty_and_constant_columns_and_small_tables(epsilon: float) -> None:
    for rows in (1, 60, 400):
        frame = pd.DataFrame(
            {
                "none": [np.nan] * rows, "never": pd.Series([pd.NaT] * rows), "nothing": [None] * rows,
                "unsaid": [None] * rows, "one": [5.5] * rows, "same": ["a"] * rows, "day": ["2020-02-29"] * rows,
                "whole": [-3] * rows,
            }
        )  # fmt: skip
        schema = schema_of(
            none=Kind.NUMERIC, never=Kind.DATE, nothing=Kind.CATEGORICAL, unsaid=Kind.BOOLEAN, one=Kind.NUMERIC,
            same=Kind.CATEGORICAL, day=Kind.DATE, whole=Kind.INTEGER,
        )  # fmt: skip
        table = conform(frame, schema)
        for number in range(4):
            private = encode(table, schema, epsilon=epsilon, key=bytes([number]))
            assert private.patients >= 1
            assert private.levels.shape == (rows, 8)
            for position, found in enumerate(private.encoding.columns):
                assert np.isfinite(found.counts).all() and (found.counts >= 0).all() and found.counts.sum() > 0
                levels = private.levels[:, position]
                assert levels.min() >= SUPPRESSED and levels.max() < found.n_levels
                drawn(private, found.column.name, 20)
                if found.bins is not None:
                    assert found.column.minimum <= found.column.maximum
                    assert (found.bins.first <= found.bins.last).all()
            json.loads(text(private))


def test_a_column_without_a_value_is_missing_throughout() -> None:
    schema = schema_of(nothing=Kind.CATEGORICAL, one=Kind.NUMERIC)
    table = conform(pd.DataFrame({"nothing": [None] * 900, "one": [5.5] * 900}), schema)
    private = encode(table, schema, epsilon=3.0)
    nothing = code(private, "nothing")
    assert nothing.categories == () and nothing.counts.tolist() == [pytest.approx(900, abs=200)]
    assert drawn(private, "nothing").isna().all()
    assert abs(drawn(private, "one").median() - 5.5) < 1


def test_five_hundred_categories() -> None:
    random = np.random.default_rng(3)
    names = [f"code {number:03d}" for number in range(500)]
    shares = 1 / np.arange(1, 501)
    schema = schema_of(code=Kind.CATEGORICAL)
    frame = pd.DataFrame({"code": random.choice(names, 6_000, p=shares / shares.sum())})
    table = conform(frame, schema)
    private = encode(table, schema, epsilon=3.0)
    found = code(private, "code")
    counts = table["code"].astype(str).value_counts()
    noise = private.margin_noise[0]
    assert 20 < len(found.categories) < 300
    # Ordered by name, not by how frequent they are or where they stand.
    assert list(found.categories) == sorted(found.categories)
    assert set(counts.index[counts > 14 * noise]) <= set(found.categories)
    assert counts[list(found.categories)].min() > 1
    again = encode(table.sample(frac=1, random_state=1).reset_index(drop=True), schema, epsilon=3.0)
    assert text(again) == text(private)
    position = private.levels[:, 0]
    assert (position == SUPPRESSED).sum() == (~table["code"].isin(found.categories)).sum()


# Rows are read through counts only.


def test_the_public_part_forgets_bounds_and_categories_of_rows() -> None:
    table, _ = simulated(300)
    column = infer_schema(table)["value"]
    assert column.minimum is not None
    assert public_part(column).minimum is None and public_part(column).maximum is None
    group = infer_schema(table)["group"]
    assert group.categories
    assert public_part(group).categories is None


def private_fields(schema: TableSchema) -> TableSchema:
    """The same schema, with other bounds, categories and decimals wherever they are not public."""
    changed = []
    for column in schema.columns:
        about: dict = {}
        if column.kind.is_ordered and not column.bounds_are_public:
            about |= {"minimum": -5.0, "maximum": 7e7}
        if column.kind is Kind.NUMERIC:
            about["decimals"] = 5
        if column.kind is Kind.CATEGORICAL and not column.categories_are_public:
            about["categories"] = ("x", "y")
        changed.append(column.model_copy(update=about))
    return TableSchema(columns=tuple(changed))


def test_what_inference_read_from_rows_is_not_used() -> None:
    table, _ = simulated(1_000)
    schema = infer_schema(table)
    assert text(encode(table, schema)) == text(encode(table, private_fields(schema)))


def test_decimals_of_rows_decide_nothing_in_columns_of_the_catalogue() -> None:
    frame = pd.DataFrame({"hemoglobin": np.round(np.random.default_rng(0).normal(13, 2, 60), 1)})
    more = frame.copy()
    more.loc[60] = 13.25  # one more patient
    asked = []
    for table in (frame, more):
        schema = infer_schema(table)
        measurer = Watching(len(table), NoiseStream(b"key"), lambda events: None)
        encode(conform(table, schema), schema, measurer=measurer)
        asked.append([(part.purpose, part.noise_multiplier) for part in measurer.asked.values()])
    assert asked[0] == asked[1]


def watched(table: pd.DataFrame, schema: TableSchema, **more) -> Watching:
    """Everything that is measured of ``table``: encoding, a first look at pairs, and pairs."""
    measurer = Watching(len(table), NoiseStream(b"replay"), lambda events: None, **more)
    private = encode(table, schema, epsilon=3.0, measurer=measurer)
    measure_pairs(private, measurer=measurer, budget=PairBudget(6, 0.4, 0.1))
    return measurer


@pytest.mark.parametrize("removed", [0, 3, 7, 101, 250, 399])
def test_neighbours_differ_by_one_count_in_each_histogram_and_by_nothing_else(removed: int) -> None:
    """With the releases of the one table, the other asks the same and counts differ by one patient."""
    table, schema = with_planted(1, rows=400)
    first = watched(table, schema)
    less = table.drop(index=removed).reset_index(drop=True)
    seen = sorted(set(table["group"].astype(str)))
    left = [index for index, name in enumerate(seen) if name in set(less["group"].astype(str))]

    def released(purpose: tuple[str, ...]) -> np.ndarray:
        # A category that no one has any more was not released before either.
        if purpose == ("margin", "group"):
            assert set(np.delete(first.released[purpose][:-1], left)) <= {-1}
            return first.released[purpose][[*left, len(seen)]]
        return first.released[purpose]

    second = watched(less, schema, script=released)
    assert list(first.asked) == list(second.asked)
    for purpose, one in first.asked.items():
        other = second.asked[purpose]
        assert (one.noise_multiplier, one.threshold_delta, one.always) == (
            other.noise_multiplier, other.threshold_delta, other.always,
        )  # fmt: skip
        counts = first.counts[purpose]
        if purpose == ("margin", "group"):
            counts = counts[[*left, len(seen)]]
        assert one.size - (len(seen) - len(left)) * (purpose == ("margin", "group")) == other.size
        assert np.abs(counts - second.counts[purpose]).sum() <= 1
    assert first.events == second.events
    assert len(first.asked) > 40


def test_the_replay_would_see_rows_that_are_read_besides_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two patients' worth of a change, as a stand-in for anything that reads more than one count.
    table, schema = with_planted(1, rows=400)
    first = watched(table, schema)
    less = table.drop(index=[3, 4]).reset_index(drop=True)
    second = watched(less, schema, script=lambda purpose: first.released[purpose])
    assert any(np.abs(first.counts[name] - second.counts[name]).sum() > 1 for name in first.counts)


class Huge(NoiseStream):
    """Noise that drowns every count, the same for every table."""

    def rounded_gaussian(self, count: int, *purpose: str, sigma: float) -> np.ndarray:
        return np.random.default_rng(len(purpose[-1])).integers(10**11, 10**12, count)


def test_where_noise_drowns_the_counts_any_table_gives_the_same_encoding() -> None:
    schema = schema_of(a=Kind.NUMERIC, b=Kind.INTEGER, d=Kind.DATE, f=Kind.BOOLEAN)
    random = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"a": [0.125, 3.0] * 30, "b": [1, 2] * 30, "d": ["2020-01-01"] * 60, "f": [True, None] * 30}),
        pd.DataFrame(
            {
                "a": random.normal(1e6, 3, 60), "b": random.integers(-5_000, 5_000, 60),
                "d": ["1999-12-31 10:11:12"] * 60, "f": [False] * 60,
            }
        ),
    ]  # fmt: skip
    shown = []
    for frame in frames:
        table = conform(frame, schema)
        measurer = Measurer(len(table), Huge(b""), lambda events: None)
        private = encode(table, schema, measurer=measurer)
        shown.append(
            [(part.column, part.scale, part.categories, len(part.counts)) for part in private.encoding.columns]
        )
        assert private.patients > 1e11
    assert shown[0] == shown[1]


def test_bools_and_dates_of_one_patient_less_lie_on_the_same_grid_without_noise() -> None:
    table, schema = simulated(2_000)
    one = encode(table, schema, square=PLENTY)
    other = encode(table.iloc[1:].reset_index(drop=True), schema, square=PLENTY)
    assert one.patients - other.patients == 1
    for left, right in zip(one.encoding.columns, other.encoding.columns, strict=True):
        assert left.counts.sum() - right.counts.sum() == pytest.approx(1, abs=0.01)

"""Membership inference: nothing where nothing was memorised, everything where everything was."""

import numpy as np
import pandas as pd
import pytest
from planted_memoriser import COLUMNS, HOLDOUT, SCHEMA, TRAIN, attacked, cohort, patients

from engine.evaluation.attacks.membership import area, guessing, membership
from engine.evaluation.attacks.membership import attacked as scores_of
from engine.evaluation.attacks.rarity import LEAST, isolation, rarest
from engine.evaluation.attacks.records import Coder
from engine.schema.table import Role, conform


def scored(synthetic, *, train=TRAIN, holdout=HOLDOUT, columns=COLUMNS, seed=0):
    coder = Coder.of((train, holdout), synthetic, columns)
    return scores_of(*(coder.records(one) for one in (train, holdout, synthetic)), np.random.default_rng(seed))


def groups(synthetic, **options):
    return membership(scored(synthetic, **options), np.random.default_rng(1), minimum=11)["groups"]


@pytest.fixture(scope="module")
def by_share():
    return {share: groups(cohort(share)) for share in (0.0, 0.25, 0.5, 1.0)}


def test_an_independent_cohort_tells_nothing(by_share) -> None:
    for group in by_share[0.0].values():
        for figure in (*group["auc"].values(), group["control"]):
            # One of eight intervals may miss by a little.
            assert figure["low"] - 0.02 <= 0.5 <= figure["high"] + 0.02
        assert group["auc"]["calibrated"]["low"] <= 0.5 <= group["auc"]["calibrated"]["high"]
        assert group["verdict"] == "none_found"


def test_intervals_of_independent_cohorts_cover_one_half() -> None:
    covered = []
    for seed in range(10, 50):
        tables = {"train": patients(300, seed=3 * seed), "holdout": patients(300, seed=3 * seed + 1)}
        found = groups(patients(300, seed=3 * seed + 2), **tables)["all"]["auc"]
        covered.append([figure["low"] <= 0.5 <= figure["high"] for figure in found.values()])
    assert (np.mean(covered, axis=0) >= 0.85).all()


def test_a_memoriser_is_found(by_share) -> None:
    for group in by_share[1.0].values():
        assert group["auc"]["calibrated"]["value"] > 0.99
        assert group["true_positives"]["low"] > 0.8
        assert group["verdict"] == "leak"
        assert group["control"]["low"] <= 0.5 <= group["control"]["high"]


def test_more_copies_tell_more(by_share) -> None:
    for score in ("calibrated", "density", "closest"):
        values = [by_share[share]["all"]["auc"][score]["value"] for share in by_share]
        assert values == sorted(values)
    # A quarter copied: those are told from all others, the rest by chance: 0.25 + 0.75 / 2.
    assert by_share[0.25]["all"]["auc"]["calibrated"]["value"] == pytest.approx(0.625, abs=0.05)
    assert by_share[0.5]["all"]["true_positives"]["value"] == pytest.approx(0.5, abs=0.06)


def test_one_copied_outlier_is_among_the_rarest_and_looks_most_like_a_member() -> None:
    extreme = dict.fromkeys(("age", "sodium", "potassium", "glucose"), 40.0)
    outlier = conform(TRAIN.tail(1).assign(**extreme), SCHEMA)
    train = conform(pd.concat([TRAIN, outlier], ignore_index=True), SCHEMA)
    independent = cohort(0.0)
    for copied in (True, False):
        synthetic = conform(pd.concat([independent, outlier], ignore_index=True), SCHEMA) if copied else independent
        found = scored(synthetic, train=train)
        rare = found.groups["rarest"]
        score = found.scores["calibrated"][rare]
        # The rarest of the training patients comes first.
        assert bool(found.is_member[rare[0]])
        assert bool(score.argmax() == 0) is copied
        assert bool(found.closest[rare[0]] == 0) is copied


def test_the_planted_outlier_is_the_rarest_of_all() -> None:
    frame = pd.concat([TRAIN, TRAIN.tail(1).assign(age=40.0, glucose=-40.0)], ignore_index=True)
    coder = Coder.of((frame,), frame, COLUMNS)
    isolated = isolation(coder.records(conform(frame, SCHEMA)), np.random.default_rng(0))
    assert isolated.argmax() == len(frame) - 1


def test_rarest_are_one_percent_or_twenty_of_each_side_or_nobody() -> None:
    isolated = np.arange(10_000, dtype=float)
    member = np.arange(10_000) % 2 == 0
    assert sorted(rarest(isolated, member)) == list(range(9900, 10_000))
    few = rarest(isolated[:2000], member[:2000])
    assert sorted(few) == list(range(2000 - 2 * LEAST, 2000))
    assert rarest(isolated[:700], member[:700]) is None
    assert rarest(isolated, member & (isolated < 9000)) is None


def test_rarest_is_not_assessable_with_few_patients() -> None:
    found = groups(patients(300, seed=5), train=patients(300, seed=6), holdout=patients(300, seed=7))
    assert found["rarest"]["reason"].startswith("Not assessable")
    assert found["all"]["reason"] == ""


def test_area_at_its_limit_has_an_exact_bound() -> None:
    found = area(np.arange(50) + 100.0, np.arange(80.0))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 50))
    assert area(np.arange(5.0), np.arange(5.0) + 10).high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_guessing_spans_what_random_scores_do() -> None:
    rng = np.random.default_rng(0)
    drawn = [area(rng.random(60), rng.random(30)).value for _ in range(2000)]
    found = guessing(60, 30)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.015)


def test_one_row_of_each_patient_is_attacked() -> None:
    schema = SCHEMA.model_copy(
        update={"columns": (*COLUMNS, COLUMNS[0].model_copy(update={"name": "patient", "role": Role.PATIENT_KEY}))}
    )
    tables = {}
    for name, frame in (("train", TRAIN), ("holdout", HOLDOUT)):
        doubled = frame.loc[np.repeat(frame.index, 2)].reset_index(drop=True)
        tables[name] = doubled.assign(patient=np.repeat([f"{name}{row}" for row in frame.index], 2))
    entry = attacked(cohort(0.0), schema=schema, **tables)
    assert entry["membership"]["groups"]["all"]["members"] == 600
    assert "one row of each patient" in entry["sampled"][0]
    # Each patient twice in the training is still one who is singled out.
    copied = attacked(TRAIN, schema=schema, **tables)
    assert copied["singling_out"]["risk"]["value"] > 0.6


def test_isolation_is_the_distance_to_the_fifth_other_row() -> None:
    frame = pd.DataFrame({"age": np.arange(11.0)})
    coder = Coder.of((frame,), frame, COLUMNS[:1])
    found = isolation(coder.records(frame), np.random.default_rng(0))
    # The 5-95 % range of 0 to 10 is 9 wide; from the end the fifth other is 5 away, from the middle 3.
    assert (found[0], found[5]) == pytest.approx((5 / 9, 3 / 9))

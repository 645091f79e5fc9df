"""A private fit that was interrupted: the same rows, the same bill, and every measurement written down before it."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.cohort.conditions import Condition, Interval
from engine.core.errors import Cancelled
from engine.core.progress import Silent
from engine.generators.dp_cgan import fitting, material
from engine.generators.dp_cgan.critic import fit_critic
from engine.generators.dp_cgan.generator import DPCGAN
from engine.generators.dp_cgan.material import RECORD
from engine.privacy.accounting import epsilon as spent_epsilon
from engine.privacy.events import events_from_json
from engine.privacy.noise import NoiseStream
from engine.schema.table import Column, Kind, Role, TableSchema, conform

PATIENTS, ROWS = 300, 391
OPTIONS: dict[str, Any] = {
    "private": True, "epsilon": 5.0, "delta": 1e-4, "epochs": 3, "hidden_per_column": 4, "gradient_share": 0.0,
}  # fmt: skip
GRADIENTS = 0.3
SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M"), categories_are_public=True),
        Column(name="ward", kind=Kind.CATEGORICAL),
        Column(name="age", kind=Kind.INTEGER, minimum=0, maximum=120, bounds_are_public=True),
    )
)


def table() -> pd.DataFrame:
    """300 patients in 391 rows; the first 91 were there twice."""
    random = np.random.default_rng(7)
    patient = np.append(np.arange(PATIENTS), np.arange(ROWS - PATIENTS))
    sex = random.choice(["F", "M"], ROWS)
    return conform(
        pd.DataFrame(
            {
                "patient": [f"patient-{number}" for number in patient],
                "sex": sex,
                "ward": np.where(random.random(ROWS) < 0.9, np.where(sex == "F", "east", "west"), "north"),
                "age": random.integers(20, 90, ROWS),
            }
        ),
        SCHEMA,
    )


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Fewer chains, rows and steps than a real fit: none of it is what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "_CHAIN_ROWS", 2_500)
        patch.setattr(material, "fit_critic", partial(fit_critic, steps=20, chains=1_500))
        patch.setattr(fitting, "_POOL_ROWS", 2_000)
        yield


def fit(folder: Path | None, progress: Any = None, *, seed: int = 4, **options: Any) -> DPCGAN:
    made = DPCGAN()
    chosen = OPTIONS | options
    made.fit(table(), SCHEMA, seed=seed, options=chosen, progress=progress or Silent(), checkpoint=folder)
    return made


class CancelAt:
    """Cancels at the first message that begins so."""

    def __init__(self, start: str) -> None:
        self._start = start
        self.messages: list[str] = []

    def update(self, fraction: float, message: str, **figures: float) -> None:
        self.messages.append(message)
        if message.startswith(self._start):
            raise Cancelled


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / RECORD).read_text())


def same(one: DPCGAN, other: DPCGAN) -> None:
    pd.testing.assert_frame_equal(one.sample(150, seed=9), other.sample(150, seed=9))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[float, DPCGAN]:
    return {share: fit(tmp_path_factory.mktemp("whole"), gradient_share=share) for share in (0.0, GRADIENTS)}


POINTS = [
    (0.0, ("Critic, step 6 of",)),
    (0.0, ("Epoch 1 of", "Epoch 2 of")),
    (0.0, ("Calibrating",)),
    (GRADIENTS, ("Epoch 2 of", "Private step 50 of", "Private step 200 of")),
    (GRADIENTS, ("Private step 400 of",)),
    (GRADIENTS, ("Calibrating",)),
]  # fmt: skip


@pytest.mark.parametrize(("share", "points"), POINTS)
def test_a_resumed_private_fit_is_an_uninterrupted_one(
    share: float, points: tuple[str, ...], whole: dict[float, DPCGAN], tmp_path: Path
) -> None:
    for point in points:
        with pytest.raises(Cancelled):
            fit(tmp_path, CancelAt(point), gradient_share=share)
    rest = CancelAt("nothing")
    resumed = fit(tmp_path, rest, gradient_share=share)
    same(resumed, whole[share])
    # It did go on rather than begin anew.
    if points[-1] != "Critic, step 6 of":
        assert not any(message.startswith("Epoch 1 of") for message in rest.messages)
    if points[-1] == "Private step 200 of":
        assert not any(message.startswith("Private step 200 of") for message in rest.messages)
    for key in ("epsilon", "events", "identity", "accountants"):
        assert resumed.statement()[key] == whole[share].statement()[key], key
    assert record(tmp_path)["events"] == whole[share].statement()["events"]


@pytest.mark.parametrize("share", [0.0, GRADIENTS])
def test_every_measurement_and_step_is_on_disk_before_its_noise_is_drawn(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, listed = [], []
    rounded, floating = NoiseStream.rounded_gaussian, NoiseStream.generator

    def counted(self: NoiseStream, count: int, *purpose: str, sigma: float) -> np.ndarray:
        drawn.append(sigma)
        events = [event for event in record(tmp_path)["events"] if event["mechanism"] == "gaussian"]
        listed.append([event["noise_multiplier"] for event in events])
        return rounded(self, count, *purpose, sigma=sigma)

    def stepped(self: NoiseStream, *purpose: str) -> np.random.Generator:
        if purpose[0] == "gradients":
            last = record(tmp_path)["events"][-1]
            assert last["mechanism"] == "poisson_gaussian" and last["steps"] == 50 * (int(purpose[1]) + 1)
        return floating(self, *purpose)

    monkeypatch.setattr(NoiseStream, "rounded_gaussian", counted)
    monkeypatch.setattr(NoiseStream, "generator", stepped)
    made = fit(tmp_path, gradient_share=share)
    assert len(drawn) > 6
    for number, before in enumerate(listed):
        assert before[: number + 1] == drawn[: number + 1]
    # Later rounds are announced when they are due, not all at the start.
    assert len(listed[0]) < len(listed[-1])
    assert record(tmp_path)["events"] == made.statement()["events"]
    assert record(tmp_path)["identity"] == made.statement()["identity"]


@pytest.mark.parametrize(("change", "seed"), [({"epsilon": 4.0}, 4), ({"epochs": 2}, 4), ({}, 5)])
def test_a_changed_option_begins_anew_and_pays_for_both(change: dict[str, Any], seed: int, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        fit(tmp_path / "old", CancelAt("Epoch 2 of"))
    before = record(tmp_path / "old")
    told = CancelAt("nothing")
    changed = fit(tmp_path / "old", told, seed=seed, **change)
    fresh = fit(tmp_path / "fresh", seed=seed, **change)
    assert any(message.startswith("Epoch 1 of") for message in told.messages)
    same(changed, fresh)
    assert changed.statement()["events"] == before["events"] + fresh.statement()["events"]
    assert changed.statement()["epsilon"] > fresh.statement()["epsilon"]
    assert changed.statement()["identity"] == fresh.statement()["identity"] != before["identity"]


def test_what_another_attempt_spent_is_not_forgotten_at_the_second_interruption(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        fit(tmp_path, CancelAt("Epoch 1 of"))
    before = record(tmp_path)["events"]
    with pytest.raises(Cancelled):
        fit(tmp_path, CancelAt("Epoch 1 of"), epsilon=4.0)
    assert fit(tmp_path, epsilon=4.0).statement()["events"][: len(before)] == before


@pytest.mark.parametrize(
    ("epsilon", "delta", "share"),
    [(0.3, 1e-6, 0.0), (1.0, 1e-5, 0.0), (3.0, 1e-3, 0.0), (12.0, 1e-4, 0.0), (1.0, 1e-5, 0.4), (8.0, 1e-4, 0.8)],
)
def test_no_more_is_spent_than_was_asked_and_the_accountants_agree(epsilon: float, delta: float, share: float) -> None:
    said = fit(None, epsilon=epsilon, delta=delta, gradient_share=share, epochs=1).statement()
    assert 0.97 * epsilon < said["epsilon"] <= epsilon
    assert said["delta"] == delta
    ours, second = said["accountants"].values()
    assert ours == pytest.approx(second, rel=0.01)
    assert spent_epsilon(events_from_json(said["events"]), delta).epsilon == said["epsilon"]


def test_a_loaded_model_says_and_supports_the_same(whole: dict[float, DPCGAN], tmp_path: Path) -> None:
    for share, made in whole.items():
        made.save(tmp_path / str(share))
        loaded = DPCGAN.load(tmp_path / str(share))
        assert loaded.statement() == made.statement() != {}
        women = {"sex": Condition("sex", categories=frozenset({"F"}), allow_missing=False)}
        old = {"age": Condition("age", intervals=(Interval(low=60),), allow_missing=False)}
        for conditions in (women, old, women | old, {}):
            assert loaded.support(conditions) == made.support(conditions)
            pd.testing.assert_frame_equal(
                loaded.sample(40, seed=2, conditions=conditions), made.sample(40, seed=2, conditions=conditions)
            )
        assert 0.25 * PATIENTS < made.support(women) < 0.75 * PATIENTS


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def test_a_saved_model_holds_neither_a_real_count_nor_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounded = NoiseStream.rounded_gaussian

    def shifted(self: NoiseStream, count: int, *purpose: str, sigma: float) -> np.ndarray:
        # A known draw, so that the true number cannot turn up by chance.
        return np.array([53]) if purpose == ("patients",) else rounded(self, count, *purpose, sigma=sigma)

    monkeypatch.setattr(NoiseStream, "rounded_gaussian", shifted)
    fit(tmp_path / "states").save(tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    found = set(numbers(manifest))
    assert PATIENTS + 53 in found
    assert not {float(PATIENTS), float(ROWS)} & found
    report = manifest["report"]
    assert (report["rows"], report["patients"], manifest["patients"]) == (PATIENTS + 53,) * 3
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert b"patient-" not in path.read_bytes(), path.name

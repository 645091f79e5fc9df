"""Models that ship: registered once, whole, by whoever starts first; a newer version replaces; damaged: left out."""

import logging
import multiprocessing
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from engine.cohort.spec import CohortSpec, Criterion
from engine.core.errors import DataError, UserError
from engine.core.settings import Settings
from engine.core.workspace import Workspace, read_json, write_json
from engine.generators.registry import load
from engine.jobs.steps import generate
from engine.privacy.summary import PrivateSummary, summary_of
from engine.services.context import Context
from engine.services.shipped import SOURCE, read_shipped, read_source, register_all
from engine.services.studio import Studio
from engine.storage.database import Database
from engine.storage.folders import sha256
from engine.storage.records import JobState, State
from engine.storage.sources import has_rows
from tests.helpers import small_bundle
from tests.helpers.small_bundle import NAME, bundle_in, describe


class Place:
    """Bundles, and a workspace that they are registered in."""

    def __init__(self, root: Path) -> None:
        self.models = root / "shipped"
        self.bundle = bundle_in(self.models)
        self.source = read_source(self.bundle)
        self.workspace = Workspace(root / "workspace")
        self.database = Database.for_workspace(self.workspace, None)

    def register(self) -> None:
        register_all(self.workspace, self.database, self.models)

    @property
    def model(self) -> Path:
        return self.workspace.model(self.source.model_id)

    @property
    def data(self) -> Path:
        return self.workspace.dataset(self.source.dataset_id)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_bundle_is_a_ready_data_set_with_its_model(place: Place) -> None:
    place.register()
    (dataset,), (model,) = place.database.datasets(), place.database.models()
    assert (dataset.source, dataset.location, dataset.state) == ("shipped", NAME, State.READY)
    assert (dataset.id, len(dataset.id)) == (place.source.dataset_id, 12)
    assert dataset.patients == round(summary_of(place.data).patients)
    assert dataset.columns == len(small_bundle.SCHEMA.columns)
    assert (model.id, model.dataset_id, model.state) == (place.source.model_id, dataset.id, State.READY)
    assert model.report is not None
    assert model.report["epsilon"] == summary_of(place.data).statement["epsilon"]
    assert not has_rows(place.data)
    assert len(load(place.model).sample(10, seed=1)) == 10


def test_registering_again_changes_nothing(place: Place) -> None:
    place.register()
    before = {path: path.stat().st_mtime_ns for path in place.workspace.root.rglob("*.safetensors")}
    place.register()
    assert {path: path.stat().st_mtime_ns for path in place.workspace.root.rglob("*.safetensors")} == before
    assert len(place.database.datasets()) == len(place.database.models()) == 1


def test_a_newer_version_replaces_and_an_older_one_does_not(place: Place) -> None:
    place.register()
    (place.bundle / "card.md").write_text("# A newer card\n")
    describe(place.bundle, version=2)
    place.register()
    assert (place.data / "card.md").read_text() == "# A newer card\n"
    describe(place.bundle, version=1)
    place.register()
    assert read_json(place.data / SOURCE)["version"] == 2


def test_a_newer_version_is_a_new_model_and_the_old_one_stays_with_its_cohorts(place: Place) -> None:
    place.register()
    old = place.source.model_id
    cohort = place.database.add_cohort(model_id=old, name="a cohort", spec=CohortSpec(patients=50).as_json())
    drawn = load(place.workspace.model(old)).sample(20, seed=3)
    describe(place.bundle, version=2)
    place.register()
    new = read_source(place.bundle).model_id
    assert [model.id for model in place.database.models()] == [new, old], "the newest first"
    pd.testing.assert_frame_equal(load(place.workspace.model(old)).sample(20, seed=3), drawn)
    describe(place.bundle, version=1)
    place.register()
    assert [model.id for model in place.database.models()] == [new, old], "an older release takes nothing back"
    place.database.delete_cohort(cohort.id)
    describe(place.bundle, version=3)
    place.register()
    assert [model.id for model in place.database.models()] == [read_source(place.bundle).model_id]
    models = place.workspace.root / "models"
    assert [path.name for path in models.iterdir()] == [read_source(place.bundle).model_id]


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}', "\x00"])
def test_a_damaged_description_in_the_workspace_is_mended_by_the_next_start(place: Place, text: str) -> None:
    place.register()
    (place.data / SOURCE).write_text(text)
    with pytest.raises(DataError, match="cannot be read"):
        read_shipped(place.data)
    place.register()
    assert read_shipped(place.data) == place.source


@pytest.mark.parametrize(
    "name", ["model/../card.md", "/etc/hostname", "model/../../small-ward/card.md", "model\\..\\x"]
)
def test_no_file_of_a_bundle_is_copied_to_elsewhere(place: Place, name: str, caplog: pytest.LogCaptureFixture) -> None:
    (place.bundle / "model\\..\\x").write_text("x")
    name = name.replace("small-ward", NAME)
    described = read_json(place.bundle / SOURCE)
    write_json(place.bundle / SOURCE, described | {"files": described["files"] | {name: sha256(place.bundle / name)}})
    with caplog.at_level(logging.ERROR):
        place.register()
    assert place.database.datasets() == []
    assert "leads elsewhere" in caplog.text
    assert not list(place.workspace.root.rglob("*.md"))


def test_an_interrupted_registration_is_done_again(place: Place) -> None:
    place.register()
    (place.data / SOURCE).unlink()
    (place.model / "manifest.json").unlink()
    place.register()
    assert len(load(place.model).sample(10, seed=1)) == 10


@pytest.mark.parametrize(
    "damage", ["a changed file", "a missing file", "not json", "another name", "no summary", "outside"]
)
def test_a_damaged_bundle_is_logged_and_left_out(place: Place, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = bundle_in(place.models / "aside").rename(place.models / "whole")
    write_json(whole / SOURCE, read_json(whole / SOURCE) | {"name": "whole"})
    weights = place.bundle / "model" / "weights.safetensors"
    if damage == "a changed file":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    elif damage == "a missing file":
        weights.unlink()
    elif damage == "not json":
        (place.bundle / SOURCE).write_text("{")
    elif damage == "another name":
        write_json(place.bundle / SOURCE, read_json(place.bundle / SOURCE) | {"name": "else"})
    elif damage == "no summary":
        PrivateSummary.clear(place.bundle / "model")
        describe(place.bundle, version=1)
    else:
        files = read_json(place.bundle / SOURCE)["files"] | {"../whole/card.md": "0" * 64}
        write_json(place.bundle / SOURCE, read_json(place.bundle / SOURCE) | {"files": files})
    with caplog.at_level(logging.ERROR):
        place.register()
    assert [dataset.location for dataset in place.database.datasets()] == ["whole"]
    assert f"the shipped model {NAME} is left out" in caplog.text


def _start(root: Path, models: Path) -> None:
    workspace = Workspace(root)
    register_all(workspace, Database.for_workspace(workspace, None), models)


def test_two_processes_that_start_at_once_register_it_once(place: Place) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_start, args=(place.workspace.root, place.models)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(place.database.datasets()) == len(place.database.models()) == 1
    assert len(load(place.model).sample(10, seed=1)) == 10


def test_whoever_comes_second_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.services.shipped._LOCK_SECONDS", 0.2)
    with FileLock(place.workspace.shipped_lock), caplog.at_level(logging.ERROR):
        place.register()
    assert place.database.datasets() == []
    assert "another process has been registering" in caplog.text
    place.register()
    assert len(place.database.datasets()) == 1


def test_it_cannot_be_deleted(place: Place) -> None:
    place.register()
    with pytest.raises(UserError, match="ships with the product"):
        place.database.delete_model(place.source.model_id)
    with pytest.raises(UserError, match="ships with the product"):
        place.database.delete_dataset(place.source.dataset_id)


@pytest.fixture
def studio(place: Place, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The services over a workspace with the bundle; no worker is started."""
    place.register()
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self, warm=False: False)
    return Studio(Settings(workspace=place.workspace.root, shipped_models=place.models))


def asked(**criteria) -> CohortSpec:
    return CohortSpec(patients=50, criteria=tuple(Criterion(column=name, **how) for name, how in criteria.items()))


def test_support_is_the_estimate_of_the_summary(studio: Studio, place: Place) -> None:
    table = small_bundle.patients()
    spec = asked(age_years={"minimum": 60}, diabetes={"any_of": (True,)})
    support = studio.cohorts.support(place.source.dataset_id, spec)
    truth = [len(table), (table["age_years"] >= 60).sum(), ((table["age_years"] >= 60) & table["diabetes"]).sum()]
    told = [step.patients for step in support.steps]
    assert told == pytest.approx(truth, abs=80)
    assert support.estimated
    assert support.text == f"about {told[-1]:,}"
    # Without their dependence it would be a fifth less.
    assert told[-1] > 1.1 * truth[1] * table["diabetes"].mean()
    nobody = asked(age_years={"minimum": 18, "maximum": 18}, diabetes={"any_of": (True,)}, sex={"any_of": ("M",)})
    assert studio.cohorts.support(place.source.dataset_id, nobody).patients is None


def test_a_cohort_is_drawn_without_a_table(studio: Studio, place: Place) -> None:
    spec = asked(diabetes={"any_of": (True,)})
    cohort, job = studio.cohorts.generate(place.source.model_id, spec)
    context = Context.open(Settings(workspace=place.workspace.root))
    record = context.queue.job(job)
    from engine.core.progress import Silent

    generate(record, workspace=place.workspace, database=context.database, progress=Silent())
    made = context.database.cohort(cohort.id)
    assert (made.state, made.rows, record.state) == (State.READY, 50, JobState.QUEUED)
    assert studio.cohorts.manifest(cohort.id)["source"]["kind"] == "shipped"


def test_training_and_the_ledger_have_nothing_to_do_with_it(studio: Studio, place: Place) -> None:
    options = {"private": False}
    with pytest.raises(UserError, match="ships as a trained model"):
        studio.training.start(place.source.dataset_id, "dp_cgan", options=options, seed=1)
    with pytest.raises(UserError, match="ships as a trained model"):
        studio.training.account(place.source.dataset_id)
    assert studio.training.known_account(place.source.dataset_id) is None


def test_requests_are_read_against_its_columns(studio: Studio, place: Place) -> None:
    schema = studio.datasets.schema(place.source.dataset_id)
    assert schema.names == small_bundle.SCHEMA.names
    turn = studio.chat.reply("100 women over 60 with diabetes", dataset_id=place.source.dataset_id, previous=None)
    assert turn.spec is not None
    assert {criterion.column for criterion in turn.spec.criteria} == {"sex", "age_years", "diabetes"}

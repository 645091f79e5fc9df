"""Models that ship with the product: each is a data set without rows, ready with its model from the first start.

A bundle is a folder ``assets/models/NAME``: ``source.json`` (:class:`ShippedSource`), ``card.md`` and ``model/``, a
private model with its report and its summary. Registering one copies it into the workspace. A newer version of a bundle
is a new model of the same data set; the one before it stays as long as a cohort drawn from it does, so that a cohort
whose drawing was interrupted by an upgrade is of one model.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256 as digest
from pathlib import Path, PurePosixPath
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.core.errors import CohortStudioError, DataError, UserError
from engine.core.settings import settings
from engine.core.workspace import Workspace, read_json, write_atomically, write_json
from engine.generators.registry import MANIFEST
from engine.jobs.steps import FIT_REPORT
from engine.privacy.summary import FILE as SUMMARY
from engine.privacy.summary import summary_of
from engine.storage.database import Database
from engine.storage.folders import published_files, published_folder, sha256
from engine.storage.records import SHIPPED, State
from engine.storage.sources import SCHEMA

log = logging.getLogger(__name__)

Setting = Literal["population", "hospital", "intensive care"]
SOURCE, CARD, MODEL = "source.json", "card.md", "model"
_LOCK_SECONDS = 60.0
"""How long a start waits for another process that registers the same bundles."""


class ShippedSource(BaseModel):
    """``source.json``: what a bundle is.

    Attributes:
        name: of the folder; in commands.
        version: raised whenever a file of the bundle changes.
        title: on the screen.
        sentence: what it is.
        source: who published the rows that the model learned from.
        licence: of those rows.
        citation: of those rows.
        url: where they are found.
        years: when they were collected, first and last.
        setting: where its patients are met.
        populations: reference populations that cohorts can be weighted to.
        command: what made the bundle.
        files: SHA-256 of every file of the bundle but this one, by path inside it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    version: int = Field(ge=1)
    title: str
    sentence: str
    source: str
    licence: str
    citation: str
    url: str
    years: tuple[int, int] | str
    setting: Setting = "hospital"
    populations: tuple[str, ...] = ()
    command: str
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def dataset_id(self) -> str:
        """Of the data set in every workspace."""
        return digest(f"shipped data set {self.name}".encode()).hexdigest()[:12]

    @property
    def model_id(self) -> str:
        """Of this version's model in every workspace."""
        return digest(f"shipped model {self.name} version {self.version}".encode()).hexdigest()[:12]


def bundles(folder: Path | None = None) -> Iterator[Path]:
    """The folders of the bundles that ship, by name."""
    place = settings().shipped_models if folder is None else folder
    if place.is_dir():
        yield from sorted(path.parent for path in place.glob(f"*/{SOURCE}"))


def read_source(bundle: Path) -> ShippedSource:
    """What the bundle in folder ``bundle`` is.

    Raises:
        DataError: ``source.json`` cannot be read, or names another folder.
    """
    where = f"{bundle.name}/{SOURCE}"
    try:
        found = ShippedSource.model_validate(read_json(bundle / SOURCE))
    except (OSError, ValueError, ValidationError) as error:
        raise DataError("the description of a shipped model cannot be read", where=where) from error
    if found.name != bundle.name:
        raise DataError(f"the description is of {found.name!r}, another model", where=where)
    return found


def read_shipped(folder: Path) -> ShippedSource | None:
    """What the data set in ``folder`` of a workspace is, where it ships with its model; else None.

    Raises:
        DataError: ``source.json`` cannot be read.
    """
    path = folder / SOURCE
    try:
        return ShippedSource.model_validate(read_json(path)) if path.exists() else None
    except (OSError, ValueError) as error:
        raise DataError("the description of a shipped model cannot be read", where=f"{folder.name}/{SOURCE}") from error


def model_folder(name: str) -> Path | None:
    """The model of the bundle called ``name``; None where none of this name ships."""
    return next((bundle / MODEL for bundle in bundles() if bundle.name == name), None)


def names() -> list[str]:
    """Names of the bundles that ship."""
    return [bundle.name for bundle in bundles()]


def seal(bundle: Path) -> None:
    """Write the SHA-256 of every file of ``bundle`` into its description."""
    described = read_source(bundle)
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path != bundle / SOURCE)
    sums = {path.relative_to(bundle).as_posix(): sha256(path) for path in files}
    write_json(bundle / SOURCE, described.model_copy(update={"files": sums}).model_dump(mode="json"))


def register_all(workspace: Workspace, database: Database, folder: Path | None = None) -> None:
    """Make every bundle that ships a ready data set with its model; one that is damaged is logged and left out."""
    found = list(bundles(folder))
    if not found:
        return
    try:
        with FileLock(workspace.shipped_lock, timeout=_LOCK_SECONDS, mode=0o600):
            # The data set that was added last is shown first, and answers where a request suits several alike.
            for bundle in reversed(found):
                try:
                    register(workspace, database, bundle)
                except (CohortStudioError, OSError, ValueError, KeyError, TypeError) as error:
                    log.error("the shipped model %s is left out: %s", bundle.name, error)
    except Timeout:
        log.error("another process has been registering the shipped models for %d seconds", _LOCK_SECONDS)


def register(workspace: Workspace, database: Database, bundle: Path) -> None:
    """Make ``bundle`` a ready data set with its model, unless this or a newer version of it is there already.

    Raises:
        DataError: the bundle is damaged or incomplete.
    """
    source = read_source(bundle)
    data = workspace.dataset(source.dataset_id)
    known = _registered(workspace, data)
    if known is not None and known.version >= source.version:
        source = known
    model = workspace.model(source.model_id)
    if source is not known:
        _verify(bundle, source)
        summary = summary_of(bundle / MODEL)
        with published_folder(model) as temporary:
            _copy(bundle, source, temporary, inside=f"{MODEL}/")
        with published_files(data) as temporary:
            summary.save(temporary)
            (temporary / SCHEMA).write_text(summary.schema.model_dump_json(indent=2), encoding="utf-8")
            shutil.copyfile(bundle / CARD, temporary / CARD)
        # Last: what it says is there.
        write_atomically(data / SOURCE, lambda temporary: shutil.copyfile(bundle / SOURCE, temporary))
    _record(database, source, data=data, model=model)
    for older in database.models(source.dataset_id):
        if older.id != source.model_id:
            with suppress(UserError):  # a cohort was drawn from it
                database.delete_model(older.id, is_replaced=True)
                shutil.rmtree(workspace.model(older.id))


def _registered(workspace: Workspace, data: Path) -> ShippedSource | None:
    """What is registered already in the data set's folder, whole; None where it has to be done again."""
    try:
        known = read_shipped(data)
    except DataError:
        return None
    whole = known is not None and (workspace.model(known.model_id) / MANIFEST).exists()
    return known if whole else None


def _verify(bundle: Path, source: ShippedSource) -> None:
    needed = {CARD, *(f"{MODEL}/{name}" for name in (MANIFEST, FIT_REPORT, SUMMARY))}
    if missing := sorted(needed - set(source.files)):
        raise DataError(f"{missing[0]} is not among its files", where=bundle.name)
    for name, expected in source.files.items():
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name:
            # It would be copied to where it leads.
            raise DataError(f"the file {name} is named by a path that leads elsewhere", where=bundle.name)
        path = bundle / name
        if not path.resolve().is_relative_to(bundle.resolve()) or not path.is_file():
            raise DataError(f"the file {name} is missing", where=bundle.name)
        if sha256(path) != expected:
            raise DataError(f"the file {name} is not the one that was shipped", where=bundle.name)


def _copy(bundle: Path, source: ShippedSource, target: Path, *, inside: str) -> None:
    for name in source.files:
        if name.startswith(inside):
            path = target / name.removeprefix(inside)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / name, path)


def _record(database: Database, source: ShippedSource, *, data: Path, model: Path) -> None:
    """The records of what lies in the workspace: both, with the files' figures."""
    summary = summary_of(data)
    report, manifest = read_json(model / FIT_REPORT), read_json(model / MANIFEST)
    patients = round(summary.patients)
    told = {
        "name": source.title, "state": State.READY, "rows": patients, "patients": patients,
        "columns": len(summary.margins), "fingerprint": sha256(data / SUMMARY),
    }  # fmt: skip
    known = {record.id for record in database.datasets()}
    if source.dataset_id not in known:
        database.add_dataset(id=source.dataset_id, source=SHIPPED, location=source.name, **told)
    else:
        database.update_dataset(source.dataset_id, **told)
    options = {"private": True, **{name: summary.statement[name] for name in ("epsilon", "delta")}}
    fitted = {"options": options, "seed": report["seed"], "state": State.READY, "report": report}
    if source.model_id not in {record.id for record in database.models(source.dataset_id)}:
        database.add_model(
            id=source.model_id, dataset_id=source.dataset_id, generator=manifest["generator"], **fitted
        )  # fmt: skip
    else:
        database.update_model(source.model_id, **fitted)

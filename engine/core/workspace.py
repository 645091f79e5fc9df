"""Every path of the workspace in one place, and the only way files are written into it.

Layout: ``cohort_studio.db`` · ``datasets/ID/`` (``table.parquet``, ``schema.json``, ``report.json``, ``splits.json``) ·
``models/ID/`` · ``cohorts/ID/`` (``cohort.parquet``, ``manifest.json``, ``comparison.json``, ``outcomes/``,
``documents/``) · ``bake_offs/ID/`` (``result.json``) · ``adapters/ID/`` (of the language model) ·
``jobs/ID/`` (checkpoints) ·
``ledger/`` (keyed hashes of the registered patients) · ``downloads/`` (open data) · ``secret.key`` ·
``assistant.json``.
"""

import json
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parents[2] / "assets"
"""The files that ship with the product: catalogue, guidelines, icon."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then move it there: readers see the old file or the new one.

    File and folder are flushed to disk, so the file survives a power cut once this returns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """``value`` as JSON that every program reads: which knows no NaN and no infinity, so these are null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON (:func:`json_text`), atomically."""
    text = json_text(value, indent=2)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """The JSON value in ``path``."""
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Workspace:
    """The folder that holds everything the user makes. Created private to the user (mode 700)."""

    root: Path

    def __post_init__(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "cohort_studio.db"

    @property
    def secret_key(self) -> Path:
        """The file with the workspace's secret (mode 600), from which every key is derived."""
        return self.root / "secret.key"

    @property
    def ledger(self) -> Path:
        """Folder of the ledger's keyed hashes. Not in the data sets' folders: deleting one refunds nothing."""
        folder = self.root / "ledger"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @property
    def downloads(self) -> Path:
        """Open data that was fetched on request."""
        return self.root / "downloads"

    @property
    def assistant(self) -> Path:
        """Who reads requests, as chosen on the Assistant page; no key or token is in it."""
        return self.root / "assistant.json"

    @property
    def model_log(self) -> Path:
        """Standard error of the language model's process; no request's text is in it."""
        return self.root / "language_model.log"

    @property
    def worker_lock(self) -> Path:
        """Held by the one worker of this workspace."""
        return self.root / "worker.lock"

    @property
    def shipped_lock(self) -> Path:
        """Held while models that ship with the product are registered."""
        return self.root / "shipped.lock"

    @property
    def worker_log(self) -> Path:
        """Standard error of the worker process."""
        return self.root / "worker.log"

    def dataset(self, dataset_id: str) -> Path:
        """Folder of a data set."""
        return self._folder("datasets", dataset_id)

    def model(self, model_id: str) -> Path:
        """Folder of a trained model."""
        return self._folder("models", model_id)

    def cohort(self, cohort_id: str) -> Path:
        """Folder of a synthetic cohort."""
        return self._folder("cohorts", cohort_id)

    def adapter(self, adapter_id: str) -> Path:
        """Folder of an adapter of the language model."""
        return self._folder("adapters", adapter_id)

    def comparison(self, cohort_id: str) -> Path:
        """The file with a cohort's comparison with real rows; it grows section by section."""
        return self.cohort(cohort_id) / "comparison.json"

    def outcome(self, cohort_id: str, key: str) -> Path:
        """The file with the analysis of one outcome; not named by its key, in which a column's name may be anything."""
        return self.cohort(cohort_id) / "outcomes" / f"{sha256(key.encode()).hexdigest()[:16]}.json"

    def bake_off(self, bake_off_id: str) -> Path:
        """The file with the figures of a bake-off; it grows contender by contender."""
        return self._folder("bake_offs", bake_off_id) / "result.json"

    def document(self, cohort_id: str, view: str, format: str) -> Path:
        """The file with a cohort's report; ``view``: ``internal`` or ``release``, ``format``: ``html`` or ``pdf``."""
        if not (view.isalnum() and format.isalnum()):
            raise ValueError("view and format are not alphanumeric")
        return self.cohort(cohort_id) / "documents" / f"{view}.{format}"

    def job(self, job_id: str) -> Path:
        """Folder of a job's checkpoints."""
        return self._folder("jobs", job_id)

    def _folder(self, kind: str, identifier: str) -> Path:
        # Identifiers come back from URLs; only our own alphabet may become a path.
        if not identifier or not identifier.isalnum():
            raise ValueError(f"{kind} identifier is not alphanumeric")
        folder = self.root / kind / identifier
        folder.mkdir(parents=True, exist_ok=True)
        return folder

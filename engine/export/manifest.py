"""The manifest: what a cohort was asked for, made from and made by. It travels with every export."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError
from engine.core.workspace import read_json

VERSION = "0.1.0"
"""Of the product; part of every manifest."""
FORMAT = "cohort-studio-manifest/1"
NO_PRIVACY = "none: treat as confidential"
_PACKAGES = ("torch", "numpy", "pandas", "dp-cgans", "sdv")


def manifest(
    spec: CohortSpec,
    *,
    source: dict[str, Any],
    generator: dict[str, Any],
    seed: int,
    notes: tuple[str, ...] = (),
    privacy: dict[str, Any] | str | None = None,
) -> dict[str, Any]:
    """JSON values: the spec as asked for, source, generator, seed, versions, and what to know before using the rows.

    ``privacy`` is what :func:`stated` gives of the model's fit report; without it, none is claimed.
    """
    return {
        "format": FORMAT,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "spec": spec.as_json(),
        "source": source,
        "generator": generator,
        "seed": seed,
        "privacy": privacy or NO_PRIVACY,
        "versions": {"cohort-studio": VERSION} | _installed(),
        "notes": ["Synthetic rows: no real patient. Not for clinical decisions.", *notes],
    }


def stated(report: Mapping[str, Any]) -> dict[str, Any] | str:
    """The privacy statement of a fit report: epsilon, delta, the unit and the neighbours; or that there is none.

    It is the model's own; that of all releases from the source together is in the ledger.
    """
    if report.get("epsilon") is None:
        return NO_PRIVACY
    told = report.get("privacy") or {}
    return {
        "guarantee": "(epsilon, delta)-differential privacy",
        "epsilon": report["epsilon"],
        "delta": report["delta"],
        "unit": "patient",
        "neighbours": told.get("neighbours", "add or remove one patient"),
    }


def released(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as it leaves with the rows: without the digest of the real table.

    Whoever knows all patients but one could try out on it whether that one is among them.
    """
    source = {key: value for key, value in manifest.get("source", {}).items() if key != "fingerprint"}
    return {**manifest, "source": source} if "source" in manifest else dict(manifest)


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest in ``path``.

    Raises:
        DataError: it is none.
    """
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError("the cohort's manifest cannot be read", where=path.name) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError("the file is no cohort's manifest", where=path.name, remedy="Move it elsewhere.")
    return found


def _installed() -> dict[str, str]:
    # Read from the packages' metadata: importing torch for its version would cost the dashboard seconds.
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

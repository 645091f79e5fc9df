"""The manifest: what a cohort was asked for, made from and made by. It travels with every export."""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from engine.cohort.spec import CohortSpec

VERSION = "0.1.0"
"""Of the product; part of every manifest."""
_PACKAGES = ("torch", "numpy", "pandas", "dp-cgans", "sdv")


def manifest(
    spec: CohortSpec, *, source: dict[str, Any], generator: dict[str, Any], seed: int, notes: tuple[str, ...] = ()
) -> dict[str, Any]:
    """JSON values: the spec as asked for, source, generator, seed, versions, and what to know before using the rows."""
    return {
        "format": "cohort-studio-manifest/1",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "spec": spec.as_json(),
        "source": source,
        "generator": generator,
        "seed": seed,
        "privacy": "no formal privacy guarantee",
        "versions": {"cohort-studio": VERSION} | _installed(),
        "notes": ["Synthetic rows: no real patient. Not for clinical decisions.", *notes],
    }


def _installed() -> dict[str, str]:
    # Read from the packages' metadata: importing torch for its version would cost the dashboard seconds.
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

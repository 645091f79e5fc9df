"""One comparison of every section, made once, and the documents of it."""

import copy
from typing import Any

import pytest

from engine.cohort.spec import CohortSpec
from engine.export.manifest import manifest
from engine.reports.facts import Facts
from tests.helpers.compared_admissions import report
from tests.helpers.planted_outcomes import SCHEMA

SPEC = CohortSpec(patients=800)


@pytest.fixture(scope="session")
def made() -> dict[str, Any]:
    """The comparison as :mod:`engine.evaluation.report` makes it."""
    return report()


@pytest.fixture
def comparison(made: dict[str, Any]) -> dict[str, Any]:
    """A copy that a test may change."""
    return copy.deepcopy(made)


@pytest.fixture(scope="session")
def facts() -> Facts:
    """The cohort's sentence and manifest; no guarantee, no account."""
    generator = {"name": "dp_cgan", "model": "m123", "options": {"epochs": 30}, "seed": 11}
    told = manifest(SPEC, source={"name": "ward.csv", "fingerprint": "f" * 64}, generator=generator, seed=7)
    return Facts("800 patients as in the source", told)


@pytest.fixture(scope="session")
def released() -> Any:
    """Synthetic admissions with the schema of an export."""
    from tests.helpers.compared_admissions import made

    features = SCHEMA.select([column.name for column in SCHEMA.features])
    return made()[features.names], features

"""Fixtures that every part of the suite shares."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# One thread per process: the suite runs several processes side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A private fit keeps the secret of its noise in the workspace, which must not be the user's own.
os.environ.setdefault("COHORT_STUDIO_WORKSPACE", tempfile.mkdtemp(prefix="cohort-studio-tests-"))

# Models that ship are registered at every start of the dashboard: a test starts with none.
os.environ.setdefault("COHORT_STUDIO_SHIPPED_MODELS", tempfile.mkdtemp(prefix="cohort-studio-no-models-"))

# The machine may be busy with the rest of the suite: slowness is no failure. CI repeats the same examples every time.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real, openly licensed clinical tables that lies beside some checkouts."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the folder ../shared with open clinical data is not beside this checkout")
    return SHARED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What a test, or the product in it, sets in the environment (a fine-tuning keeps offline) ends with the test."""
    before = dict(os.environ)
    try:
        return (yield)
    finally:
        os.environ.clear()
        os.environ.update(before)

"""Fixtures that every part of the suite shares."""

import os
from pathlib import Path

import pytest

# One thread per process: the suite runs several processes side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real, openly licensed clinical tables that lies beside some checkouts."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the folder ../shared with open clinical data is not beside this checkout")
    return SHARED

"""A bench of real worker processes for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from job_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "workspace")
    yield made
    made.close()

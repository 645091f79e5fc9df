"""Workspaces for the pages: an empty one, and one with a data set, a model and a cohort."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.settings import settings
from engine.core.workspace import Workspace
from pages.components import state
from tests.helpers.prepared_workspace import prepare


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A fresh workspace for the dashboard under test."""
    monkeypatch.setenv("COHORT_STUDIO_WORKSPACE", str(tmp_path / "workspace"))
    settings.cache_clear()
    state.studio.clear()
    yield Workspace(tmp_path / "workspace")
    settings.cache_clear()
    state.studio.clear()


@pytest.fixture
def prepared(empty: Workspace) -> Workspace:
    """A workspace with one data set of 300 patients, a model and a cohort of 120."""
    prepare(empty)
    return empty

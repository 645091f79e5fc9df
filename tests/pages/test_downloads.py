"""The Export page of a cohort: downloads, or where a large one's file lies and how to write it out."""

import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import LARGE
from engine.core.workspace import Workspace
from engine.storage.database import Database
from tests.helpers.prepared_workspace import prepare

ROOT = Path(__file__).resolve().parents[2]


def exported(workspace: Workspace, rows: int) -> AppTest:
    """The Export page of a cohort that says it has ``rows`` rows (its file has 120)."""
    cohort = prepare(workspace)
    database = Database.for_workspace(workspace, None)
    database.update_cohort(cohort, rows=rows)
    database.close()
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page("pages/export.py").run()
    assert not app.exception
    return app


@pytest.mark.parametrize(("rows", "downloads"), [(LARGE, 3), (LARGE + 1, 0)])
def test_a_download_is_offered_up_to_a_million(empty: Workspace, rows: int, downloads: int) -> None:
    app = exported(empty, rows)
    assert len([one for one in app.get("download_button") if "Download ." in one.label]) == downloads
    assert bool(app.code) == (downloads == 0)


def test_a_large_cohort_is_told_where_it_lies_and_the_commands_work(empty: Workspace, tmp_path: Path) -> None:
    app = exported(empty, 2 * LARGE)
    place, *commands = [one.value for one in app.code]
    assert Path(place).exists() and Path(place).is_absolute()
    assert app.button(key="download-excel").disabled
    assert "2,000,000 patients are too many" in app.info[0].value
    (command,) = [one for one in commands if "--format parquet" in one]
    python, *words = shlex.split(command)
    assert python == "python"
    words[-1] = str(tmp_path / words[-1])
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    assert len(pd.read_parquet(words[-1])) == 120

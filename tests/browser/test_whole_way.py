"""The whole way, as a clinician would go it: from a folder of real patients to an exported synthetic cohort."""

import csv
import io
import re
import signal
import time
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace
from engine.jobs.queue import Queue
from engine.storage.database import Database
from engine.storage.records import JobState, State
from tests.browser.conftest import Dashboard
from tests.conftest import SHARED
from tests.helpers.simulated_mimic import write_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LONG = 240_000


@pytest.fixture(scope="module")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The open demo where it is at hand, else a simulated folder of the same shape."""
    demo = SHARED / "data" / "mimic3-demo"
    if demo.is_dir():
        return demo
    folder = tmp_path_factory.mktemp("mimic")
    write_folder(folder, patients=120, seed=3)
    return folder


def open_page(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def shoot(page: Page, tmp_path: Path, name: str) -> None:
    page.screenshot(path=tmp_path / f"{name}.png", full_page=True)


def test_a_folder_becomes_an_exported_cohort(dashboard: Dashboard, page: Page, mimic: Path, tmp_path: Path) -> None:
    page.goto(dashboard.url)
    page.get_by_label("Folder on this machine").fill(str(mimic))
    page.get_by_role("button", name="Prepare this folder").click()
    expect(page.get_by_role("button", name="Train a generator")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Patient table")).to_be_visible()
    shoot(page, tmp_path, "data")

    page.get_by_role("button", name="Train a generator").click()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("The generator is ready.")).to_be_visible(timeout=LONG)
    shoot(page, tmp_path, "train")

    open_page(page, "Cohort")
    page.get_by_placeholder("Which patients do you need?").fill("150 women over 60 admitted as an emergency")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Apply to the form").click()
    # While the page is drawn anew, the old field and the new one are both there.
    patients = page.get_by_role("spinbutton", name="Synthetic patients")
    expect(patients).to_have_count(1, timeout=LONG)
    expect(patients).to_have_value("150")
    expect(page.get_by_label("Age (years) from")).to_have_value(re.compile("^60"))
    shoot(page, tmp_path, "request")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("Obey every criterion")).to_be_visible(timeout=LONG)
    shoot(page, tmp_path, "cohort")

    page.get_by_role("button", name="Compare with real").click()
    expect(page.get_by_text("Held-out real patients").first).to_be_visible(timeout=LONG)
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    shoot(page, tmp_path, "compare")
    page.get_by_role("tab", name="Associations").click()
    shoot(page, tmp_path, "associations")

    open_page(page, "Export")
    with page.expect_download(timeout=60_000) as downloading:
        page.get_by_role("button", name=re.compile("Download.*zip")).first.click()
    with zipfile.ZipFile(downloading.value.path()) as archive:
        name = next(one for one in archive.namelist() if one.endswith("cohort.csv"))
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open(name), encoding="utf-8-sig")))
        assert any(one.endswith("manifest.json") for one in archive.namelist())
    assert len(rows) == 150
    assert {row["sex"] for row in rows} == {"F"}
    assert min(float(row["age_years"]) for row in rows) > 60
    assert {row["admission_type"] for row in rows} == {"EMERGENCY"}
    shoot(page, tmp_path, "export")


def test_killing_the_worker_and_restarting_the_dashboard_loses_nothing(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/train")
    expect(page.get_by_text("Trained generators")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
    database = Database.for_workspace(Workspace(dashboard.workspace))
    queue = Queue(database)
    (job,) = queue.jobs(active_only=True)
    while queue.job(job.id).state is not JobState.RUNNING:
        time.sleep(0.05)
    worker = dashboard.worker()
    assert worker is not None
    worker.send_signal(signal.SIGKILL)
    assert queue.job(job.id).state is JobState.RUNNING, "the kill came in the middle of the training"
    dashboard.stop()
    dashboard.start()
    page.goto(f"{dashboard.url}/train")
    end = time.monotonic() + 240
    while queue.job(job.id).is_active and time.monotonic() < end:
        time.sleep(0.2)
    assert queue.job(job.id).state is JobState.DONE
    assert queue.job(job.id).attempt == 2
    assert [model.state for model in database.models()] == [State.READY, State.READY]
    expect(page.get_by_text("Trained generators")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden(timeout=LONG)


def test_a_cold_deep_link_opens_inside_the_shell(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/about")
    expect(page.get_by_role("heading", name="About & privacy")).to_be_visible()
    expect(page.get_by_role("link", name="Cohort", exact=True).first).to_be_visible()


def test_a_rare_cell_of_an_upload_never_reaches_the_browser(dashboard: Dashboard, page: Page, tmp_path: Path) -> None:
    marker = "Zyxomarkeritis"
    path = tmp_path / "ward.csv"
    lines = ["patient,age,diagnosis"]
    lines += [f"P{number},{20 + number % 60},{'asthma' if number % 3 else 'gout'}" for number in range(300)]
    lines[150] = f"P149,99.123,{marker}"
    path.write_text("\n".join(lines), encoding="utf-8")
    frames: list[bytes] = []

    def watch(socket) -> None:
        socket.on("framereceived", lambda data: frames.append(data if isinstance(data, bytes) else data.encode()))

    page.on("websocket", watch)
    page.goto(dashboard.url)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Read this table").click()
    page.get_by_role("button", name="Looks right: prepare it").click(timeout=60_000)
    expect(page.get_by_role("button", name="Train a generator")).to_be_visible(timeout=LONG)
    # The button is drawn before the tabs, whose frames may still be on their way on a busy machine.
    expect(page.get_by_text("Patient table")).to_be_visible(timeout=LONG)
    received = b"".join(frames)
    assert b"asthma" in received or b"Patient table" in received
    open_page(page, "Train")
    page.get_by_label("Generator").first.wait_for()
    received = b"".join(frames)
    assert marker.encode() not in received
    assert b"99.123" not in received

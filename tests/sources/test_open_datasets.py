"""The open demo, fetched from a publisher on the loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.errors import Cancelled, CohortStudioError, DataError
from engine.core.progress import Silent
from engine.sources.mimic3 import open_folder
from engine.sources.open_datasets import SUMS, fetch_mimic3_demo
from tests.helpers.publisher import Publisher
from tests.helpers.simulated_mimic import write_folder


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    folder = tmp_path / "published"
    folder.mkdir()
    write_folder(folder, patients=20, seed=3)
    one = Publisher(folder)
    one.list_files("f" * 64 + "  LICENSE.txt", "0" * 64 + "  ../../evil.csv", "not a line")
    yield one
    one.server.shutdown()


def test_the_tables_arrive_and_can_be_opened(publisher: Publisher, tmp_path: Path) -> None:
    folder = fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Silent())
    published = {path.name: path.read_bytes() for path in publisher.folder.glob("*.csv*")}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == published
    open_folder(folder).close()
    assert not (tmp_path / "evil.csv").exists()
    assert all("evil" not in name and "LICENSE" not in name for name in publisher.asked)


def test_an_interrupted_fetch_goes_on_where_it_stopped(publisher: Publisher, tmp_path: Path) -> None:
    class Impatient:
        files: set[str]

        def __init__(self) -> None:
            self.files = set()

        def update(self, fraction: float, message: str, **figures: float) -> None:
            self.files.add(message)
            if len(self.files) > 4:
                raise Cancelled

    with pytest.raises(Cancelled):
        fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Impatient())
    there = {path.name for path in (tmp_path / "demo").iterdir()}
    assert there and all(not name.startswith(".") for name in there), "no half file is left"
    publisher.asked.clear()
    fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Silent())
    assert not there & set(publisher.asked)


def test_a_file_that_was_changed_here_is_fetched_again(publisher: Publisher, tmp_path: Path) -> None:
    folder = fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Silent())
    changed = next(path for path in folder.iterdir() if path.name.startswith("PATIENTS"))
    good = changed.read_bytes()
    changed.write_bytes(good[:-10])
    fetch_mimic3_demo(folder, address=publisher.address, progress=Silent())
    assert changed.read_bytes() == good


def test_a_file_that_is_not_the_published_one_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    other = next(path for path in publisher.folder.iterdir() if path.name.startswith("ADMISSIONS"))
    other.write_bytes(other.read_bytes() + b"1,2,3\n")
    with pytest.raises(DataError, match=r"ADMISSIONS.*not the published file"):
        fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Silent())
    assert not (tmp_path / "demo" / other.name).exists()


def test_a_list_without_the_tables_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    (publisher.folder / SUMS).write_text("<html>moved</html>")
    with pytest.raises(DataError, match="lacks ADMISSIONS"):
        fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Silent())


def test_a_missing_file_and_a_dead_publisher_are_told(publisher: Publisher, tmp_path: Path) -> None:
    (publisher.folder / SUMS).unlink()
    with pytest.raises(DataError, match=rf"no {SUMS} \(status 404\)"):
        fetch_mimic3_demo(tmp_path / "demo", address=publisher.address, progress=Silent())
    address = publisher.address
    publisher.server.shutdown()
    publisher.server.server_close()
    with pytest.raises(CohortStudioError, match="connection"):
        fetch_mimic3_demo(tmp_path / "demo", address=address, progress=Silent())


@pytest.mark.parametrize("address", ["https://a:port/", "https://a\x00b/"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no address"):
        fetch_mimic3_demo(tmp_path / "demo", address=address, progress=Silent())


@pytest.mark.parametrize("address", ["http://example.org/demo/", "ftp://127.0.0.1/", "file:///etc/"])
def test_an_address_that_anyone_could_rewrite_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not https"):
        fetch_mimic3_demo(tmp_path / "demo", address=address, progress=Silent())

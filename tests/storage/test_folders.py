import os
from pathlib import Path

import pytest

from engine.storage.folders import folder_bytes, published_files, published_folder, sha256


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    with published_folder(target) as temporary:
        (temporary / "weights").write_bytes(b"abc")
        (temporary / "deeper").mkdir()
        (temporary / "deeper" / "more").write_bytes(b"de")
        assert list(target.iterdir()) == []
    assert (target / "weights").read_bytes() == b"abc"
    assert folder_bytes(target) == 5
    assert os.listdir(tmp_path) == ["model"]


def test_a_failure_leaves_the_old_folder_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "weights").write_text("old")
    with pytest.raises(RuntimeError), published_folder(target) as temporary:
        (temporary / "weights").write_text("half")
        raise RuntimeError
    assert (target / "weights").read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_what_a_killed_attempt_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".model.leftover").mkdir()
    (tmp_path / ".models.other").mkdir()
    with published_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("new")
    assert sorted(os.listdir(tmp_path)) == [".models.other", "model"]


def test_files_arrive_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "upload").write_text("raw")
    (tmp_path / "table").write_text("old")
    with published_files(tmp_path) as temporary:
        (temporary / "table").write_text("new")
        (temporary / "splits").write_text("1")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "upload": "raw", "table": "new", "splits": "1",
    }  # fmt: skip


def test_sha256_of_a_known_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

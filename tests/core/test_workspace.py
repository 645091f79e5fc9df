"""Files are whole or absent; identifiers cannot leave the workspace; errors survive a process boundary."""

import copy
import json
from pathlib import Path

import pytest

from engine.core.errors import DataError, UserError
from engine.core.workspace import Workspace, read_json, write_atomically, write_json


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"rows": 1})

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_atomically(path, fail)
    assert read_json(path) == {"rows": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_what_is_no_number_is_null_in_a_file(tmp_path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    write_json(tmp_path / "a.json", {"a": [float("nan"), (float("-inf"), 1.5)], "b": {"c": float("inf"), "d": True}})
    found = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert found == {"a": [None, [None, 1.5]], "b": {"c": None, "d": True}}


@pytest.mark.parametrize("identifier", ["", "../x", "a/b", "a.b", "/etc"])
def test_an_identifier_from_a_url_cannot_name_a_path(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(ValueError, match="not alphanumeric"):
        Workspace(tmp_path).cohort(identifier)


def test_the_workspace_is_private_to_its_user(tmp_path: Path) -> None:
    assert (Workspace(tmp_path / "new").root.stat().st_mode & 0o777) == 0o700


def test_an_error_says_what_where_and_the_remedy_and_can_be_copied() -> None:
    error = DataError("a row is too long", where="row 17", remedy="Quote the comma.")
    assert str(error) == "a row is too long (row 17). Quote the comma."
    assert copy.copy(error).as_dict() == error.as_dict()
    assert isinstance(error, UserError)

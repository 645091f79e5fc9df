"""``parse --backend``: each backend answers with exit code 0; one that is not there leaves the rules and a notice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.workspace import Workspace
from engine.services.assistant import Assistant, Choice
from tests.helpers.openai_server import openai_server

ROOT = Path(__file__).resolve().parents[1]
OLDER = {"column": "age_years", "minimum": 65, "include_minimum": False}
DRAFT = {"intent": "generate", "patients": 50, "criteria": [{"column": "sex", "any_of": ["F"]}, OLDER]}


def parsed(text: str, backend: str, workspace: Path, **environment: str) -> dict:
    own = {"COHORT_STUDIO_WORKSPACE": str(workspace), "HF_HUB_OFFLINE": "1", **environment}
    result = subprocess.run(
        [sys.executable, "-m", "engine", "parse", text, "--backend", backend], cwd=ROOT, capture_output=True, text=True,
        check=False, env={**os.environ, "OMP_NUM_THREADS": "1", **own},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1, "exactly one line of JSON"
    return json.loads(result.stdout)


@pytest.mark.parametrize("backend", ["rules", "llama", "endpoint"])
def test_every_backend_answers_on_a_machine_with_nothing_set_up(tmp_path: Path, backend: str) -> None:
    turn = parsed("50 women over 65", backend, tmp_path / "workspace", HF_HOME=str(tmp_path / "empty"))
    assert (turn["intent"], turn["backend"]) == ("generate", "rules")
    assert turn["spec"]["patients"] == 50
    assert bool(turn["notice"]) == (backend != "rules")
    assert (tmp_path / "workspace").exists() == (backend != "rules"), "the rules need no workspace"


def test_the_endpoint_answers_with_the_key_of_the_environment(tmp_path: Path) -> None:
    with openai_server(content=json.dumps(DRAFT)) as (address, server):
        Assistant(Workspace(tmp_path)).choose(Choice(backend="rules", address=address, endpoint_model="tiny"))
        turn = parsed("50 women over 65", "endpoint", tmp_path, COHORT_STUDIO_ENDPOINT_KEY="sk-of-the-environment")
        assert server.received[0]["_key"] == "Bearer sk-of-the-environment"
        refused = parsed("50 women like Mr. John Smith", "endpoint", tmp_path)
        assert len(server.received) == 1
    assert (turn["backend"], turn["notice"], turn["spec"]["patients"]) == ("endpoint", "", 50)
    assert refused["intent"] == "refuse"
    assert "sk-of-the-environment" not in (tmp_path / "assistant.json").read_text()

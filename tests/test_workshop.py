"""The tools of the workshop, as tests: lint, types, import order, and what the dashboard's process may import."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as main; main()"
HEAVY = (
    "torch", "transformers", "sdv", "sdmetrics", "dp_cgans", "dp_accounting", "sklearn", "scipy", "matplotlib", "typst",
)  # fmt: skip


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "tool",
    [
        (sys.executable, "-m", "ruff", "check", "."),
        (sys.executable, "-m", "ruff", "format", "--check", "."),
        (sys.executable, "-m", "pyright", "-p", ".pyrightconfig.json", "--pythonpath", sys.executable),
        (sys.executable, "-c", LINT_IMPORTS, "--config", ".importlinter", "--no-cache"),
        (sys.executable, "-m", "pip", "check"),
    ],
    ids=["ruff", "format", "pyright", "import order", "pip check"],
)  # fmt: skip
def test_tool_finds_nothing(tool: tuple[str, ...]) -> None:
    result = run(*tool)
    assert result.returncode == 0, result.stdout + result.stderr


def test_dashboard_process_imports_nothing_heavy() -> None:
    code = (
        "import importlib, pkgutil, sys; from engine.services.studio import Studio; import pages.components as parts; "
        "names = [one.name for one in pkgutil.walk_packages(parts.__path__, 'pages.components.')]; "
        "[importlib.import_module(name) for name in names]; assert len(names) > 20, names; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = run(sys.executable, "-c", code)
    assert result.stdout.strip().splitlines()[-1:] == ["[]"], result.stdout + result.stderr


def test_no_machine_path_or_pickle_in_the_repository() -> None:
    files = run("git", "ls-files", "*.py", "*.md", "*.yaml", "*.toml", "*.txt").stdout.split()
    own = Path(__file__).relative_to(ROOT).as_posix()
    for name in files:
        text = (ROOT / name).read_text(encoding="utf-8")
        if name != own:
            assert "/root/" not in text, name
            assert not any(word in text for word in ("pickle.load", "joblib.load", "torch.load(")), name

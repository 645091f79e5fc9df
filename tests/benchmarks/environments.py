"""Virtual environments for peers that do not fit beside the product's packages; made once, outside the repository."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("COHORT_STUDIO_BENCH_CACHE", Path.home() / ".cache" / "cohort-studio-bench"))


@dataclass(frozen=True)
class Environment:
    """Packages by exact version. ``without`` are removed again.

    mostlyai-engine asks for torchvision and torchaudio, whose builds on the index need CUDA and break transformers
    beside a CPU build of torch; a table needs neither.
    """

    name: str
    packages: tuple[str, ...]
    without: tuple[str, ...] = ()


MOSTLYAI = Environment("mostlyai", ("torch==2.13.0", "mostlyai-engine==2.7.3"), ("torchvision", "torchaudio"))
SMARTNOISE = Environment("snsynth", ("torch==2.13.0", "smartnoise-synth==1.0.8"))


def python_of(environment: Environment | None) -> str:
    """The interpreter of an environment, which is made first where it is missing; None is this one's."""
    if environment is None:
        return sys.executable
    folder = CACHE / environment.name
    python, marker = folder / "bin" / "python", folder / "installed.json"
    wanted = [*environment.packages, *(f"-{name}" for name in environment.without)]
    if marker.is_file() and json.loads(marker.read_text("utf-8")) == wanted:
        return str(python)
    print(f"installing {', '.join(environment.packages)} into {folder}", file=sys.stderr)
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip"]
    subprocess.run([*pip, "install", "-q", *environment.packages], check=True, capture_output=True)
    if environment.without:
        subprocess.run([*pip, "uninstall", "-q", "-y", *environment.without], check=True, capture_output=True)
    marker.write_text(json.dumps(wanted), encoding="utf-8")
    return str(python)

"""The states of a training on disk: one safetensors file per completed epoch, its figures as JSON in the file's header.

One file per state means that a state is there as a whole or not at all. The last two are kept.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.core.workspace import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

    from engine.generators.dp_cgan.training import State

_KEPT = 2
_VERSION = 1


def write_checkpoint(folder: Path, state: "State", fingerprint: str) -> None:
    """Write ``state`` durably and drop all but the last two."""
    figures = {part.name: getattr(state, part.name) for part in fields(state) if part.name != "tensors"}
    header = {"state": json.dumps({"version": _VERSION, "fingerprint": fingerprint, "figures": figures})}
    tensors = {name: value.contiguous() for name, value in state.tensors.items()}
    path = folder / f"epoch-{state.epoch:05d}.safetensors"
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=header))
    for old in _files(folder)[:-_KEPT]:
        old.unlink(missing_ok=True)


def read_checkpoint(folder: Path, fingerprint: str) -> "State | None":
    """The last readable state of a fit with the same inputs; None when there is none."""
    for path in reversed(_files(folder)):
        read = _read(path)
        if read is not None and read[0].get("fingerprint") == fingerprint and read[0].get("version") == _VERSION:
            return _state(*read)
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.safetensors")) if folder.is_dir() else []


def _read(path: Path) -> "tuple[dict, dict[str, Tensor]] | None":
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            # Copies, because the file may be replaced while its pages are still mapped.
            return json.loads(header.get("state", "{}")), {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):
        # A damaged file is passed over: the state before it gives the same result, an epoch later.
        return None


def _state(header: dict, tensors: "dict[str, Tensor]") -> "State":
    from engine.generators.dp_cgan.training import State

    return State(tensors, **header["figures"])


def write_tensors(folder: Path, step: int, tensors: "dict[str, Tensor]", fingerprint: str) -> None:
    """Keep the ``tensors`` after ``step`` durably, in place of what was kept before."""
    folder.mkdir(parents=True, exist_ok=True)
    header = {"step": str(step), "fingerprint": fingerprint}
    whole = {name: value.contiguous() for name, value in tensors.items()}
    write_atomically(folder / "state.safetensors", lambda temporary: save_file(whole, temporary, metadata=header))


def read_tensors(folder: Path, fingerprint: str) -> "tuple[int, dict[str, Tensor]] | None":
    """What :func:`write_tensors` kept for the same ``fingerprint``; None where there is nothing readable."""
    try:
        with safe_open(folder / "state.safetensors", framework="pt") as file:
            header = file.metadata() or {}
            if header.get("fingerprint") != fingerprint:
                return None
            return int(header["step"]), {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError):
        return None

"""Folders that appear complete or not at all, and how their content is told apart."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to fill, then move it to ``folder``, which must be absent or be replaced whole.

    Everything in it is flushed to disk first. What earlier, killed attempts at the same folder left is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}."
    for stale in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=prefix))
    try:
        yield temporary
        for path in sorted(temporary.rglob("*"), reverse=True):
            _flush(path)
        _flush(temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
        _flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def published_files(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to fill, then move its files into ``folder``, beside what is there, each atomically."""
    with published_folder(folder / ".new") as temporary:
        yield temporary
    arrived = folder / ".new"
    for path in sorted(arrived.iterdir()):
        os.replace(path, folder / path.name)
    arrived.rmdir()
    _flush(folder)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def sha256(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The workspace's secret, and the keys that are derived from it."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from engine.core.errors import UserError
from engine.core.workspace import Workspace

_BYTES = 32


def derived_key(workspace: Workspace, purpose: str) -> bytes:
    """A key of 32 bytes for ``purpose``, the same every time; keys of different purposes tell nothing of each other.

    The secret is made at the first call (``secret.key``, mode 600) and never changes. Whoever has it can test guesses
    of patient keys against the ledger's hashes, so it must stay as private as the data.

    Raises:
        UserError: the file is damaged, or others may read it.
    """
    return hmac.digest(_secret(workspace.secret_key), purpose.encode(), hashlib.sha256)


def _secret(path: Path) -> bytes:
    if not path.exists():
        _make(path)
    secret = path.read_bytes()
    if len(secret) != _BYTES:
        raise UserError(
            "the workspace's secret key is damaged", where=path.name, remedy="Restore the file from a backup."
        )
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise UserError(
            "other users may read the workspace's secret key", where=path.name, remedy=f"Run: chmod 600 {path}"
        )
    return secret


def _make(path: Path) -> None:
    # Written aside and linked: of two processes that start at once, one wins, and nobody reads half a key.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()

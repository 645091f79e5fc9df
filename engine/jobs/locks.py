"""The lock that the one worker of a workspace holds for its life; the system frees it however the worker ends."""

import hashlib
import secrets
import socket

from filelock import FileLock, Timeout

from engine.core.workspace import Workspace


def worker_lock(workspace: Workspace) -> FileLock:
    """The lock, not yet taken. Never a lock by mere existence of a file: that would outlive a killed worker."""
    return FileLock(workspace.worker_lock, mode=0o600, thread_local=False, fallback_to_soft=False)


def worker_lives(workspace: Workspace) -> bool:
    """Whether a worker holds the lock."""
    lock = worker_lock(workspace)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def owner_prefix(workspace: Workspace) -> str:
    """What the names of all workers of this workspace on this machine begin with.

    Whoever holds the worker lock knows that every other owner of this prefix is dead.
    """
    place = hashlib.sha256(str(workspace.root.resolve()).encode()).hexdigest()[:8]
    return f"{socket.gethostname()[:60]}:{place}:"


def new_owner(workspace: Workspace) -> str:
    """A name for one worker process that no other has had."""
    return owner_prefix(workspace) + secrets.token_hex(6)

"""The worker's log: what it did and where it failed, never what a patient's cell holds.

The text of a foreign exception, a library's warning or print can quote data, so none of it is written: of a failure the
log keeps the types and the places, which is what a developer needs.
"""

import faulthandler
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from engine.core.errors import CohortStudioError

LOG_BYTES = 2_000_000
"""A longer log is set aside when the worker starts."""

_ROOT = Path(__file__).resolve().parents[2]


def set_aside(path: Path) -> None:
    """Move a log that has grown past ``LOG_BYTES`` to ``….1``, replacing the one before."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        os.replace(path, path.with_name(path.name + ".1"))


def log_to_stderr() -> None:
    """Send the engine's own log, and nothing else, to standard error; libraries may print into the void."""
    kept = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    handler = logging.StreamHandler(kept)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    engine = logging.getLogger("engine")
    engine.addHandler(handler)
    engine.setLevel(logging.INFO)
    engine.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
    # A crash in native code leaves the stack (files and lines only) behind.
    faulthandler.enable(kept)
    void = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open for the life of the process
    sys.stdout = sys.stderr = void
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def places(error: BaseException) -> str:
    """Types and places of an exception and of what caused it; texts only of our own errors, which never quote cells."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None and len(lines) < 200:
        own = f": {current}" if isinstance(current, CohortStudioError) else ""
        lines.append(f"{type(current).__module__}.{type(current).__name__}{own}")
        for frame in traceback.extract_tb(current.__traceback__):
            lines.append(f"  {_short(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\n".join(lines)


def location(error: BaseException) -> str:
    """The innermost line of this program that the exception passed, and the library's line below it."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT / "engine")]
    shown = [ours[-1]] if ours else []
    if not ours or frames[-1] is not ours[-1]:
        shown.append(frames[-1])
    return ", ".join(f"{_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in shown)


def _short(file: str) -> str:
    parts = Path(file).parts
    if "site-packages" in parts:
        return "/".join(parts[parts.index("site-packages") + 1 :])
    path = Path(file)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name


def _uncaught(kind: type[BaseException], error: BaseException | None, at: TracebackType | None) -> None:
    logging.getLogger("engine.jobs.worker").critical("uncaught\n%s", places(error) if error else kind.__name__)

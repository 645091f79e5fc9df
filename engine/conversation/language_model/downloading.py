"""The download of a model from Hugging Face: safetensors and tokenizer only, resumable, with progress."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

from engine.conversation.language_model.needs import FILES, cache
from engine.conversation.language_model.settings import TOKEN_VARIABLES, LlamaSettings, token
from engine.core.errors import CohortStudioError, UserError

_LOOK_SECONDS = 0.5

Tell = Callable[[float, float], None]
"""Told gigabytes that are there and gigabytes in all."""


def download(settings: LlamaSettings, tell: Tell) -> Path:
    """The folder with the model's files, downloaded where they are not there yet.

    Raises:
        UserError: the model does not exist, is gated and the token is missing or not allowed, or the disk is full.
        CohortStudioError: the connection failed; what was downloaded is kept.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.errors import HTTPError as Broken  # pyright: ignore[reportPrivateImportUsage]

    secret = token()
    given = {
        "repo_id": settings.model, "revision": settings.pinned, "allow_patterns": list(FILES),
        "token": secret.get_secret_value() if secret is not None else False,
    }  # fmt: skip
    try:
        planned = snapshot_download(**given, dry_run=True)
        total = sum(file.file_size or 0 for file in planned)
        with _Watch(_blobs(settings.model), total, tell):
            return Path(str(snapshot_download(**given)))
    except (OSError, Broken, HFValidationError) as error:
        raise _told(error, settings) from error


def _told(error: Exception, settings: LlamaSettings) -> CohortStudioError:
    """The failure in words; the client wraps its own errors, so the first cause that says something counts."""
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RepositoryNotFoundError):  # gated ones, too
            return UserError(
                f"Hugging Face does not let this machine have {settings.model}",
                remedy=f"Accept the licence on the model's page and set {TOKEN_VARIABLES[0]} to your account's token.",
            )
        if isinstance(cause, (RevisionNotFoundError, HFValidationError)):
            return UserError(f"Hugging Face has no {settings.model} at {settings.pinned or 'its newest state'}")
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            return UserError(f"the download could not be written ({cause.strerror})", remedy="Make room on disk.")
        cause = cause.__cause__ or cause.__context__
    return CohortStudioError(
        f"{settings.model} could not be downloaded ({type(error).__name__})",
        remedy="Check the connection and start again: what was downloaded is kept.",
    )


def _blobs(model: str) -> Path:
    return cache() / f"models--{model.replace('/', '--')}" / "blobs"


class _Watch:
    """Tells how much is on disk while the block runs: the client's own progress bars are for terminals."""

    def __init__(self, folder: Path, total: int, tell: Tell) -> None:
        self._folder, self._total, self._tell = folder, total, tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="download", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            there = sum(path.stat().st_size for path in self._folder.glob("*")) if self._folder.exists() else 0
            self._tell(min(there, self._total) / 1e9, self._total / 1e9)
            if self._over.wait(_LOOK_SECONDS):
                return

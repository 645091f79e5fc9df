"""What a language model needs before it starts: weights on disk, room, memory, a licence and a token."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.conversation.language_model.settings import LLAMA_2, TOKEN_VARIABLES, LlamaSettings, token
from engine.core.errors import UserError

LLAMA_2_LICENCE = "Llama 2 Community License: accept it on the model's page at huggingface.co before the download"
_LLAMA_2_BYTES = 13_477_000_000
_FOUR_BIT = 0.4
"""Memory in 4 bits beside bfloat16: 5-6 GB of 13.5, since embeddings and norms stay as they are."""
_MARGIN = 1.1
"""Buffers and the keys and values of a request, beside the weights."""
FILES = ("*.safetensors", "*.json", "tokenizer.model")
"""What is downloaded: no pickled weights, no code."""


@dataclass(frozen=True)
class Needs:
    """What a model takes and what is there; sizes in gigabytes (10⁹ bytes), None where they are not known.

    Attributes:
        folder: where its files are on this machine; None where they have to be downloaded.
        download_gb: to be downloaded.
        disk_free_gb: free where downloads go.
        memory_gb: for weights and a request.
        memory_free_gb: available on this machine, without those of a GPU.
        licence: what has to be accepted first; empty for models of other makers, whose terms are their own.
        token_is_set: whether the environment holds a token.
        missing: what stands in the way, in words; empty where it can start.
    """

    folder: Path | None
    download_gb: float | None
    disk_free_gb: float
    memory_gb: float | None
    memory_free_gb: float
    licence: str
    token_is_set: bool
    missing: tuple[str, ...]


def needs(settings: LlamaSettings) -> Needs:
    """What the model of ``settings`` needs; looks at this machine only."""
    folder = on_disk(settings)
    weights = _weights(folder) if folder is not None else _LLAMA_2_BYTES if settings.model == LLAMA_2 else None
    memory = None if weights is None else weights * (_FOUR_BIT if settings.four_bit else 1.0) * _MARGIN / 1e9
    download = 0.0 if folder is not None else None if weights is None else weights / 1e9
    disk_free, memory_free = shutil.disk_usage(_existing(cache())).free / 1e9, psutil.virtual_memory().available / 1e9
    missing = [*_faults(settings, folder)]
    if download and download > disk_free:
        missing.append(f"The download takes {download:.1f} GB of disk; {disk_free:.1f} GB are free.")
    is_gated = settings.model.startswith("meta-llama/")
    if folder is None and is_gated and token() is None:
        missing.append(f"The model is gated and the environment holds no token: set {TOKEN_VARIABLES[0]}.")
    return Needs(
        folder=folder, download_gb=download, disk_free_gb=disk_free, memory_gb=memory, memory_free_gb=memory_free,
        licence=LLAMA_2_LICENCE if is_gated else "", token_is_set=token() is not None, missing=tuple(missing),
    )  # fmt: skip


def on_disk(settings: LlamaSettings) -> Path | None:
    """The folder with the model's files; None where a download would be needed."""
    if settings.folder is not None:
        return settings.folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            settings.model, revision=settings.pinned, allow_patterns=list(FILES), local_files_only=True
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    folder = Path(str(found))
    return folder if _weights(folder) and not _faults(settings, folder) else None


def cache() -> Path:
    """Where Hugging Face's client keeps downloads."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def check(found: Needs) -> None:
    """Refuse what cannot work.

    Raises:
        UserError: something is missing; names the first such thing.
    """
    if found.missing:
        remedy = found.licence and f"{found.licence}."
        raise UserError(found.missing[0].rstrip("."), remedy=remedy if found.folder is None else "")


def _faults(settings: LlamaSettings, folder: Path | None) -> list[str]:
    """What the files on this machine lack."""
    found = []
    if folder is not None:
        named = f"folder {settings.model}" if settings.folder is not None else f"the copy of {settings.model}"
        if not (folder / "config.json").is_file():
            found.append(f"There is no config.json in {named}.")
        elif not any(folder.glob("*.safetensors")):
            found.append(f"There are no weights as safetensors in {named}; other formats are not loaded.")
        elif absent := _absent_shards(folder):
            found.append(f"{len(absent)} files of weights are missing in {named}, such as {absent[0]}.")
    if settings.adapter:
        adapter = Path(settings.adapter).expanduser()
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            if not (adapter / name).is_file():
                found.append(f"There is no {name} in the adapter's folder {settings.adapter}.")
    return found


def _absent_shards(folder: Path) -> list[str]:
    from engine.core.workspace import read_json

    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    return sorted({name for name in read_json(index)["weight_map"].values() if not (folder / name).is_file()})


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _existing(path: Path) -> Path:
    """``path``, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())

"""Which language model, from where, and how it runs; the environment (``COHORT_STUDIO_LLAMA_…``) changes defaults."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LLAMA_2 = "meta-llama/Llama-2-7b-chat-hf"
LLAMA_2_REVISION = "f5db02db724555f92da89c216ac04704f23d4590"
TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


class LlamaSettings(BaseSettings):
    """What a page or caller states comes first, then the environment, then the default.

    The token for gated models is no setting: :func:`token` reads it from the environment, and it is written nowhere.
    """

    model_config = SettingsConfigDict(env_prefix="COHORT_STUDIO_LLAMA_", frozen=True, extra="forbid")

    model: str = Field(default=LLAMA_2, min_length=1)
    """Name on Hugging Face, or a folder on this machine."""
    revision: str = ""
    """Commit of the model on Hugging Face; empty: the pinned one of Llama 2, the newest of others."""
    adapter: str = ""
    """Folder of a LoRA adapter; empty for none."""
    four_bit: bool = False
    """Weights in 4 bits; needs a CUDA device and bitsandbytes."""
    device_map: str = "auto"
    max_new_tokens: int = Field(default=640, ge=64, le=2048)
    """Of a draft."""
    explanation_tokens: int = Field(default=96, ge=0, le=512)
    """Of the explanation; 0 for none."""

    @property
    def folder(self) -> Path | None:
        """The model's folder; None where it is a name on Hugging Face."""
        path = Path(self.model).expanduser()
        return path if path.is_absolute() or path.exists() or self.model.startswith((".", "~")) else None

    @property
    def pinned(self) -> str | None:
        """The revision to ask Hugging Face for; None for the newest."""
        return self.revision or (LLAMA_2_REVISION if self.model == LLAMA_2 else None)


def token() -> SecretStr | None:
    """The token for gated models, from the environment."""
    found = next((text for name in TOKEN_VARIABLES if (text := os.environ.get(name, "").strip())), None)
    return SecretStr(found) if found else None

"""Settings, read from the environment (``COHORT_STUDIO_…``) with defaults that suit one person's machine."""

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.core.workspace import ASSETS


class Settings(BaseSettings):
    """Every setting of the product; frozen, so it can be passed around."""

    model_config = SettingsConfigDict(env_prefix="COHORT_STUDIO_", frozen=True)

    workspace: Path = Field(default_factory=lambda: Path.home() / ".cohort-studio")
    """Where data sets, models, cohorts and the database live."""
    database_url: str | None = None
    """SQLAlchemy address; by default an SQLite file inside the workspace."""
    small_cell_minimum: int = Field(default=11, ge=1)
    """Counts of real patients below this are not shown (1-10 suppressed by default)."""
    worker_lease_seconds: float = Field(default=20.0, gt=0)
    """A job whose worker has not renewed its lease for this long is taken over."""
    worker_idle_seconds: float = Field(default=900.0, gt=0)
    """An idle worker exits after this long; the dashboard starts it again when there is work."""
    default_seed: int = 7
    shipped_models: Path = ASSETS / "models"
    """Folder of the models that ship with the product, ready from the first start."""
    demo_address: str = "https://physionet.org/files/mimiciii-demo/1.4/"
    """Folder from which the open MIMIC-III demo is fetched when a person asks for it; a mirror can be named."""
    epsilon_limit: float = Field(default=25.0, gt=0, allow_inf_nan=False)
    """Most that all private trainings on one source may spend together. Totals above 10 are weak protection: the
    default leaves room to explore open data; lower it where the patients matter. A source can have its own limit."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings."""
    return Settings()

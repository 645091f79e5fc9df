"""What the database keeps: the tables, and the frozen records that leave it (never a live row)."""

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 3
"""Raised with every change of the tables; :mod:`engine.storage.migrations` leads there from the one before."""

SHIPPED = "shipped"
"""``source`` of a data set that ships with its model and has no row."""
_ALPHABET = string.ascii_lowercase + string.digits


class State(StrEnum):
    """Where the making of a data set, model or cohort stands."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether something is still to happen."""
        return self in (JobState.QUEUED, JobState.RUNNING)


def new_id() -> str:
    """Twelve lowercase letters and digits: 62 bits that cannot be guessed, fit for URLs and file names."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def now() -> datetime:
    """The time in UTC, with its zone."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Kept as UTC without a zone, which every database can; given back with the zone UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone was given to the database")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """With the zone UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """A data set. ``columns`` counts them; ``fingerprint`` is the SHA-256 of its ``table.parquet``.

    One that ships with its model has no table: ``fingerprint`` is that of its private summary, and ``rows`` and
    ``patients`` are the summary's noisy number.
    """

    id: str
    name: str
    source: str
    location: str
    state: State
    rows: int | None
    patients: int | None
    columns: int | None
    fingerprint: str | None
    message: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A generator trained, or being trained, on a data set."""

    id: str
    dataset_id: str
    generator: str
    options: dict[str, Any]
    seed: int
    state: State
    report: dict[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class CohortRecord:
    """A synthetic cohort drawn, or being drawn, from a model. ``compliance`` in [0, 1].

    ``conversation_id`` names the conversation that it was asked for in, None where there was none.
    """

    id: str
    model_id: str
    dataset_id: str
    conversation_id: str | None
    name: str
    spec: dict[str, Any]
    state: State
    rows: int | None
    seconds: float | None
    compliance: float | None
    report: dict[str, Any] | None
    created_at: datetime


metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

datasets = Table(
    "datasets",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("source", String(20), nullable=False),
    Column("location", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("rows", Integer),
    Column("patients", Integer),
    Column("columns", Integer),
    Column("fingerprint", String(64)),
    Column("message", Text),
    Column("created_at", UtcDateTime, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("dataset_id", String(12), ForeignKey("datasets.id"), nullable=False, index=True),
    Column("generator", String(40), nullable=False),
    Column("options", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("report", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
)

cohorts = Table(
    "cohorts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("model_id", String(12), ForeignKey("models.id"), nullable=False, index=True),
    Column("dataset_id", String(12), ForeignKey("datasets.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", String(20), nullable=False),
    Column("rows", Integer),
    Column("seconds", Float),
    Column("compliance", Float),
    Column("report", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("conversation_id", String(12), ForeignKey("conversations.id")),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("subject", String(12), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("fraction", Float, nullable=False, default=0.0),
    Column("message", Text, nullable=False, default=""),
    Column("figures", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("owner", String(100)),
    Column("lease_until", UtcDateTime),
    # Where this attempt took up the work, so that the remaining time is told from its own pace.
    Column("attempt_at", UtcDateTime),
    Column("attempt_fraction", Float),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("heartbeat_at", UtcDateTime),
    Index("jobs_by_state", "state", "number"),
)

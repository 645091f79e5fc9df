"""The tables of the privacy ledger. They name data sets but do not depend on them: deleting one refunds nothing."""

from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, String, Table, Text

from engine.storage.records import UtcDateTime, metadata

sources = Table(
    "sources",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    # At which the account's epsilon is stated.
    Column("delta", Float, nullable=False),
    # None: the setting's.
    Column("epsilon_limit", Float),
    # Both are of the limit in figures_for; None until computed, after two sources were found to be one.
    Column("spent", Float),
    Column("remaining", Float),
    Column("figures_for", Float),
    # Counts the changes, so that what was decided on old runs is not written.
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

source_members = Table(
    "source_members",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("source_id", String(12), ForeignKey("sources.id"), nullable=False, index=True),
    # "dataset" with its id, or "table" with the file's name.
    Column("kind", String(20), nullable=False),
    Column("reference", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Of the keyed hashes of its patients: the same table again is the same member.
    Column("digest", String(64), nullable=False),
    Column("patients", Integer, nullable=False),
    # Patients that it shares with what was registered before.
    Column("shared", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

privacy_runs = Table(
    "privacy_runs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("source_id", String(12), ForeignKey("sources.id"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("epsilon", Float, nullable=False),
    Column("delta", Float, nullable=False),
    # What the reservation counts as: mu-Gaussian-DP.
    Column("mu", Float, nullable=False),
    Column("identity", Text),
    # Executed under the identity, and under earlier ones of the same run.
    Column("events", JSON, nullable=False),
    Column("earlier", JSON, nullable=False),
    Column("spent", Float),
    Column("created_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
)

privacy_decisions = Table(
    "privacy_decisions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("source_id", String(12), ForeignKey("sources.id"), nullable=False, index=True),
    Column("before", Float, nullable=False),
    Column("after", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

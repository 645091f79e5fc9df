"""The tables of conversations: what was asked of a data set, what was understood, and what became of it."""

from sqlalchemy import JSON, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from engine.storage.records import UtcDateTime, metadata

conversations = Table(
    "conversations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(12), nullable=False, unique=True),
    Column("dataset_id", String(12), ForeignKey("datasets.id"), nullable=False, index=True),
    # The first request whose text is kept; empty until there is one.
    Column("title", Text, nullable=False),
    # The request in the form, as CohortSpec.as_json gives it.
    Column("form", JSON, nullable=False),
    # Counts the changes, so that another tab sees that something was said.
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

exchanges = Table(
    "conversation_exchanges",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("conversation_id", String(12), ForeignKey("conversations.id"), nullable=False, index=True),
    # 1, 2, … within the conversation.
    Column("position", Integer, nullable=False),
    # None where it named a person: such a text is not kept.
    Column("text", Text),
    # As Turn.as_json gives it; None where nothing could answer.
    Column("turn", JSON(none_as_null=True)),
    Column("error", Text),
    # The request that the turn's spec is compared with: the form before it was applied.
    Column("before", JSON, nullable=False),
    # None where there was nothing to apply.
    Column("outcome", String(20)),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("conversation_id", "position", name="exchange_position"),
)

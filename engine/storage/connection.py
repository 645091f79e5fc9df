"""How the database is reached: addresses, durable SQLite, transactions that lock first, failures in plain words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import DatabaseError as SqlDatabaseError

from engine.core.errors import InternalError, UserError

_READS = "cohort_studio_reads"


def absolute_url(url: str) -> str:
    """``url`` with the path of an SQLite file made absolute: worker and dashboard run in different folders.

    Raises:
        UserError: it is no SQLAlchemy address.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The text may hold a password, so it is not repeated.
        raise UserError(
            "the database address cannot be read",
            where="COHORT_STUDIO_DATABASE_URL",
            remedy="Write it as SQLAlchemy does, for example sqlite:////data/studio.db.",
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database and not parsed.database.startswith((":", "file:")):
        parsed = parsed.set(database=str(Path(parsed.database).expanduser().resolve()))
    return parsed.render_as_string(hide_password=False)


def shown(url: str) -> str:
    """``url`` without its password, for messages."""
    return make_url(url).render_as_string(hide_password=True)


def connect(url: str) -> Engine:
    """Connections to ``url``; an SQLite file is made private to the user and durable.

    Raises:
        UserError: the driver is absent or the file may not be written.
    """
    place = shown(url)
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database and not parsed.database.startswith((":", "file:")):
        _make_private(Path(parsed.database))
    try:
        # Parameters can hold names that a person typed; they do not belong in logs.
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=not sqlite)
    except (ImportError, NoSuchModuleError) as error:
        raise UserError(
            "the driver for this database is not installed",
            where=place,
            remedy="Install it with pip, or leave COHORT_STUDIO_DATABASE_URL empty for the built-in SQLite.",
        ) from error
    if sqlite:
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def for_reading(engine: Engine) -> Engine:
    """The same connections, for transactions that take no write lock."""
    return engine.execution_options(**{_READS: True})


def _make_private(path: Path) -> None:
    # SQLite gives its journal files the mode of the database file, so creating it as 600 covers all three.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UserError(
            "the database file cannot be opened for writing",
            where=str(path),
            remedy="Choose a folder that you may write to with COHORT_STUDIO_WORKSPACE.",
        ) from error


def _on_connect(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes late and deferred; ours (below) comes first and takes the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn the database's failures into ones that a person can act on.

    Raises:
        InternalError: the database failed or stayed locked.
        UserError: what is there is no readable database.
    """
    try:
        yield
    except SqlDatabaseError as error:
        text = str(error.orig).lower()
        if "not a database" in text or "malformed" in text:
            raise unfit(place, "is not a readable database") from error
        if isinstance(error, OperationalError) and "locked" in text:
            raise InternalError(
                "the database stayed locked for 5 seconds",
                where=place,
                remedy="Close other programs that hold it open, then try again.",
            ) from error
        raise InternalError(
            f"the database refused ({type(error).__name__})",
            where=place,
            remedy="Check that the disk has space and the file may be written.",
        ) from error
    except SQLAlchemyError as error:
        raise InternalError(f"the database failed ({type(error).__name__})", where=place) from error


def unfit(place: str, what: str) -> UserError:
    """The error for a database that this version cannot use."""
    return UserError(
        f"the database {what}",
        where=place,
        remedy="Use the version that made it, or choose another workspace with COHORT_STUDIO_WORKSPACE.",
    )

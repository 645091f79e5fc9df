"""Which tables share patients, told from keyed hashes, so that the ledger keeps no patient's key and no row.

Two tables share a patient when both name their patients and one key occurs in both, whatever its column is called and
however it is padded ("007" and "7.0" are one key), or when one of them names no patients and a whole row of features
occurs in both. One shared patient is enough: the budget protects each patient, not most of them.

What this recognises: the same file again, a newer extract, an excerpt, other columns of the same patients, MIMIC-III
beside a CSV made from it with its subject numbers. What it cannot: the same patients under new keys (another pseudonym
in every extract), or without keys once any value or column differs; such tables must be registered as one source by
the person who knows. It also takes strangers for the same person where two hospitals number their patients alike; then
one budget serves both, which is strict but never unsafe.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.core.errors import UserError
from engine.core.workspace import Workspace, write_atomically
from engine.privacy.keys import derived_key
from engine.schema.table import Kind, TableSchema

_HASH_BYTES = 8
_NONE = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class Fingerprint:
    """Keyed hashes of a table, each sorted and distinct: of its patients' keys (n,) and of its rows (m,), uint64.

    ``patients`` is empty where the table names none. ``key`` tells which secret made the hashes.
    """

    patients: np.ndarray
    rows: np.ndarray
    key: str

    @classmethod
    def of(cls, table: pd.DataFrame, schema: TableSchema, workspace: Workspace) -> "Fingerprint":
        """The fingerprint of a conformed table.

        Raises:
            UserError: the workspace's secret key cannot be used.
        """
        key = derived_key(workspace, "overlap of sources")
        named = schema.patient_key
        patients = _NONE
        if named is not None:
            words = table[named].dropna().astype(str).unique()
            patients = _distinct(b"".join(_hash(_plain(word).encode(), key) for word in words))
        return cls(patients, _rows(table, schema, key), hashlib.sha256(key).hexdigest()[:16])

    @property
    def people(self) -> int:
        """Patients, each row counting as one where none are named."""
        return len(self.patients) if len(self.patients) else len(self.rows)

    @property
    def digest(self) -> str:
        """Names the fingerprint: the same for the same patients and rows."""
        return hashlib.sha256(self.patients.tobytes() + b"|" + self.rows.tobytes()).hexdigest()

    def shared(self, other: "Fingerprint") -> int:
        """How many patients (or whole rows, where one of the two names no patients) are in both.

        Raises:
            UserError: the hashes were made with different secrets, so they cannot be compared.
        """
        if self.key != other.key:
            raise UserError(
                "the workspace's secret key is not the one that its sources were registered with",
                where="secret.key",
                remedy="Restore the file from a backup: without it, patients that were trained on before "
                "cannot be recognised.",
            )
        if len(self.patients) and len(other.patients):
            return len(np.intersect1d(self.patients, other.patients, assume_unique=True))
        return len(np.intersect1d(self.rows, other.rows, assume_unique=True))

    def save(self, path: Path) -> None:
        """Write to ``path`` (mode 600), whole or not at all."""

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, patients=self.patients, rows=self.rows, key=np.frombuffer(self.key.encode(), np.uint8))

        write_atomically(path, write)

    @classmethod
    def load(cls, path: Path) -> "Fingerprint":
        """What ``save`` wrote.

        Raises:
            UserError: the file is gone or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(stored["patients"], stored["rows"], stored["key"].tobytes().decode())
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                "the ledger's record of a source's patients is gone or damaged",
                where=path.name,
                remedy="Restore the workspace's ledger folder from a backup.",
            ) from error


def _rows(table: pd.DataFrame, schema: TableSchema, key: bytes) -> np.ndarray:
    columns = sorted(schema.features, key=lambda column: column.name)
    parts = []
    for column in columns:
        cells = table[column.name]
        if column.kind is Kind.CATEGORICAL:
            values = cells.astype(str)
        elif column.kind is Kind.DATE:
            values = pd.Series(cells.to_numpy().astype("datetime64[s]").astype(np.int64))
        else:
            values = pd.Series(cells.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)) + 0.0
        # Pandas' hash only shortens the cells; the keyed hash over a whole row is what is kept.
        parts.append(pd.util.hash_array(np.asarray(values), categorize=True))
    if not parts:
        return _NONE
    names = "\x1f".join(column.name for column in columns).encode()
    own = hashlib.sha256(key + names).digest()
    packed = np.ascontiguousarray(np.stack(parts, axis=1))
    return _distinct(b"".join(_hash(row.tobytes(), own) for row in packed))


def _plain(word: str) -> str:
    word = word.strip().casefold().removesuffix(".0")
    return word.lstrip("0") or "0" if word.isdecimal() else word


def _hash(value: bytes, key: bytes) -> bytes:
    # Keyed BLAKE2b is a message authentication code (RFC 7693); 64 bits of it collide once in 10^9 pairs of hospitals.
    return hashlib.blake2b(value, key=key, digest_size=_HASH_BYTES).digest()


def _distinct(packed: bytes) -> np.ndarray:
    return np.unique(np.frombuffer(packed, dtype="<u8").astype(np.uint64))

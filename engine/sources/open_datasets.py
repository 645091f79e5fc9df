"""Open clinical data that is fetched from its publisher when a person asks for it.

Every file is checked against the publisher's own list of checksums (``SHA256SUMS.txt``), fetched with it: that catches
what was cut off or changed on the way. Who the publisher is, is TLS's to prove; no checksum is kept in the product.
Files that are there and right are not fetched again, so an interrupted fetch goes on where it stopped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx

from engine.core.errors import CohortStudioError, DataError
from engine.core.progress import Progress
from engine.core.workspace import write_atomically
from engine.sources.mimic3_tables import TABLES

SUMS = "SHA256SUMS.txt"
MOST_BYTES = 500_000_000
"""Of one file; the largest of the demo has 78 MB."""
_MOST_SUMS_BYTES = 1_000_000
_TIMEOUT = httpx.Timeout(30.0)
_LINE = re.compile(r"^([0-9a-fA-F]{64}) [ *](.+)$")


@dataclass(frozen=True)
class OpenDataset:
    """A data set with a published address.

    Attributes:
        title: its name for a person.
        page: where its publisher describes it.
        licence: under which it is published.
        citation: how to cite it.
    """

    title: str
    page: str
    licence: str
    citation: str


MIMIC3_DEMO = OpenDataset(
    title="MIMIC-III Clinical Database Demo 1.4",
    page="https://doi.org/10.13026/C2HM2Q",
    licence="Open Database License 1.0",
    citation="Johnson A, Pollard T, Mark R (2019). MIMIC-III Clinical Database Demo (version 1.4). PhysioNet.",
)


def fetch_mimic3_demo(folder: Path, *, address: str, progress: Progress) -> Path:
    """Fetch the tables of the MIMIC-III demo into ``folder`` and return it.

    Args:
        folder: where the files are kept.
        address: the publisher's folder; https, or http on this machine.
        progress: told of each file and its bytes; may cancel.

    Raises:
        DataError: the address is not fit, its list lacks the tables, or a file is not the published one.
        CohortStudioError: the connection failed; what was fetched is kept.
    """
    base = _base(address)
    folder.mkdir(parents=True, exist_ok=True)
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        try:
            progress.update(0.0, "Reading the list of files")
            wanted = _tables(_read(client, base.join(SUMS)))
            for number, (name, digest) in enumerate(wanted.items()):
                path, begin = folder / name, number / len(wanted)
                if path.exists() and _digest(path) == digest:
                    continue
                progress.update(begin, f"Fetching {name}")
                _fetch(client, base.join(name), path, digest, begin, 1 / len(wanted), progress)
        except httpx.HTTPStatusError as error:
            raise DataError(
                f"the publisher has no {error.request.url.path.rsplit('/', 1)[-1]} (status "
                f"{error.response.status_code})",
                where=base.host,
                remedy="Fetch the demo from its page by hand and name the folder.",
            ) from error
        except httpx.HTTPError as error:
            raise CohortStudioError(
                f"the connection to {base.host} failed ({type(error).__name__})",
                remedy="Try again: what was fetched is kept. Or name a folder that holds the demo.",
            ) from error
    return folder


def _base(address: str) -> httpx.URL:
    try:
        return _safe(httpx.URL(address if address.endswith("/") else f"{address}/"))
    except httpx.InvalidURL as error:
        raise DataError(
            "the demo's address is no address", remedy="Set COHORT_STUDIO_DEMO_ADDRESS to an https address."
        ) from error


def _safe(url: httpx.URL) -> httpx.URL:
    if url.scheme != "https" and not (url.scheme == "http" and url.host in ("127.0.0.1", "localhost", "::1")):
        raise DataError("the demo's address is not https", remedy="Set COHORT_STUDIO_DEMO_ADDRESS to an https address.")
    return url


def _tables(listing: str) -> dict[str, str]:
    """SHA-256 by file name of every table in the publisher's list; other files are of no use here."""
    known = {table.name for table in TABLES}
    found: dict[str, str] = {}
    for line in listing.splitlines():
        match = _LINE.match(line.strip())
        # A name of one of the 26 tables has no separators, so it cannot lead out of the folder.
        if match and match[2].removesuffix(".gz").removesuffix(".csv").upper() in known and ".csv" in match[2]:
            found[match[2]] = match[1].lower()
    required = {table.name for table in TABLES if table.required}
    missing = sorted(required - {name.split(".")[0].upper() for name in found})
    if missing:
        raise DataError(
            f"the publisher's list of files lacks {', '.join(missing)}", where=SUMS,
            remedy="Fetch the demo from its page by hand and name the folder.",
        )  # fmt: skip
    return found


def _read(client: httpx.Client, url: httpx.URL) -> str:
    parts = []
    for block in _blocks(client, url, most=_MOST_SUMS_BYTES):
        parts.append(block[0])
    return b"".join(parts).decode("utf-8", errors="replace")


def _fetch(
    client: httpx.Client, url: httpx.URL, path: Path, digest: str, begin: float, share: float, progress: Progress
) -> None:
    def write(temporary: Path) -> None:
        seen, hashed = 0, sha256()
        with temporary.open("wb") as target:
            for block, total in _blocks(client, url, most=MOST_BYTES):
                target.write(block)
                hashed.update(block)
                seen += len(block)
                progress.update(begin + share * (min(seen / total, 1.0) if total else 0.5), f"Fetching {path.name}")
        if hashed.hexdigest() != digest:
            raise DataError(
                f"{path.name} is not the published file: its checksum is another one", where=url.host,
                remedy="Try again; if it stays so, do not use the file and tell the publisher.",
            )  # fmt: skip

    write_atomically(path, write)


def _blocks(client: httpx.Client, url: httpx.URL, *, most: int) -> Iterator[tuple[bytes, int]]:
    """The file's blocks, each with its announced size (0 where there is none)."""
    with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
        answer.raise_for_status()
        _safe(answer.url)  # where redirections led
        seen, total = 0, int(answer.headers.get("Content-Length", 0))
        for block in answer.iter_bytes(1 << 18):
            seen += len(block)
            if seen > most:
                raise DataError(f"{url.path.rsplit('/', 1)[-1]} is larger than {most:,} bytes", where=url.host)
            yield block, total


def _digest(path: Path) -> str:
    hashed = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()

"""A publisher of the open demo on the loopback."""

import threading
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from engine.sources.open_datasets import SUMS


class Publisher:
    """A folder of MIMIC-III tables with its list of checksums, served on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        publisher = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path.removeprefix("/"))
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def list_files(self, *further: str) -> None:
        lines = [
            f"{sha256(path.read_bytes()).hexdigest()} {path.name}"
            for path in sorted(self.folder.glob("*.csv*"))
        ]  # fmt: skip
        # The publisher's list has two spaces, or one and a star for binary.
        (self.folder / SUMS).write_text("\n".join([line.replace(" ", "  ") for line in lines] + list(further)) + "\n")

"""A server that speaks as much of Hugging Face's protocol as a download needs, for one model in a folder."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves ``folder`` as ``model``; with ``token``, to those who bring it only."""

    def __init__(self, folder: Path, *, model: str, token: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.model, self.token = folder, model, token
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """What HF_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        if not path.startswith((f"/api/models/{self.server.model}", f"/{self.server.model}/resolve/")):
            return self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"}, with_body)
        if path.startswith("/api/"):
            return self._send(200, self._listing(path), {"Content-Type": "application/json"}, with_body)
        file = self.server.folder / path.rsplit("/", 1)[1]
        if not file.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, with_body)
        content = file.read_bytes()
        tag = hashlib.sha256(content).hexdigest()
        return self._send(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}, with_body)

    def _listing(self, path: str) -> bytes:
        files = [(file.name, file.stat().st_size) for file in sorted(self.server.folder.iterdir())]
        if "/tree/" in path:
            entries = [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in files]
            return json.dumps(entries).encode()
        siblings = [{"rfilename": name, "size": size} for name, size in files]
        return json.dumps({"id": self.server.model, "sha": COMMIT, "siblings": siblings}).encode()

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

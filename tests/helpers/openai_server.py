"""A server of the OpenAI protocol on the loopback: it answers what a test tells it to, and keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Behaviour:
    """What the server does with a request for a completion."""

    content: str | None = "{}"
    """What its model says."""
    explanation: str = "Women over 65."
    """What its model says in a streamed answer, word by word."""
    status: int = 200
    body: bytes | None = None
    """In place of a well-formed answer."""
    pause: float = 0.0
    """Seconds before the answer, and before each word of a streamed one."""
    finish: str = "stop"
    models: tuple[str, ...] = ("tiny",)
    headers: dict[str, str] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the requests, with their headers and path."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client went away before it had been answered."""


@contextmanager
def openai_server(**behaviour: Any) -> Iterator[tuple[str, Behaviour]]:
    """The address and the behaviour, which may be changed while the server runs."""
    doing = Behaviour(**behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._note({})
            self._answer({"object": "list", "data": [{"id": name, "object": "model"} for name in doing.models]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._note(body)
            if body.get("stream"):
                self._stream()
                return
            time.sleep(doing.pause)
            choice = {"index": 0, "message": {"role": "assistant", "content": doing.content}}
            self._answer({"id": "1", "choices": [choice | {"finish_reason": doing.finish}], "usage": {}})

        def _note(self, body: dict[str, Any]) -> None:
            doing.received.append(body | {"_path": self.path, "_key": self.headers.get("Authorization")})

        def _answer(self, value: dict[str, Any]) -> None:
            content = json.dumps(value).encode() if doing.body is None else doing.body
            try:
                self.send_response(doing.status)
                for name, text in (doing.headers | {"Content-Length": str(len(content))}).items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                doing.left.set()

        def _stream(self) -> None:
            self.send_response(doing.status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                self.wfile.write(b": a comment keeps the connection open\n\n")
                for word in doing.explanation.split(" "):
                    piece = {"choices": [{"index": 0, "delta": {"content": word + " "}}]}
                    self.wfile.write(f"data: {json.dumps(piece)}\r\n\r\n".encode())
                    time.sleep(doing.pause)
                self.wfile.write(b'data: {"choices": []}\n\ndata: [DONE]\n\n')
            except OSError:
                doing.left.set()

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests need no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", doing
    finally:
        server.shutdown()
        server.server_close()

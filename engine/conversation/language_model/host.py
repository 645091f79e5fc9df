"""The language model's own process: ``python -m engine.conversation.language_model.host``, spoken to over its pipes.

It loads the model named by its first line (downloading it first where it is absent), answers one request after the
other, and ends when its standard input does, that is with the process that started it. It is no server: it opens no
port.
"""

import json
import logging
import os
import sys
import threading
from queue import SimpleQueue
from threading import Event
from typing import IO, Any

from engine.cohort.spec import CohortSpec
from engine.conversation.language_model.downloading import download
from engine.conversation.language_model.needs import check, needs
from engine.conversation.language_model.settings import LlamaSettings
from engine.conversation.language_model.wire import write_line
from engine.core.errors import CohortStudioError, InternalError
from engine.schema.table import TableSchema

FAILED = 3
"""Exit code after a model could not be loaded; the reason was told."""
_log = logging.getLogger(__name__)


class Host:
    """Reads requests from ``source`` in a thread of its own and writes what comes of them to ``sink``."""

    def __init__(self, source: IO[str], sink: IO[str]) -> None:
        self._source, self._sink = source, sink
        self._writing = threading.Lock()
        self._requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._stops: dict[int, Event] = {}

    def run(self) -> int:
        """Load the model and answer requests until the input ends; returns an exit code."""
        settings = LlamaSettings.model_validate_json(self._source.readline())
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        try:
            model = self._load(settings)
        except CohortStudioError as error:
            _log.warning("llama: failed to load (%s)", type(error).__name__)
            self._write({"state": "failed", "detail": str(error)})
            return FAILED
        while True:
            self._answer(model, self._requests.get())

    def _load(self, settings: LlamaSettings) -> Any:
        found = needs(settings)
        check(found)
        if found.folder is None:
            self._write({"state": "downloading", "detail": "The download begins."})
            download(settings, lambda there, total: self._write(
                {"state": "downloading", "detail": f"{there:.1f} of {total:.1f} GB are there."}
            ))  # fmt: skip
        self._write({"state": "loading", "detail": "The model is loaded into memory."})
        from engine.conversation.language_model.backend import LanguageModel

        model = LanguageModel(settings)
        loaded = model.load()
        _log.info("llama: loaded in %.1f s, %.0f MB on %s", loaded.seconds, loaded.memory_mb, loaded.device)
        self._write({
            "state": "ready", "detail": f"It runs on {loaded.device}.", "memory_mb": loaded.memory_mb,
            "load_seconds": loaded.seconds,
        })  # fmt: skip
        return model

    def _answer(self, model: Any, asked: dict[str, Any]) -> None:
        number, previous = asked["id"], asked["previous"]

        def tell(piece: str) -> None:
            self._write({"id": number, "told": piece})

        try:
            turn = model.parse(
                asked["text"],
                schema=TableSchema.model_validate(asked["schema"]),
                previous=CohortSpec.model_validate(previous) if previous is not None else None,
                stop=self._stops[number],
                tell=tell if asked["tell"] else None,
            )
            self._write({"id": number, "turn": turn.model_dump(mode="json")})
        except CohortStudioError as error:
            self._write({"id": number, "error": error.as_dict()})
        except Exception as error:
            # Whatever a library raises concerns this request; the traceback could show its text and is not kept.
            _log.error("llama: a request broke (%s)", type(error).__name__)
            broke = InternalError(f"the language model broke ({type(error).__name__})")
            self._write({"id": number, "error": broke.as_dict()})
        finally:
            del self._stops[number]

    def _listen(self) -> None:
        for line in self._source:
            message = json.loads(line)
            if message["do"] == "parse":
                self._stops[message["id"]] = Event()
                self._requests.put(message)
            elif (event := self._stops.get(message["id"])) is not None:
                event.set()
        # The process that started this one is gone or wants no more; a download or generation is not waited for.
        os._exit(0)

    def _write(self, message: dict[str, Any]) -> None:
        with self._writing:
            write_line(self._sink, message)


def main() -> int:
    """Talk over the standard pipes; what libraries print goes to standard error."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for noisy in ("httpx", "huggingface_hub", "transformers"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return Host(sys.stdin, sink).run()


if __name__ == "__main__":
    sys.exit(main())

"""The language model as a backend of another process, which loads neither torch nor transformers.

:class:`HostedModel` starts :mod:`.host` as a child, knows its state, and asks it. A child that dies fails the requests
under way with a clear error; one that had been ready is started again.
"""

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from engine.cohort.spec import CohortSpec
from engine.conversation.backend import BackendState
from engine.conversation.contract import BackendName, Turn
from engine.conversation.language_model.needs import Needs, needs
from engine.conversation.language_model.prompt import check_text
from engine.conversation.language_model.settings import LlamaSettings
from engine.conversation.language_model.wire import error_of, write_line
from engine.core.errors import CohortStudioError
from engine.schema.table import TableSchema

_ROOT = Path(__file__).resolve().parents[3]
_LOOK_SECONDS = 0.05
_END_SECONDS = 5.0
_STARTING = BackendState("loading", "Its process is being started.")
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1",
}  # fmt: skip
_log = logging.getLogger(__name__)

_Answers = SimpleQueue[dict[str, Any] | None]


class HostedModel:
    """A language model in a child process. All methods may be called from any thread."""

    name: BackendName = "llama"

    def __init__(self, settings: LlamaSettings, *, log: Path | None = None) -> None:
        """``log`` is a file for the child's standard error, which holds no text of any request."""
        folder = settings.folder
        self._settings = (
            settings.model_copy(update={"model": str(folder.resolve())}) if folder is not None else settings
        )
        self._log_file = log
        self._guard = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._state: BackendState | None = None
        self._waiting: dict[int, _Answers] = {}
        self._numbers = itertools.count(1)

    def needs(self) -> Needs:
        """What the model takes and what is missing, before it is started."""
        return needs(self._settings)

    def state(self) -> BackendState:
        """How far it is; before the first start, whether it is on this machine."""
        with self._guard:
            if self._state is not None:
                return self._state
        found = self.needs()
        if found.missing:
            return BackendState("absent", " ".join((*found.missing, found.licence and f"{found.licence}.")).strip())
        if found.folder is None:
            size = f" ({found.download_gb:.1f} GB)" if found.download_gb else ""
            return BackendState("absent", f"It is not on this machine; starting it downloads it{size}.")
        return BackendState("off", "It is on this machine and not loaded.")

    def start(self) -> None:
        """Start the child, which downloads and loads the model; returns at once. One that runs already goes on."""
        with self._guard:
            if self._process is not None:
                return
            self._state = _STARTING
            process = self._process = self._launch()
            threading.Thread(target=self._listen, args=(process,), name="language model", daemon=True).start()

    def stop(self) -> None:
        """End the child, whatever it is doing; a download goes on where it stopped when it is started again."""
        with self._guard:
            process, self._process, self._state = self._process, None, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # by which the child knows
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self, seconds: float) -> BackendState:
        """The state once it is ready or failed, or after ``seconds``."""
        until = time.monotonic() + seconds
        while (state := self.state()).state in ("downloading", "loading") and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        return state

    def parse(
        self,
        text: str,
        *,
        schema: TableSchema,
        previous: CohortSpec | None = None,
        stop: Event | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Turn:
        """See :class:`engine.conversation.backend.Backend`."""
        check_text(text)
        number, answers = self._ask({
            "do": "parse", "text": text, "schema": schema.model_dump(mode="json"),
            "previous": previous.model_dump(mode="json") if previous is not None else None, "tell": tell is not None,
        })  # fmt: skip
        try:
            return self._await(number, answers, stop, tell)
        finally:
            with self._guard:
                self._waiting.pop(number, None)

    def _ask(self, message: dict[str, Any]) -> tuple[int, _Answers]:
        with self._guard:
            state = self.state()
            if self._process is None or state.state != "ready":
                raise CohortStudioError(f"the language model is not ready ({state.state})", remedy=state.detail)
            number, answers = next(self._numbers), _Answers()
            self._waiting[number] = answers
            self._send(self._process, {**message, "id": number})
            return number, answers

    def _await(
        self, number: int, answers: _Answers, stop: Event | None, tell: Callable[[str], None] | None
    ) -> Turn:  # fmt: skip
        told_to_stop = False
        while True:
            if stop is not None and stop.is_set() and not told_to_stop:
                told_to_stop = True
                with self._guard:
                    if self._process is not None:
                        self._send(self._process, {"do": "stop", "id": number})
            try:
                answer = answers.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            if answer is None:
                what = "the language model's process ended before it had answered"
                raise CohortStudioError(what, remedy=self.state().detail or "Start it again on the page Assistant.")
            if "told" in answer and tell is not None:
                tell(answer["told"])
            elif "error" in answer:
                raise error_of(answer["error"])
            elif "turn" in answer:
                return Turn.model_validate(answer["turn"])

    def _launch(self) -> subprocess.Popen[str]:
        errors = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if self._log_file else None
        try:
            process = subprocess.Popen(
                (sys.executable, "-m", "engine.conversation.language_model.host"),
                cwd=_ROOT, env={**os.environ, **_QUIET}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if errors is None else errors, text=True, encoding="utf-8",
                start_new_session=True,
            )  # fmt: skip
        finally:
            if errors is not None:
                os.close(errors)
        self._send(process, self._settings.model_dump(mode="json"))
        return process

    def _send(self, process: "subprocess.Popen[str]", message: dict[str, Any]) -> None:
        if process.stdin is None:
            return
        try:
            write_line(process.stdin, message)
        except (BrokenPipeError, ValueError):
            _log.debug("the language model's process is gone")  # the thread that listens tells whoever waits

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        was_ready = False
        for line in process.stdout or ():
            message = json.loads(line)
            if "state" not in message:
                with self._guard:
                    if (answers := self._waiting.get(message["id"])) is not None:
                        answers.put(message)
                continue
            was_ready = was_ready or message["state"] == "ready"
            self._note(process, BackendState(**message))
        self._bury(process, process.wait(), was_ready=was_ready)

    def _note(self, process: "subprocess.Popen[str]", state: BackendState) -> None:
        with self._guard:
            if process is self._process:
                self._state = state

    def _bury(self, process: "subprocess.Popen[str]", code: int, *, was_ready: bool) -> None:
        """Tell whoever waits that ``process`` is gone, and start another one where it had worked."""
        with self._guard:
            for answers in self._waiting.values():
                answers.put(None)
            if process is not self._process:
                return  # it was stopped, or another one has taken its place
            self._process = None
            if self._state is None or self._state.state != "failed":
                self._state = BackendState("failed", _cause(code))
            if was_ready:
                _log.warning("the language model's process ended (%s); it is started again", code)
                self.start()


def _cause(code: int) -> str:
    if code == -signal.SIGKILL:
        return "Its process was killed, probably because memory ran out."
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    return f"Its process ended unexpectedly ({how})."

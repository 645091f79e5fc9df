"""An answer on its way: made in a thread of its own, so that a page can show its pieces and stop it."""

import logging
from collections.abc import Callable
from threading import Condition, Event, Thread

from engine.conversation.contract import Turn
from engine.core.errors import CohortStudioError

_FAULT = "The request could not be answered because of a fault in the program. Other words may help."
_NOT_KEPT = "The answer could not be kept because of a fault in the program. Ask again."
_log = logging.getLogger(__name__)


class Reply:
    """Runs ``ask`` in a thread and hands its turn, or what went wrong, to ``keep``; then it is done."""

    def __init__(self, text: str, ask: Callable[["Reply"], Turn], keep: Callable[[Turn | None, str], None]) -> None:
        self.text = text
        """The request, for the screen while it is not stored."""
        self.stopping = Event()
        self.lost = ""
        """Why the answer could not be kept; empty where it was."""
        self._changed = Condition()
        self._pieces: list[str] = []
        self._done = False
        Thread(target=self._run, args=(ask, keep), name="reply", daemon=True).start()

    @property
    def is_done(self) -> bool:
        """Whether the answer is kept, or lost."""
        return self._done

    @property
    def said(self) -> str:
        """The explanation so far."""
        return "".join(self._pieces)

    def tell(self, piece: str) -> None:
        """Add a piece of explanation."""
        with self._changed:
            self._pieces.append(piece)
            self._changed.notify_all()

    def stop(self) -> None:
        """Ask for an early end; what can be said without more work is the answer."""
        self.stopping.set()

    def wait(self, seconds: float) -> None:
        """Until it is done, there is something to read, or ``seconds`` are over."""
        with self._changed:
            self._changed.wait_for(lambda: self._done or bool(self._pieces), timeout=seconds)

    def _run(self, ask: Callable[["Reply"], Turn], keep: Callable[[Turn | None, str], None]) -> None:
        turn, problem = None, _FAULT
        try:
            turn, problem = ask(self), ""
        except CohortStudioError as error:
            problem = str(error)
        finally:
            try:
                keep(turn, problem)
            except CohortStudioError as error:
                self.lost = f"The answer could not be kept: {error}"
            except Exception:  # whatever it is, the page has to say that there is no answer
                _log.exception("an answer could not be kept")
                self.lost = _NOT_KEPT
            finally:
                with self._changed:
                    self._done = True
                    self._changed.notify_all()

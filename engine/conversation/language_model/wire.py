"""What the model's process and the one that uses it say to each other: one JSON object per line of their pipes.

To the host: the settings first, then ``{"do": "parse", "id": 1, "text": …, "schema": …, "previous": …, "tell": true}``
and ``{"do": "stop", "id": 1}``. From the host: ``{"state": …, "detail": …}`` whenever that changes, and for each
request ``{"id": 1, "told": …}`` any number of times, then one ``"turn"`` or ``"error"``.
"""

import json
from typing import IO, Any

from engine.core.errors import CohortStudioError, InternalError, UserError

_KINDS = {kind.__name__: kind for kind in (CohortStudioError, UserError, InternalError)}


def write_line(pipe: IO[str], message: dict[str, Any]) -> None:
    """Send ``message``; whoever shares the pipe holds a lock."""
    pipe.write(json.dumps(message, ensure_ascii=True) + "\n")
    pipe.flush()


def error_of(told: dict[str, str]) -> CohortStudioError:
    """The error that :meth:`CohortStudioError.as_dict` told of."""
    kind = _KINDS.get(told["kind"], CohortStudioError)
    return kind(told["what"], where=told["where"], remedy=told["remedy"])

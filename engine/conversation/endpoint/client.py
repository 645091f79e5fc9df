"""The part of the OpenAI protocol that vLLM, Ollama and llama.cpp share: models, chat completions, streamed ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError

from engine.conversation.endpoint.address import base_address, host_of, is_on_this_machine
from engine.core.errors import CohortStudioError, UserError

MAX_BYTES = 1_000_000
"""An answer longer than this is not read: a CohortSpec takes a few thousand bytes."""
KEY_VARIABLE = "COHORT_STUDIO_ENDPOINT_KEY"
_PAUSES = (0.2, 0.6)
"""Seconds before the second and third attempt to connect."""
_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 0.05
"""How often a wish to stop is looked for."""

Result = TypeVar("Result")
Messages = list[dict[str, str]]


@dataclass(frozen=True)
class EndpointClient:
    """Speaks with one server; every call is bounded in time and size and can be stopped.

    Only an attempt to connect is repeated: a request that was sent is not sent again. A redirect is not followed, since
    it would carry the text to a host that nobody chose.
    """

    address: str
    model: str
    key: SecretStr | None = None
    seconds: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", base_address(self.address))

    def models(self, *, stop: Event | None = None) -> list[str]:
        """The names of the models that the server offers.

        Raises:
            CohortStudioError: the server cannot be reached, refuses, or answers in another protocol.
        """
        return self._run(self._models(), stop)

    def complete(
        self, messages: Messages, *, max_tokens: int, json_schema: dict[str, Any] | None = None,
        stop: Event | None = None,
    ) -> str:  # fmt: skip
        """The text that the model answers ``messages`` with, at temperature 0.

        Raises:
            CohortStudioError: as for ``models``; also for an answer that was cut off or withheld.
        """
        body = self._body(messages, max_tokens)
        if json_schema is not None:
            form = {"name": "cohort_request", "strict": True, "schema": json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return self._run(self._complete(body), stop)

    def stream(
        self, messages: Messages, *, max_tokens: int, tell: Callable[[str], None], stop: Event | None = None
    ) -> None:
        """Hand the model's answer to ``tell`` in pieces, as they arrive (server-sent events).

        Raises:
            CohortStudioError: as for ``models``.
        """
        self._run(self._stream(self._body(messages, max_tokens) | {"stream": True}, tell), stop)

    def _body(self, messages: Messages, max_tokens: int) -> dict[str, Any]:
        return {"model": self.model, "messages": messages, "max_tokens": max_tokens, "temperature": 0}

    async def _models(self) -> list[str]:
        async with self._sent("GET", "/models", None) as response:
            return [entry.id for entry in _read(_Models, await _whole(response)).data]

    async def _complete(self, body: dict[str, Any]) -> str:
        async with self._sent("POST", "/chat/completions", body) as response:
            choice = _read(_Completion, await _whole(response)).choices[0]
        if choice.finish_reason == "length":
            raise CohortStudioError("the endpoint's answer was cut off before its end")
        if not choice.message.content:
            raise CohortStudioError("the endpoint's model gave no answer")
        return choice.message.content

    async def _stream(self, body: dict[str, Any], tell: Callable[[str], None]) -> None:
        async with self._sent("POST", "/chat/completions", body) as response:
            async for line in _lines(response):
                field, _, value = line.partition(":")
                if field != "data":
                    continue  # a comment that keeps the connection open, or the name of an event
                if value.strip() == "[DONE]":
                    return
                for choice in _read(_Piece, value).choices:
                    if choice.delta.content:
                        tell(choice.delta.content)

    @asynccontextmanager
    async def _sent(self, method: str, operation: str, body: dict[str, Any] | None) -> AsyncIterator[httpx.Response]:
        """The server's answer, checked by its status; closed when the caller is done."""
        async with httpx.AsyncClient(
            timeout=httpx.Timeout(self.seconds, connect=min(_CONNECT_SECONDS, self.seconds)),
            headers=self._headers(), follow_redirects=False,
            # A proxy named in the environment must not see what is meant to stay on this machine.
            trust_env=not is_on_this_machine(self.address),
        ) as client:  # fmt: skip
            for pause in (*_PAUSES, None):
                request = client.build_request(method, self.address + operation, json=body)
                try:
                    response = await client.send(request, stream=True)
                    break
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if pause is None:
                        raise self._unreachable() from error
                    await asyncio.sleep(pause)
            try:
                if response.status_code != 200:
                    raise self._refusal(response.status_code)
                yield response
            finally:
                await response.aclose()

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        secret = self.key.get_secret_value().strip() if self.key is not None else ""
        if secret:
            if not (secret.isascii() and secret.isprintable()):
                raise UserError(f"the key in {KEY_VARIABLE} holds characters that a key cannot have")
            headers["Authorization"] = f"Bearer {secret}"
        return headers

    def _run(self, work: Coroutine[Any, Any, Result], stop: Event | None) -> Result:
        try:
            return asyncio.run(self._watched(work, stop))
        except TimeoutError as error:
            raise CohortStudioError(
                f"the endpoint at {host_of(self.address)} gave no whole answer within {self.seconds:g} seconds",
                remedy="Choose a smaller model, or wait longer.",
            ) from error
        except httpx.HTTPError as error:
            raise CohortStudioError(
                f"the connection to the endpoint at {host_of(self.address)} broke ({type(error).__name__})",
                remedy="See the server's own log.",
            ) from error

    async def _watched(self, work: Coroutine[Any, Any, Result], stop: Event | None) -> Result:
        task = asyncio.ensure_future(work)
        try:
            async with asyncio.timeout(self.seconds):
                while not task.done():
                    if stop is not None and stop.is_set():
                        raise CohortStudioError("stopped before the endpoint had answered")
                    await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            return task.result()
        finally:
            task.cancel()  # closes the connection, by which the server knows that nobody waits any more
            await asyncio.gather(task, return_exceptions=True)

    def _unreachable(self) -> CohortStudioError:
        return CohortStudioError(
            f"no endpoint answers at {self.address}",
            remedy="Start the server (vLLM, Ollama or llama.cpp), or correct the address.",
        )

    def _refusal(self, status: int) -> CohortStudioError:
        host = host_of(self.address)
        if status in (401, 403):
            what = f"the endpoint at {host} refused the key ({status})"
            return UserError(what, remedy=f"Set {KEY_VARIABLE} in the environment and start Cohort Studio again.")
        if status == 404:
            what = f"the endpoint at {host} knows no model {self.model!r}, or nothing is at that path (404)"
            return UserError(what, remedy="Compare the name with the server's list, and the address with its manual.")
        if status in (400, 422):
            what = f"the endpoint at {host} did not accept the request ({status})"
            return UserError(what, remedy="Its server must understand response_format with a json_schema.")
        if status == 429:
            return CohortStudioError(f"the endpoint at {host} is busy (429)", remedy="Try again in a while.")
        if 300 <= status < 400:
            what = f"the endpoint at {host} points to another address ({status}), which is not followed"
            return UserError(what, remedy="Name the final address yourself.")
        return CohortStudioError(f"the endpoint at {host} failed ({status})", remedy="See the server's own log.")


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class _PieceChoice(BaseModel):
    delta: _Message = _Message()


class _Piece(BaseModel):
    choices: list[_PieceChoice] = []


_Wire = TypeVar("_Wire", bound=BaseModel)


def _read(kind: type[_Wire], text: str) -> _Wire:
    try:
        return kind.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError) as error:
        raise CohortStudioError(
            "the endpoint did not answer in the OpenAI protocol", remedy="Compare the address with the server's manual."
        ) from error


async def _whole(response: httpx.Response) -> str:
    return "\n".join([line async for line in _lines(response)])


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """The lines of an answer, as they arrive; more than ``MAX_BYTES`` in all are refused."""
    read, rest = 0, b""
    async for chunk in response.aiter_bytes():
        read += len(chunk)
        if read > MAX_BYTES:
            raise CohortStudioError(f"the endpoint's answer is longer than {MAX_BYTES:,} bytes")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace").rstrip("\r")

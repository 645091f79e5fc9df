"""Who reads requests: the choice that is kept in the workspace, the backend that it names, and its state."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from engine.cohort.spec import CohortSpec
from engine.conversation.backend import Backend, BackendState
from engine.conversation.conductor import Conductor
from engine.conversation.contract import BackendName, Turn
from engine.conversation.knowledge.records import KnowledgeContext
from engine.core.errors import UserError
from engine.core.workspace import Workspace, read_json, write_json
from engine.schema.table import TableSchema
from engine.services.populations import with_population

if TYPE_CHECKING:
    from engine.conversation.endpoint.backend import Endpoint
    from engine.conversation.language_model.needs import Needs

LLAMA = "meta-llama/Llama-2-7b-chat-hf"
ENDPOINT_KEY = "COHORT_STUDIO_ENDPOINT_KEY"


class Choice(BaseModel):
    """What the Assistant page keeps. Keys and tokens are no part of it: they stay in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: BackendName = "rules"
    model: str = LLAMA
    """Name on Hugging Face, or a folder on this machine."""
    adapter: str = ""
    """Folder of a LoRA adapter; empty for none."""
    address: str = ""
    """Base address of the endpoint."""
    endpoint_model: str = ""
    """The model's name at the endpoint."""
    seconds: float = Field(default=30.0, ge=1, le=600)
    """How long a model may take before the rules answer instead."""


class LocalModel(Backend, Protocol):
    """A language model in a process of its own on this machine."""

    def needs(self) -> "Needs":
        """What it takes and what is missing."""
        ...

    def state(self) -> BackendState:
        """How far it is; returns at once."""
        ...

    def start(self) -> None:
        """Begin to download and load it; returns at once."""
        ...

    def stop(self) -> None:
        """End its process, whatever it is doing, which frees its memory."""
        ...

    def wait(self, seconds: float) -> BackendState:
        """The state once it is ready or failed, or after ``seconds``."""
        ...


class Assistant:
    """Answers requests with the chosen backend; the rules stand in for one that is absent, fails or is slow."""

    def __init__(self, workspace: Workspace, *, host: Callable[[Choice, Path], LocalModel] | None = None) -> None:
        """``host`` makes the process of a choice's model, with a file for its log; none starts before it is asked."""
        self._workspace = workspace
        self._host = host or _hosted
        self._guard = Lock()
        self._model: tuple[tuple[str, str], LocalModel] | None = None

    def choice(self) -> Choice:
        """What was chosen; the rules where nothing was, or where the file cannot be read (see ``problem``)."""
        return self._read()[0]

    def problem(self) -> str:
        """Why the kept choice is not followed; empty where it is."""
        return self._read()[1]

    def choose(self, choice: Choice) -> Choice:
        """Keep ``choice``; returns it as it is kept.

        Raises:
            UserError: the address is not valid, or the chosen backend lacks its address or name.
        """
        kept = choice.model_copy(
            update={
                "model": choice.model.strip(), "adapter": choice.adapter.strip(),
                "endpoint_model": choice.endpoint_model.strip(), "address": _address(choice),
            }
        )  # fmt: skip
        if kept.backend == "llama" and not kept.model:
            raise UserError("no model is named", remedy=f"Name {LLAMA}, or a folder that holds a model.")
        if kept.backend == "endpoint" and not (kept.address and kept.endpoint_model):
            raise UserError("an endpoint needs an address and a model's name", remedy="Fill in both.")
        write_json(self._workspace.assistant, kept.model_dump(mode="json"))
        return kept

    def reply(
        self,
        text: str,
        *,
        schema: TableSchema,
        previous: CohortSpec | None = None,
        stop: Event | None = None,
        tell: Callable[[str], None] | None = None,
        backend: BackendName | None = None,
        context: KnowledgeContext | None = None,
    ) -> Turn:
        """The turn that answers ``text``; ``backend`` overrides the one that was chosen."""
        if backend == "rules":
            return by_rules(text, schema=schema, previous=previous, context=context)
        choice, problem = self._read()
        choice = choice.model_copy(update={"backend": backend or choice.backend})
        conductor = self._conductor(choice)
        turn = conductor.reply(text, schema=schema, previous=previous, stop=stop, tell=tell, context=context)
        if problem:
            turn = turn.model_copy(update={"notice": f"{turn.notice} {problem}".strip()})
        return with_population(turn, schema)

    def model_state(self) -> BackendState:
        """How far the chosen language model on this machine is."""
        return self._local(self.choice()).state()

    def model_needs(self, choice: Choice) -> "Needs":
        """What the model of ``choice`` takes and what is missing; nothing is started."""
        return self._host(choice, self._workspace.model_log).needs()

    def load_model(self) -> None:
        """Begin to download and load the chosen model."""
        self._local(self.choice()).start()

    def load_model_from_disk(self, *, seconds: float) -> None:
        """Load the chosen model if it is on this machine, and wait for it; a download is not begun."""
        model = self._local(self.choice())
        if model.state().state == "off":
            model.start()
            model.wait(seconds)

    def unload_model(self) -> None:
        """End the model's process, which frees its memory."""
        with self._guard:
            if self._model is not None:
                self._model[1].stop()

    def key_is_set(self) -> bool:
        """Whether the environment holds a key for the endpoint."""
        return _key() is not None

    def third_party(self, choice: Choice) -> str:
        """The host that requests would be sent to when it is not this machine; empty when it is."""
        from engine.conversation.endpoint.address import host_of, is_on_this_machine

        address = _address(choice)
        return host_of(address) if address and not is_on_this_machine(address) else ""

    def test_endpoint(self, choice: Choice) -> str:
        """Ask the endpoint for its models and one short request; returns what it did, in words.

        Raises:
            CohortStudioError: it cannot be reached, refuses, or its answer is of no use.
        """
        from engine.schema.catalogue import catalogue

        started = time.perf_counter()
        endpoint = _endpoint(choice)
        offered = endpoint.client.models()
        if choice.endpoint_model not in offered:
            shown = ", ".join(offered[:5]) or "none"
            raise UserError(f"the endpoint has no model {choice.endpoint_model!r}", remedy=f"It offers: {shown}.")
        endpoint.parse("100 women over 65", schema=catalogue().mimic3_schema())
        return f"The endpoint answered a test request in {time.perf_counter() - started:.1f} seconds."

    def _conductor(self, choice: Choice) -> Conductor:
        if choice.backend == "endpoint":
            if not (choice.address and choice.endpoint_model):
                detail = "Name its address and model on the page Assistant."
                return Conductor("endpoint", state=BackendState("off", detail), seconds=choice.seconds)
            return Conductor("endpoint", _endpoint(choice), seconds=choice.seconds)
        if choice.backend == "llama":
            model = self._local(choice)
            return Conductor("llama", model, model.state(), seconds=choice.seconds)
        return Conductor()

    def _local(self, choice: Choice) -> LocalModel:
        """The model of ``choice``; another one that runs is ended."""
        named = (choice.model, choice.adapter)
        with self._guard:
            if self._model is None or self._model[0] != named:
                if self._model is not None:
                    self._model[1].stop()
                self._model = (named, self._host(choice, self._workspace.model_log))
            return self._model[1]

    def _read(self) -> tuple[Choice, str]:
        path = self._workspace.assistant
        if not path.is_file():
            return Choice(), ""
        try:
            return Choice.model_validate(read_json(path)), ""
        except (ValidationError, json.JSONDecodeError, UnicodeDecodeError):
            return Choice(), "The settings of the assistant could not be read, so the rules read this. Choose again."


def by_rules(
    text: str,
    *,
    schema: TableSchema,
    previous: CohortSpec | None = None,
    context: KnowledgeContext | None = None,
) -> Turn:
    """The turn of the rules alone, which needs neither settings nor a workspace."""
    turn = Conductor().reply(text, schema=schema, previous=previous, context=context)
    return with_population(turn, schema)


def _address(choice: Choice) -> str:
    from engine.conversation.endpoint.address import base_address

    return base_address(choice.address) if choice.address.strip() else ""


def _hosted(choice: Choice, log: Path) -> LocalModel:
    from engine.conversation.language_model.client import HostedModel
    from engine.conversation.language_model.settings import LlamaSettings

    return HostedModel(LlamaSettings(model=choice.model, adapter=choice.adapter), log=log)


def _endpoint(choice: Choice) -> "Endpoint":
    from engine.conversation.endpoint.backend import Endpoint
    from engine.conversation.endpoint.client import EndpointClient

    client = EndpointClient(_address(choice), choice.endpoint_model, key=_key(), seconds=choice.seconds)
    return Endpoint(client)


def _key() -> SecretStr | None:
    text = os.environ.get(ENDPOINT_KEY, "").strip()
    return SecretStr(text) if text else None

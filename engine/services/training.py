"""Generators: what there is to choose from, training, and trained models."""

from typing import Any

from engine.core.errors import UserError
from engine.generators.registry import GeneratorInfo, describe
from engine.services.context import Context
from engine.storage.records import ModelRecord, State


class Training:
    """Train generators on prepared data sets."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def generators(self) -> list[GeneratorInfo]:
        """The generators with their options, our own first."""
        return describe()

    def start(self, dataset_id: str, generator: str, *, options: dict[str, Any], seed: int) -> tuple[ModelRecord, str]:
        """Queue a training; returns the model and the job's id.

        Raises:
            UserError: the data set is not prepared, or the generator is unknown.
        """
        dataset = self._context.database.dataset(dataset_id)
        if dataset.state is not State.READY:
            raise UserError(
                f"data set {dataset.name!r} is not prepared yet", remedy="Wait for its preparation to finish."
            )
        if generator not in {info.name for info in self.generators()}:
            raise UserError(f"there is no generator {generator!r}")
        model = self._context.database.add_model(dataset_id=dataset_id, generator=generator, options=options, seed=seed)
        payload = {"dataset_id": dataset_id, "generator": generator, "options": options, "seed": seed}
        return model, self._context.submit("train", payload, subject=model.id)

    def models(self, dataset_id: str | None = None) -> list[ModelRecord]:
        """Trained and training models, newest first."""
        return self._context.database.models(dataset_id)

    def get(self, model_id: str) -> ModelRecord:
        """One model.

        Raises:
            UserError: there is no such model.
        """
        return self._context.database.model(model_id)

"""Generators: what there is to choose from, what training costs, training, and trained models."""

from dataclasses import dataclass
from typing import Any

from engine.core.errors import UserError
from engine.generators.base import Capability
from engine.generators.registry import GeneratorInfo, describe
from engine.jobs.budget import dataset_account
from engine.jobs.tables import refuse_without_rows
from engine.privacy.accounts import Account, proposed_delta
from engine.services.context import Context
from engine.storage.records import DatasetRecord, ModelRecord, State


@dataclass(frozen=True)
class Outlook:
    """What one more private training would do to an account.

    Attributes:
        after: epsilon of all trainings together with it, at the account's delta.
        limit: most that it may be.
        largest: most epsilon that one more training may ask for at its delta; 0 for none.
        fits: whether it may begin.
    """

    after: float
    limit: float
    largest: float
    fits: bool


class Training:
    """Train generators on prepared data sets."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ledger = context.ledger
        self._outlooks: dict[tuple[str, int, float, float, float], Outlook] = {}

    # -- the privacy budget --------------------------------------------------------------------------------------------

    def account(self, dataset_id: str) -> Account:
        """The privacy account that pays for trainings on a prepared data set.

        Raises:
            UserError: there is no such data set, or the workspace's secret key is damaged.
        """
        return dataset_account(self._ledger, self._context.database, self._context.workspace, dataset_id)

    def known_account(self, dataset_id: str) -> Account | None:
        """The account without looking at the data set's table; None while it is not entered."""
        member = self._ledger.source_of(kind="dataset", reference=dataset_id)
        return None if member is None else self._ledger.account(member.source)

    def outlook(self, account: Account, *, epsilon: float, delta: float) -> Outlook:
        """What a training at (``epsilon``, ``delta``) would do to the account.

        Raises:
            UserError: a value is out of range.
        """
        key = (account.source, account.version, account.limit, epsilon, delta)
        if key not in self._outlooks:
            after, largest = self._ledger.outlook(account.source, epsilon=epsilon, delta=delta)
            self._outlooks[key] = Outlook(after, account.limit, largest, after <= account.limit)
        return self._outlooks[key]

    def set_limit(self, account: Account, limit: float) -> None:
        """Give the account's source a limit of its own; kept with its time.

        Raises:
            UserError: ``limit`` is not positive.
        """
        self._ledger.set_limit(account.source, limit)

    def proposed_delta(self, dataset: DatasetRecord) -> float:
        """The largest power of ten below one over the data set's patients."""
        return proposed_delta(dataset.patients or 1)

    # -- generators and models -----------------------------------------------------------------------------------------

    def generators(self) -> list[GeneratorInfo]:
        """The generators with their options, our own first."""
        return describe()

    def start(self, dataset_id: str, generator: str, *, options: dict[str, Any], seed: int) -> tuple[ModelRecord, str]:
        """Queue a training; returns the model and the job's id.

        Raises:
            UserError: the data set is not prepared or has no rows, or the generator is unknown.
        """
        dataset = self._context.database.dataset(dataset_id)
        if dataset.state is not State.READY:
            raise UserError(
                f"data set {dataset.name!r} is not prepared yet", remedy="Wait for its preparation to finish."
            )
        refuse_without_rows(dataset)
        info = next((info for info in self.generators() if info.name == generator), None)
        if info is None:
            raise UserError(f"there is no generator {generator!r}")
        if Capability.DIFFERENTIAL_PRIVACY in info.capabilities and not isinstance(options.get("private"), bool):
            raise UserError(f"{generator} is not told whether to be private", remedy="Choose a level of privacy.")
        model = self._context.database.add_model(dataset_id=dataset_id, generator=generator, options=options, seed=seed)
        payload = {"dataset_id": dataset_id, "generator": generator, "options": options, "seed": seed}
        return model, self._context.submit("train", payload, subject=model.id)

    def models(self, dataset_id: str | None = None) -> list[ModelRecord]:
        """Trained and training models, newest first."""
        return self._context.database.models(dataset_id)

    def newest_ready(self, dataset_id: str) -> ModelRecord | None:
        """The model that was trained last on a data set; None while there is none."""
        return next((model for model in self.models(dataset_id) if model.state is State.READY), None)

    def get(self, model_id: str) -> ModelRecord:
        """One model.

        Raises:
            UserError: there is no such model.
        """
        return self._context.database.model(model_id)

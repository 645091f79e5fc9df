"""Cohorts: how many real patients support a request, generation, and what was generated."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engine.cohort.conditions import compile_conditions
from engine.cohort.predicate import AttritionStep, attrition
from engine.cohort.spec import CohortSpec
from engine.conversation.rules.wording import describe
from engine.core.errors import UserError
from engine.core.workspace import read_json
from engine.privacy.groups import size_of
from engine.privacy.summary import summary_of
from engine.schema.table import TableSchema
from engine.services.context import Context
from engine.services.populations import fitting, population_lines
from engine.storage.records import CohortRecord, State
from engine.storage.sources import TABLE, has_rows, schema_of
from engine.storage.tables import first_rows, read_table


@dataclass(frozen=True)
class Support:
    """Real rows and patients behind a request; ``None`` stands for a count too small to show."""

    steps: tuple["SupportStep", ...]
    minimum: int
    estimated: bool = False
    """Whether a private summary told the counts, which are noisy then; no real patient was counted."""

    @property
    def patients(self) -> int | None:
        """Supporting patients after every criterion."""
        return self.steps[-1].patients

    @property
    def text(self) -> str:
        """The count in words."""
        return self.show(self.patients)

    def show(self, count: int | None) -> str:
        """A count for the screen."""
        if count is None:
            return f"fewer than {self.minimum}"
        return f"about {count:,}" if self.estimated else f"{count:,}"


@dataclass(frozen=True)
class SupportStep:
    """What is left after one criterion."""

    criterion: str
    rows: int | None
    patients: int | None


class Cohorts:
    """Request, draw and keep synthetic cohorts."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def support(self, dataset_id: str, spec: CohortSpec) -> Support:
        """Attrition of the real patients over the spec's criteria, small counts suppressed.

        Of a source that ships without rows it is estimated from the private summary of its model.

        Raises:
            UserError: the spec contradicts itself or the schema, shares included.
        """
        folder = self._context.workspace.dataset(dataset_id)
        schema, minimum = schema_of(folder), self._context.settings.small_cell_minimum
        compile_conditions(spec, schema)
        if not has_rows(folder):
            return _estimated(folder, spec, schema, minimum)
        needed = {criterion.column for criterion in spec.criteria}
        if schema.patient_key:
            needed.add(schema.patient_key)
        names = [name for name in schema.names if name in needed] or schema.names[:1]
        table, narrowed = read_table(folder / TABLE, columns=names)
        return Support(_suppressed(attrition(table, spec, narrowed), minimum), minimum)

    def sentence(self, spec: CohortSpec, schema: TableSchema) -> str:
        """The cohort in one sentence."""
        return describe(spec, schema)

    def populations(self, schema: TableSchema) -> dict[str, str]:
        """Label by name of the reference populations that a cohort of ``schema`` can follow."""
        return fitting(schema)

    def population(self, spec: CohortSpec, schema: TableSchema) -> list[str]:
        """Whom the cohort follows, in sentences; empty where it follows the source's patients.

        Raises:
            UserError: the population cannot be followed.
        """
        return population_lines(spec, schema)

    def generate(
        self, model_id: str, spec: CohortSpec, *, conversation_id: str | None = None
    ) -> tuple[CohortRecord, str]:
        """Queue the generation of a cohort, asked for in a conversation or not; returns the cohort and the job's id.

        Raises:
            UserError: the model is not trained, or the spec does not suit its table.
        """
        model = self._context.database.model(model_id)
        if model.state is not State.READY:
            raise UserError("this model is not trained yet", remedy="Wait for its training to finish.")
        schema = schema_of(self._context.workspace.dataset(model.dataset_id))
        cohort = self._context.database.add_cohort(
            model_id=model_id, dataset_id=model.dataset_id, name=describe(spec, schema), spec=spec.as_json(),
            conversation_id=conversation_id,
        )  # fmt: skip
        job = self._context.submit("generate", {"model_id": model_id, "spec": spec.as_json()}, subject=cohort.id)
        return cohort, job

    def all(self) -> list[CohortRecord]:
        """Newest first."""
        return self._context.database.cohorts()

    def get(self, cohort_id: str) -> CohortRecord:
        """One cohort.

        Raises:
            UserError: there is no such cohort.
        """
        return self._context.database.cohort(cohort_id)

    def rows(self, cohort_id: str, limit: int) -> pd.DataFrame:
        """The first ``limit`` synthetic rows."""
        return first_rows(self._context.workspace.cohort(cohort_id) / "cohort.parquet", limit)

    def manifest(self, cohort_id: str) -> dict[str, Any]:
        """What the cohort was made from."""
        return read_json(self._context.workspace.cohort(cohort_id) / "manifest.json")


def _estimated(folder: Path, spec: CohortSpec, schema: TableSchema, minimum: int) -> Support:
    summary = summary_of(folder)
    steps = [SupportStep("all", None, round(summary.patients))]
    for place, criterion in enumerate(spec.criteria, start=1):
        conditions = compile_conditions(CohortSpec(criteria=spec.criteria[:place]), schema)
        patients = round(size_of(summary, conditions).patients)
        steps.append(SupportStep(criterion.column, None, patients if patients >= minimum else None))
    return Support(tuple(steps), minimum, estimated=True)


def _suppressed(steps: list[AttritionStep], minimum: int) -> tuple[SupportStep, ...]:
    return tuple(
        SupportStep(step.criterion, None, None)
        if 0 < step.patients < minimum or 0 < step.rows < minimum
        else SupportStep(step.criterion, step.rows, step.patients)
        for step in steps
    )

"""Real beside synthetic: queue a comparison, draw its results, and state what is promised of each patient."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import plotly.graph_objects as go

from engine.core.workspace import read_json
from engine.evaluation.outcomes import possible_outcomes
from engine.export.manifest import stated
from engine.plots.associations import association_alt_text, association_figure
from engine.plots.attacks import attack_rows, attacks_alt_text, attacks_figure
from engine.plots.calibration import calibration_alt_text, calibration_figure
from engine.plots.distributions import alt_text, column_profile_figure, distribution_figure
from engine.plots.forest import forest_alt_text, forest_figure
from engine.plots.love import love_alt_text, love_figure
from engine.plots.overlay import overlaid
from engine.plots.survival import survival_alt_text, survival_figure
from engine.plots.theme import template
from engine.plots.training import training_figure
from engine.privacy.accounts import Account
from engine.services.context import Context
from engine.storage.sources import has_rows, schema_of
from engine.storage.tables import read_schema

FIRST_WITH_SECTIONS = 2
"""The version of the report that is made section by section."""


@dataclass(frozen=True)
class PrivacyStatement:
    """What is promised of each patient, whatever an attack finds.

    Attributes:
        guarantee: of the cohort's model, as an export's manifest states it (:func:`engine.export.manifest.stated`);
            None where there is none.
        account: of all private trainings on its patients together; None where this workspace keeps no account of them.
    """

    guarantee: dict[str, Any] | None
    account: Account | None


class Comparison:
    """Comparisons hold aggregates only; no real row passes through here."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self, cohort_id: str) -> str:
        """Queue the comparison of a cohort with its source; returns the job's id."""
        return self._context.submit("compare", {"cohort_id": cohort_id}, subject=cohort_id)

    def result(self, cohort_id: str) -> dict[str, Any] | None:
        """The comparison as far as it is made (:mod:`engine.evaluation.report`); None also for one of an older kind."""
        path = self._context.workspace.comparison(cohort_id)
        found = read_json(path) if path.exists() else None
        return found if found is not None and found.get("version", 1) >= FIRST_WITH_SECTIONS else None

    def has_pictures(self, cohort_id: str) -> bool:
        """Whether the first pictures are there, Table 1 and the distributions: worth drawing the page for."""
        found = self.result(cohort_id)
        return found is not None and found["sections"]["table_one"]["state"] != "pending"

    def made_at(self, cohort_id: str) -> int:
        """When the comparison last changed (nanoseconds); 0 while there is none."""
        path = self._context.workspace.comparison(cohort_id)
        return path.stat().st_mtime_ns if path.exists() else 0

    def privacy_statement(self, cohort_id: str) -> PrivacyStatement:
        """The formal guarantee of the cohort's model, and the ledger of the patients it was trained on.

        Raises:
            UserError: there is no such cohort, or its model was deleted.
        """
        cohort = self._context.database.cohort(cohort_id)
        told = stated(self._context.database.model(cohort.model_id).report or {})
        ledger = self._context.ledger
        member = ledger.source_of(kind="dataset", reference=cohort.dataset_id)
        return PrivacyStatement(
            guarantee=told if isinstance(told, dict) else None,
            account=None if member is None else ledger.account(member.source),
        )

    def outcomes(self, cohort_id: str) -> dict[str, str]:
        """The outcomes that the cohort's columns offer, labels by key, the usual ones first; none without real rows."""
        cohort = self._context.database.cohort(cohort_id)
        folder = self._context.workspace.dataset(cohort.dataset_id)
        if not has_rows(folder):
            return {}
        schema = schema_of(folder)
        made = set(read_schema(self._context.workspace.cohort(cohort_id) / "cohort.parquet").names)
        return {one.key: one.label for one in possible_outcomes(schema) if made.issuperset(one.columns)}

    def start_outcome(self, cohort_id: str, key: str) -> str:
        """Queue the analysis of one outcome; returns the job's id."""
        payload = {"cohort_id": cohort_id, "outcome": key}
        return self._context.submit("outcome", payload, subject=self.outcome_subject(cohort_id, key))

    def outcome_subject(self, cohort_id: str, key: str) -> str:
        """What the job that analyses this outcome is found by."""
        return sha256(f"{cohort_id} {key}".encode()).hexdigest()[:12]

    def outcome(self, cohort_id: str, key: str) -> dict[str, Any] | None:
        """The analysis of an outcome that was picked, or None."""
        path = self._context.workspace.outcome(cohort_id, key)
        return read_json(path) if path.exists() else None

    def outline(self, *, dark: bool = False) -> go.Figure:
        """An empty chart."""
        return go.Figure(layout={"template": template(dark=dark), "height": 120, "xaxis": {"visible": False},
                                 "yaxis": {"visible": False}})  # fmt: skip

    def love(self, result: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """Standardised differences of every column, and the sentence that says the same."""
        table_one, of_summary = result["table_one"], result["reference"]["kind"] == "summary"
        figure = love_figure(table_one, dark=dark, of_summary=of_summary)
        return figure, love_alt_text(table_one, of_summary=of_summary)

    def forest(self, entry: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """Effects of a regression on real and on synthetic rows, and its sentence."""
        return forest_figure(entry, dark=dark), forest_alt_text(entry)

    def calibration(self, entry: dict[str, Any], model: str, *, dark: bool = False) -> tuple[go.Figure, str]:
        """Predicted against observed events in the hold-out, and its sentence."""
        return calibration_figure(entry, model, dark=dark), calibration_alt_text(entry, model)

    def survival(self, entry: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """Kaplan-Meier curves, and their sentence."""
        return survival_figure(entry, dark=dark), survival_alt_text(entry)

    def attacks(self, entry: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """The risk of each attack beside its control, and its sentences."""
        return attacks_figure(entry, dark=dark), attacks_alt_text(entry)

    def attack_rows(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """The chart of the attacks as a table."""
        return attack_rows(entry)

    def distribution(
        self, column: dict[str, Any], *, dark: bool = False, overlay: bool = False
    ) -> tuple[go.Figure, str]:
        """Real and synthetic bars of one column, side by side or one over the other; and a sentence with the same."""
        figure = distribution_figure(column, dark=dark)
        return overlaid(figure, dark=dark) if overlay else figure, alt_text(column)

    def association(self, result: dict[str, Any], which: str, *, dark: bool = False) -> tuple[go.Figure, str]:
        """Heat map ``"real"``, ``"synthetic"`` or ``"difference"``, and its sentence."""
        matrix = result["associations"]
        return association_figure(matrix, which, dark=dark), association_alt_text(matrix, which)

    def profile(self, column: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """Distribution of one real column, small cells merged, and its sentence."""
        return column_profile_figure(column, dark=dark), alt_text(column)

    def training(self, history: list[dict[str, float]], *, dark: bool = False) -> go.Figure:
        """Losses over the epochs."""
        return training_figure(history, dark=dark)

"""Real beside synthetic: queue a comparison and draw its results."""

from typing import Any

import plotly.graph_objects as go

from engine.core.workspace import read_json
from engine.plots.associations import association_figure
from engine.plots.distributions import alt_text, distribution_figure, profile_figure
from engine.plots.training import training_figure
from engine.services.context import Context


class Comparison:
    """Comparisons hold aggregates only; no real row passes through here."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self, cohort_id: str) -> str:
        """Queue the comparison of a cohort with its source; returns the job's id."""
        return self._context.submit("compare", {"cohort_id": cohort_id}, subject=cohort_id)

    def result(self, cohort_id: str) -> dict[str, Any] | None:
        """The finished comparison, or None."""
        path = self._context.workspace.cohort(cohort_id) / "comparison.json"
        return read_json(path) if path.exists() else None

    def distribution(self, column: dict[str, Any]) -> tuple[go.Figure, str]:
        """Side-by-side bars of one column, and the sentence that says the same."""
        return distribution_figure(column), alt_text(column)

    def association(self, result: dict[str, Any], which: str) -> go.Figure:
        """Heat map ``"real"``, ``"synthetic"`` or ``"difference"``."""
        return association_figure(result["associations"], which)

    def profile(self, column: dict[str, Any]) -> go.Figure:
        """Distribution of one real column, small cells merged."""
        return profile_figure(column)

    def training(self, history: list[dict[str, float]]) -> go.Figure:
        """Losses over the epochs."""
        return training_figure(history)

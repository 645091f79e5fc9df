"""Real beside synthetic: queue a comparison and draw its results."""

from typing import Any

import plotly.graph_objects as go

from engine.core.workspace import read_json
from engine.plots.associations import association_alt_text, association_figure
from engine.plots.distributions import alt_text, column_profile_figure, distribution_figure
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

    def distribution(self, column: dict[str, Any], *, dark: bool = False) -> tuple[go.Figure, str]:
        """Side-by-side bars of one column, and the sentence that says the same."""
        return distribution_figure(column, dark=dark), alt_text(column)

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

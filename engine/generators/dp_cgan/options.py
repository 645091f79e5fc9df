"""What forms need to know of dp_cgan; imports nothing heavy."""

from engine.generators.base import Capability
from engine.generators.options import GeneratorInfo, Option

INFO = GeneratorInfo(
    "dp_cgan",
    "DP-CGAN (Cohort Studio)",
    "No formal privacy in this release: the model learns from the patients without any bound on what it remembers "
    "of one.",
    (
        Option("epochs", "Epochs", "integer", 18, 1, 500, "The most passes over the training rows."),
        Option("batch_size", "Batch size", "integer", 250, 8, 10_000, "Rows of one training step."),
        Option(
            "hidden_per_column", "Hidden units per column", "integer", 24, 4, 128,
            "More can learn finer dependence and takes longer; tables of many columns use fewer.",
        ),
        Option("private", "Differentially private", "boolean", False, help="Not available in this release."),
    ),
    frozenset({Capability.CONDITIONS, Capability.RESUME}),
)  # fmt: skip

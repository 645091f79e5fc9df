"""What the forms need to know of dp_cgan; imports nothing heavy."""

from engine.generators.base import Capability
from engine.generators.options import GeneratorInfo, Option

PRIVACY = "No formal privacy in this release: the model learns from the patients without any bound on what it remembers of one."

INFO = GeneratorInfo(
    "dp_cgan",
    "DP-CGAN (ours)",
    PRIVACY,
    (
        Option("epochs", "Epochs", "integer", 30, 1, 500, "Most passes over the rows."),
        Option("batch_size", "Batch size", "integer", 250, 8, 10_000, "Rows of one training step."),
        Option("hidden_per_column", "Hidden units per column", "integer", 28, 4, 128, "More is finer and slower."),
    ),
    frozenset({Capability.CONDITIONS, Capability.RESUME}),
)  # fmt: skip

"""What forms need to know of dp_cgan; imports nothing heavy."""

from engine.generators.base import Capability
from engine.generators.options import GeneratorInfo, Option

INFO = GeneratorInfo(
    "dp_cgan",
    "DP-CGAN (Cohort Studio)",
    "With a budget (ε, δ): differentially private for each patient, from the encoding on. Without one: no formal "
    "privacy, the model learns from the patients without any bound on what it remembers of one.",
    (
        Option("private", "Differentially private", "boolean", None, help="Needs ε and δ. Nothing is assumed."),
        Option("epsilon", "Epsilon (ε)", "number", None, 0.05, 30, "The smaller, the less is learned of any patient."),
        Option("delta", "Delta (δ)", "number", None, 1e-10, 0.01, "Well below one over the number of patients."),
        Option("epochs", "Epochs", "integer", 18, 1, 500, "The most passes over the training rows."),
        Option("batch_size", "Batch size", "integer", 250, 8, 10_000, "Rows of one training step."),
        Option(
            "hidden_per_column", "Hidden units per column", "integer", 24, 4, 128,
            "More can learn finer dependence and takes longer; tables of many columns use fewer.",
        ),
        Option(
            "gradient_share", "Budget for private gradients", "number", 0.0, 0.0, 0.9,
            "Share of a private budget that goes to training steps on patients' rows instead of measured tables.",
        ),
    ),
    frozenset({Capability.CONDITIONS, Capability.RESUME, Capability.DIFFERENTIAL_PRIVACY}),
)  # fmt: skip

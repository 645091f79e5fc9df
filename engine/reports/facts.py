"""What a report knows beside the figures: where the cohort comes from, what it costs in privacy, and its limits."""

from dataclasses import dataclass, field
from typing import Any

from engine.privacy.accounts import Account
from engine.reports.content import Heading, Section, Table, Text, View, notes

LIMITS = (
    "Not for clinical decisions: no row is a patient, and no figure here is evidence about a treatment.",
    "The rows can only hold what the generator learned. Rare groups, rare combinations and effects over time may be "
    "weaker, stronger or absent; confirm what you find on real patients before it is used.",
    "Synthetic rows are not as many patients as there are rows: intervals computed on them are too narrow, and "
    "p-values too small.",
    "The source is one set of patients at one time and place, with its own biases, which the cohort inherits.",
)
_WITH_CRITERIA = (
    "Where few real patients meet all criteria at once, the model combines what it knows of each part; associations "
    "in such a cohort should not be interpreted."
)
_NO_GUARANTEE = (
    "No formal guarantee: the generator was trained without differential privacy. Treat the rows as confidential, as "
    "the real ones are."
)
# Digests of real rows and what was counted among them are known to whoever may see those rows only.
_INTERNAL_ONLY = ("fingerprint",)


@dataclass(frozen=True)
class Facts:
    """Beside the figures.

    Attributes:
        sentence: the cohort in one sentence.
        manifest: of the cohort (:mod:`engine.export.manifest`).
        account: of the source in the ledger; None where no private training is booked there.
        analyses: outcomes that the user picked, each as in the report's ``conclusions`` (internal view only).
    """

    sentence: str
    manifest: dict[str, Any]
    account: Account | None = None
    analyses: tuple[dict[str, Any], ...] = field(default=())


def privacy_statement(facts: Facts) -> Section:
    """ε, δ, the unit and the neighbours, and what all trainings of the source have spent; or that there is nothing."""
    told = facts.manifest.get("privacy")
    if isinstance(told, dict):
        rows = (
            ("Guarantee", str(told["guarantee"])),
            ("ε of this model", f"{told['epsilon']:.4g}"),
            ("δ of this model", f"{told['delta']:.3g}"),
            ("Unit of privacy", str(told["unit"])),
            ("Neighbouring tables", str(told["neighbours"])),
            ("Generating rows", "costs nothing further: it is a function of the model alone"),
        )
        return Section("Privacy statement", (_pairs("The guarantee", rows), *_ledger(facts.account)))
    return Section("Privacy statement", (Text(_NO_GUARANTEE, "finding"), *_ledger(facts.account)))


def _ledger(account: Account | None) -> tuple[Text, ...]:
    if account is None or not account.runs:
        return (Text("Ledger of this workspace: no private training of the source is booked in it."),)
    return (
        Text(
            f"Ledger of this workspace: all private trainings of the source have spent ε {account.spent:.2f} of "
            f"{account.limit:g} (at δ {account.delta:.3g}), reservations included, composed and not merely added."
        ),
    )


def provenance(facts: Facts, view: View) -> Section:
    """Source, model, generator, options, seed, spec and versions, from the manifest."""
    told = facts.manifest
    if not told.get("generator"):
        return Section("Provenance", (Text("No manifest lies beside the synthetic table.", "absent"),))
    source = {
        name: value
        for name, value in told.get("source", {}).items()
        if view == "internal" or name not in _INTERNAL_ONLY
    }
    made = told["generator"]
    rows = [("Generated", str(told.get("created_at", "")))]
    rows += [(f"Source: {name}", str(value)) for name, value in source.items()]
    rows += [(f"Generator: {name}", str(value)) for name, value in made.items() if name != "options"]
    rows += [(f"Option: {name}", str(value)) for name, value in (made.get("options") or {}).items()]
    rows.append(("Seed of the rows", str(told.get("seed", ""))))
    rows += [(f"Version: {name}", str(value)) for name, value in told.get("versions", {}).items()]
    blocks = [_pairs("Where the cohort comes from", tuple(rows)), *_spec(told.get("spec", {}))]
    if view == "internal":
        blocks += notes(told.get("notes", []))
    return Section("Provenance", tuple(blocks))


def _spec(spec: dict[str, Any]) -> list[Heading | Table | Text]:
    if not spec:
        return []
    rows = [("Patients", f"{spec.get('patients', 0):,}")]
    for part in spec.get("criteria", []):
        demands = [f"{name} {_plain(value)}" for name, value in part.items() if name != "column"]
        rows.append((f"Criterion on {part['column']}", "; ".join(demands)))
    for part in spec.get("shares", []):
        rows.append((f"Share of {part['column']}", f"{_plain(part['category'])}: {part['share']:.1%}"))
    columns = spec.get("columns")
    rows.append(("Columns", "all" if columns is None else ", ".join(map(str, columns))))
    if spec.get("reference_population"):
        rows.append(("Reference population", str(spec["reference_population"])))
    return [Heading("What was asked for"), _pairs("The specification", tuple(rows))]


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(one) for one in value)
    return "open" if value is None else str(value)


def limits(facts: Facts) -> Section:
    """What the cohort must not be used for."""
    told = [*LIMITS, _WITH_CRITERIA] if facts.manifest.get("spec", {}).get("criteria") else list(LIMITS)
    return Section("Limits", tuple(Text(one) for one in told))


def _pairs(caption: str, rows: tuple[tuple[str, str], ...]) -> Table:
    return Table(caption, ("What", "Value"), rows, wide=(0, 1))

"""How often real, held-out and synthetic rows break each plausibility rule, small cells of real patients left out.

The entry (JSON values) has these keys:

- ``rules``: one entry per rule that the columns allow to be asked: ``id``, ``title``, ``severity``, ``message``,
  ``citation``, ``columns`` (labels), and per table (``real``, ``holdout``, ``synthetic``) ``{rate, rows, text,
  checked}``: the share of the rows with the needed values that break it, their count (synthetic rows only), both in
  words, and whether there were rows to check; None where a figure of real rows is not shown
- ``totals``: per severity ``{label, meaning, rules, real, holdout, synthetic}``: rows that break any of its rules,
  as a share of all rows
- ``rules_in_all``: how many rules there are; ``notes``: sentences for a person
- ``weighted``: the tables whose rates are by weight, absent where none is; what is shown is decided by patients alone
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.cohort.plausibility.checkers import Verdict
from engine.cohort.plausibility.rules import SEVERITIES, rule_book
from engine.cohort.plausibility.violations import rules_for, verdicts
from engine.evaluation.cells import Sample
from engine.evaluation.tables import REAL, SYNTHETIC, label_of
from engine.schema.table import TableSchema

SUSPICIOUS_RATE = 0.001
"""An impossible rule that more real rows break says something about the data, or about the rule."""

_MEANING = {
    "impossible": ("Impossible", "No patient can be so. Synthetic rows that break such a rule are never returned."),
    "discordant": (
        "Discordant",
        "Parts that should agree do not, as measurement and coding make happen in real records too. The rates should "
        "be alike; these rules are not enforced.",
    ),
    "rare": ("Rare", "Possible but unusual. The rates should be alike; these rules are not enforced."),
}


def plausibility(samples: Mapping[str, Sample], schema: TableSchema, *, minimum: int) -> dict[str, Any]:
    """The entry (see the module) for the tables in ``samples``, conformed to ``schema``.

    Args:
        samples: ``"real"``, ``"holdout"`` and ``"synthetic"`` rows, which count by their weights.
        schema: the columns that all of them have.
        minimum: counts of real patients below this are not shown.
    """
    bound = rules_for(schema)
    judged = {table: verdicts(sample.frame, bound) for table, sample in samples.items()}
    least = {table: 1 if table == SYNTHETIC else minimum for table in samples}
    rules = []
    for one in bound:
        rule = one.rule
        entry: dict[str, Any] = {
            "id": rule.id,
            "title": rule.title,
            "severity": rule.severity,
            "message": rule.message,
            "citation": rule.citation,
            "columns": [label_of(column) for column in one.columns],
        }
        for table, sample in samples.items():
            entry[table] = _figure(judged[table][rule.id], sample, least[table])
        rules.append(entry)
    totals = {}
    for severity in SEVERITIES:
        members = [rule for rule in rules if rule["severity"] == severity]
        label, meaning = _MEANING[severity]
        totals[severity] = {"label": label, "meaning": meaning, "rules": len(members)} | {
            table: _total(members, table, judged[table], sample, least[table]) for table, sample in samples.items()
        }
    found = {"rules": rules, "totals": totals, "rules_in_all": len(rule_book().rules), "notes": _notes(rules, samples)}
    weighted = [table for table, sample in samples.items() if sample.weights is not None]
    return found | ({"weighted": weighted} if weighted else {})


def _figure(verdict: Verdict, sample: Sample, minimum: int) -> dict[str, Any]:
    known, broken = int(verdict.known.sum()), int(verdict.broken.sum())
    if not known:
        return _hidden("no row to check")
    if int(sample.support(verdict.known).sum()) < minimum:
        return _hidden(f"fewer than {minimum} patients to check")
    if broken and int(sample.support(verdict.broken).sum()) < minimum:
        return _hidden(f"fewer than {minimum} patients", checked=True)
    kept = verdict.known & ~verdict.broken
    if kept.any() and int(sample.support(kept).sum()) < minimum:
        return _hidden(f"all but fewer than {minimum} patients", checked=True)
    if minimum <= 1:
        return _shown(broken / known, broken)
    return _shown(sample.rounded(verdict.broken, verdict.known), 0 if not broken else None)


def _hidden(why: str, *, checked: bool = False) -> dict[str, Any]:
    return {"rate": None, "rows": None, "text": why, "checked": checked}


def _shown(rate: float, rows: int | None) -> dict[str, Any]:
    if rows == 0:
        return {"rate": 0.0, "rows": 0, "text": "0", "checked": True}
    # A share that is rounded away is still one.
    share = f"{rate:.1%}" if rate >= SUSPICIOUS_RATE else "below 0.1%"
    text = share if rows is None else f"{rows:,} ({share})"
    return {"rate": round(rate, 6), "rows": rows, "text": text, "checked": True}


def _total(
    members: list[dict[str, Any]], table: str, judged: Mapping[str, Verdict], sample: Sample, minimum: int
) -> dict[str, Any]:
    """Rows that break any of the rules; not shown where a rule's own figure is not, which it could be told from."""
    if not members or not len(sample.frame):
        return _hidden("no row to check" if members else "no rule to check")
    if any(rule[table]["rate"] is None and judged[rule["id"]].broken.any() for rule in members):
        return _hidden(f"not shown: a rule is broken by fewer than {minimum} patients", checked=True)
    broken = np.logical_or.reduce([judged[rule["id"]].broken for rule in members])
    found = _figure(Verdict(np.ones(len(broken), dtype=bool), broken), sample, minimum)
    return found | {"text": f"{found['text']}, weighted"} if sample.weights is not None and found["rate"] else found


def _notes(rules: list[dict[str, Any]], samples: Mapping[str, Sample]) -> list[str]:
    rows = "real rows" if samples[REAL].weights is None else "weighted real rows"
    return [
        f"{rule[REAL]['rate']:.1%} of the {rows} break the rule “{rule['title']}”, which nobody can: look for "
        "mistakes in the data, or in the names and units of its columns."
        for rule in rules
        if rule["severity"] == "impossible" and (rule[REAL]["rate"] or 0) > SUSPICIOUS_RATE
    ]

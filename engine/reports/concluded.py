"""Sections of the internal report that conclude: outcomes, attacks on the cohort, and the rules of plausibility."""

from collections.abc import Sequence
from typing import Any

from engine.evaluation.agreement import VERDICTS
from engine.reports.compared import section
from engine.reports.content import Block, Heading, Section, Table, Text, Tiles, notes, number_text, value_text
from engine.reports.outcome_figures import calibration, forest, survival

_RISKS = {
    "attribute": ("Attribute inference", "Guesses one value of a patient from all the others."),
    "singling_out": ("Singling out", "Finds conditions that exactly one training patient meets."),
    "copies": ("Exact copies", "Synthetic rows that equal a training row in every column."),
}
_LEAKS = {"leak": "a leak", "none_found": "no leak found", "too_weak": "the attack cannot say"}


def conclusions(report: dict[str, Any], picked: Sequence[dict[str, Any]]) -> Section:
    """Every outcome that was analysed, the usual ones and those that the user ``picked``."""

    def build(found: dict[str, Any]) -> Sequence[Block]:
        made = {one["outcome"]["key"]: one for one in (*found["outcomes"], *picked)}
        if not made:
            return (Text(found["reason"] or "Not assessable: there is no outcome.", "absent"),)
        return [block for one in made.values() for block in _outcome(one)]

    return section(report, "conclusions", "Conclusions", build)


def _outcome(entry: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    label = entry["outcome"]["label"]
    for part, title, build in (
        ("conclusion", "would the conclusion change?", _effects),
        ("survival", "time to the event", _survival),
        ("utility", "do models learned from it predict real patients?", _prediction),
    ):
        found = entry.get(part)
        if found is not None:
            blocks.append(Heading(f"{label}: {title}"))
            blocks += [Text(found["reason"], "absent")] if found["reason"] else build(found)
    return blocks


def _effects(entry: dict[str, Any]) -> list[Block]:
    heads = ("Effect", "Real [95 % interval]", "Synthetic [95 % interval]", "Overlap", "Conclusion")
    rows = tuple(
        (term["label"], value_text(term["real"]), value_text(term["synthetic"]), number_text(term["overlap"]),
         VERDICTS[term["verdict"]])
        for term in entry["terms"]
    )  # fmt: skip
    left_out = [f"Left out: {one['label']} ({one['reason']})" for one in (*entry["dropped"], *entry["excluded"])]
    caption = f"{entry['model']}: {entry['effect']}, real and synthetic"
    table = Table(caption, heads, rows, wide=(0, 4))
    return [Text(entry["sentence"], "finding"), forest(entry), table, *notes([*entry["notes"], *left_out])]


def _prediction(entry: dict[str, Any]) -> list[Block]:
    heads = ("Model", "Score", "Learned from synthetic (TSTR)", "Learned from real (TRTR)", "Difference")
    rows = tuple(
        (model["label"], one["label"], *(value_text(one[part], 3) for part in ("synthetic", "real", "difference")))
        for model in entry["models"].values()
        for one in model["figures"].values()
    )
    caption = "Train on synthetic or on real, test on real hold-out rows [95 % interval]"
    blocks: list[Block] = [Text(entry["sentence"], "finding"), Table(caption, heads, rows, words=(1,))]
    drawn = tuple(one for one in (calibration(entry, name) for name in entry["models"]) if one is not None)
    if drawn:
        blocks += [Tiles(drawn), *notes(["Calibration in the real hold-out: the dotted diagonal is ideal."])]
    return [*blocks, *notes(entry["notes"])]


def _survival(entry: dict[str, Any]) -> list[Block]:
    unit = f" ({entry['outcome']['unit']})" if entry["outcome"]["unit"] else ""
    names = {
        "real": "Real", "holdout": "Held-out real", "synthetic": "Synthetic",
        "difference": "Synthetic minus real", "holdout_difference": "Held-out minus real",
    }  # fmt: skip
    told = entry["restricted_mean"]
    rows = tuple((name, value_text(told[key])) for key, name in names.items() if told.get(key))
    risk = tuple((f"{row['time']:g}", row["real_text"], f"{row['synthetic']:,}") for row in entry["at_risk"])
    return [
        Text(entry["sentence"], "finding"),
        survival(entry),
        Table(f"Restricted mean time without the event{unit}", ("Table", "Mean [95 % interval]"), rows),
        Table("Patients at risk", (f"Time{unit}", "Real", "Synthetic"), risk),
        *notes(entry["notes"]),
    ]


def attacks(report: dict[str, Any]) -> Section:
    """Attacks on the cohort, each beside the same attack on patients whom the generator has not seen."""
    return section(report, "privacy", "Attacks on the cohort", _attacks)


def _attacks(found: dict[str, Any]) -> Sequence[Block]:
    if found["reason"]:
        return (Text(found["reason"], "absent"),)
    blocks: list[Block] = [
        Text("What an attack finds is a leak; what none of them finds is not proof. Only a formal guarantee is."),
        Heading("Membership inference"),
        *_membership(found["membership"]),
    ]
    for name, (title, meaning) in _RISKS.items():
        entry = found[name]
        blocks += [Heading(title), Text(meaning)]
        if entry["reason"]:
            blocks.append(Text(entry["reason"], "absent"))
            continue
        blocks.append(Text(f"{_LEAKS[entry['verdict']].capitalize()}. {entry['sentence']}", "finding"))
        rows = [_risk("All values" if name == "attribute" else title, entry)]
        rows += [_risk(f"  {one['label']}", one) for one in entry.get("secrets", [])]
        heads = (
            "Attack",
            "Training patients",
            "Held-out (control)",
            "Without the cohort",
            "Risk [95 % interval]",
            "Verdict",
        )
        blocks.append(Table(f"{title}: how often it is right", heads, tuple(rows), words=(5,)))
    closest = found["closest"]
    blocks.append(Heading("Distance to the closest record"))
    if closest["reason"]:
        blocks.append(Text(closest["reason"], "absent"))
    else:
        names = {"training": "training patients", "holdout": "held-out patients"}
        told = ", ".join(f"{name} {closest[table]['median']:.3f}" for table, name in names.items())
        blocks.append(Text(f"Median, in ranges per column: {told}. {closest['sentence']}"))
    return (*blocks, *notes(found["sampled"]))


def _membership(entry: dict[str, Any]) -> list[Block]:
    if entry["reason"]:
        return [Text(entry["reason"], "absent")]
    blocks: list[Block] = []
    rows = []
    for name, title in (("all", "All patients"), ("rarest", "The rarest patients")):
        group = entry["groups"][name]
        if group["reason"]:
            blocks.append(Text(f"{title}: {group['reason']}", "absent"))
            continue
        blocks.append(Text(f"{title}: {_LEAKS[group['verdict']]}. {group['sentence']}", "finding"))
        for score, words in entry["scores"].items():
            control = value_text(group["control"]) if score == entry["headline"] else ""
            rows.append((title, words, value_text(group["auc"][score]), control))
    heads = ("Patients", "Score", "AUC [95 % interval]", "Among held-out (control)")
    return (
        [*blocks, Table("Membership inference; AUC 0.5 is guessing", heads, tuple(rows), wide=(0, 1))]
        if rows
        else blocks
    )


def _risk(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    baseline = entry["baseline"]
    return (
        name, entry["attack"]["text"], entry["control"]["text"], "" if baseline is None else baseline["text"],
        value_text(entry["risk"]), _LEAKS[entry["verdict"]],
    )  # fmt: skip


def plausibility(report: dict[str, Any]) -> Section:
    """How often rows break a rule, in total and rule by rule, with where the rule is from."""
    return section(report, "plausibility", "Plausibility", _plausibility)


def _plausibility(found: dict[str, Any]) -> Sequence[Block]:
    tables = {"real": "Real", "holdout": "Held-out real", "synthetic": "Synthetic"}
    if not found["rules"]:
        return (
            Text(f"Not assessable: none of {found['rules_in_all']} rules can be asked of these columns.", "absent"),
        )
    totals = tuple(
        (f"{one['label']} ({one['rules']} rules)", *(one[table]["text"] for table in tables), one["meaning"])
        for one in found["totals"].values()
    )
    rules = tuple(
        (one["title"], one["severity"], *(one[table]["text"] for table in tables), one["citation"])
        for one in found["rules"]
    )
    return (
        Text(f"{len(found['rules'])} of {found['rules_in_all']} rules can be asked of these columns."),
        Table("Rows that break any rule", ("Rules", *tables.values(), "Meaning"), totals, wide=(0, 4)),
        Table(
            "Rows that break each rule",
            ("Rule", "Severity", *tables.values(), "Where the rule is from"),
            rules,
            wide=(0, 5),
        ),
        *notes(found["notes"]),
    )

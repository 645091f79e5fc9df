"""The findings at a glance: fidelity, utility and privacy, a figure each with its reference on held-out real patients.

Per card: ``label``, ``meaning``; ``state``: ``"pending"`` or ``"done"``; ``value`` and ``reference``, texts;
``sentence``. Only the report's own figures are read, so the cards can be made at any moment of it.
"""

from typing import Any

from engine.evaluation.tables import HOLDOUT, SYNTHETIC

NOT_ASSESSABLE = "not assessable"
_SMALL = 0.1


def cards(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """``fidelity``, ``utility`` and ``privacy`` of a report (:mod:`engine.evaluation.report`) so far."""
    return {"fidelity": _fidelity(report), "utility": _utility(report), "privacy": _privacy(report)}


def card(label: str, meaning: str, state: str, value: str = "", reference: str = "", sentence: str = "") -> dict:
    """A card (see the module)."""
    return {
        "label": label, "meaning": meaning, "state": state, "value": value, "reference": reference,
        "sentence": sentence,
    }  # fmt: skip


def _unmade(report: dict[str, Any], section: str) -> dict[str, str] | None:
    """What a card says while its section is not there: that it is to come, or why it failed; None where it is."""
    told = report["sections"][section]
    if told["state"] == "done":
        return None
    if told["state"] == "pending":
        return {"state": "pending"}
    return {"state": "done", "value": NOT_ASSESSABLE, "sentence": told["reason"]}


def _fidelity(report: dict[str, Any]) -> dict[str, Any]:
    about = ("Fidelity", "SDMetrics quality: how alike columns and pairs of columns are; 100 % is alike.")
    sentence = few_differences(report)
    unmade = _unmade(report, "scores")
    if unmade is not None:
        return card(*about, **{"sentence": sentence, **unmade})
    quality = report["scores"]["figures"]["quality"]
    return card(*about, "done", _share(quality[SYNTHETIC]), f"Held-out real patients: {_share(quality[HOLDOUT])}",
                 sentence or quality[SYNTHETIC]["reason"])  # fmt: skip


def few_differences(report: dict[str, Any], reference: str = "the real patients") -> str:
    """How many columns differ little, and how well a classifier tells the rows apart, as far as they are known."""
    parts = []
    smd = [column["smd"].get(SYNTHETIC, {}).get("value") for column in report.get("table_one", {}).get("columns", [])]
    known = [abs(value) for value in smd if value is not None]
    if known:
        small = sum(value < _SMALL for value in known)
        parts.append(f"{small} of {len(known)} columns differ little from {reference} (SMD below {_SMALL:g}).")
    auc = report.get("detection", {}).get("auc", {}).get(SYNTHETIC, {}).get("value")
    if auc is not None:
        parts.append(f"A classifier tells the rows apart with AUC {auc:.2f}; 0.5 is guessing.")
    return " ".join(parts)


def _utility(report: dict[str, Any]) -> dict[str, Any]:
    about = ("Utility", "How well models learned from synthetic rows predict held-out real patients.")
    unmade = _unmade(report, "conclusions")
    if unmade is not None:
        return card(*about, **unmade)
    outcomes = report["conclusions"]["outcomes"]
    models = [one["utility"] for one in outcomes if one["utility"] and not one["utility"]["reason"]]
    effects = [one["conclusion"] for one in outcomes if one["conclusion"] and not one["conclusion"]["reason"]]
    if not models:
        refused = [part["reason"] for one in outcomes for part in (one["utility"], one["conclusion"]) if part]
        sentence = effects[0]["sentence"] if effects else (report["conclusions"]["reason"] or refused[0])
        return card(*about, "done", NOT_ASSESSABLE, "", sentence)
    entry = models[0]
    score = "auroc" if "auroc" in next(iter(entry["models"].values()))["figures"] else "r2"
    figures = [model["figures"][score] for model in entry["models"].values()]
    best = max(figures, key=lambda one: one["real"]["value"] or 0.0)
    sentence = entry["sentence"]
    if effects:
        same = sum(term["verdict"] == "same" for one in effects for term in one["terms"])
        sentence += f" {same} of {sum(len(one['terms']) for one in effects)} effects lead to the same conclusion."
    value = f"{best['label']} {best[SYNTHETIC]['value']:.2f}"
    return card(*about, "done", value, f"Learned from real rows: {best['real']['value']:.2f}", sentence)


def _privacy(report: dict[str, Any]) -> dict[str, Any]:
    about = ("Privacy", "Whether an attacker recognises who was in the training; AUC 0.5 is guessing.")
    unmade = _unmade(report, "privacy")
    if unmade is not None:
        return card(*about, **unmade)
    found = report["privacy"]
    member = found.get("membership", {"reason": ""})
    reason = found["reason"] or member["reason"]
    group = {} if reason else member["groups"]["all"]
    if reason or group["reason"]:
        parts = [found.get(name, {"reason": "absent"}) for name in ("copies", "attribute")]
        others = [part["sentence"] for part in parts if not part["reason"]]
        return card(*about, "done", NOT_ASSESSABLE, "", " ".join([reason or group["reason"], *others]))
    area, control = group["auc"][member["headline"]], group["control"]
    reference = NOT_ASSESSABLE if control["value"] is None else f"{control['value']:.2f}"
    leaks = [words for words, part in _attacks(found) if part.get("verdict") == "leak"]
    text = f"Leaks were found by: {', '.join(leaks)}." if leaks else "None of the attacks found a leak."
    value = NOT_ASSESSABLE if area["value"] is None else f"AUC {area['value']:.2f}"
    return card(*about, "done", value, f"Among held-out real patients: {reference}", f"{text} {group['sentence']}")


def _attacks(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    groups = found["membership"]["groups"]
    named = [("membership inference", groups["all"]), ("membership inference on the rarest", groups["rarest"])]
    words = {"attribute": "attribute inference", "singling_out": "singling out", "copies": "exact copies"}
    return named + [(text, found[name]) for name, text in words.items()]


def _share(figure: dict[str, Any]) -> str:
    return NOT_ASSESSABLE if figure["value"] is None else f"{figure['value']:.1%}"

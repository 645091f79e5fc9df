"""Which columns a request wants to see: "only age, sex and BMI", "columns: …", "also include hemoglobin"."""

from engine.conversation.rules.facts import Columns, Fact
from engine.conversation.rules.limits import column_then_range
from engine.conversation.rules.reading import Reading

_OTHER_CLAUSE = ("for", "in", "of", "among", "from", "on", "at")
"""Words after which a list of columns goes on about the patients: "age and sex for septic patients"."""


def column_list(reading: Reading, at: int) -> Fact | None:
    """The list of columns that starts at item ``at``."""
    item = reading.items[at]
    if item.is_("all_columns"):
        return Columns(at, at + 1, how="all")
    if not item.is_("columns", "only", "include", "also"):
        return None
    i, cues = at, set()
    while (cue := reading.at(i)) is not None and cue.is_("columns", "only", "include", "also", "filler", "verb"):
        if cue.is_("column") and not cue.is_("columns", "only", "include"):
            break
        cues |= {part for part in ("columns", "only", "include", "also") if cue.is_(part)}
        i += 1
        if "columns" in cues and (link := reading.at(i)) is not None and link.is_("to"):
            i += 1  # "restrict the variables to …"
        if (sign := reading.at(i)) is not None and (sign.get("symbol") == ":" or sign.get("operator") == "="):
            i += 1
    names: list[str] = []
    end = i
    while reading.at(i) is not None:
        wanted = _named(reading, i, explicit="columns" in cues or (len(names) > 0 and _is_its_name(reading, i)))
        if wanted is None:
            break
        names.append(wanted)
        end = i + 1
        i = end
        while (link := reading.at(i)) is not None and not link.is_("column", "number") and (
            link.is_("and", "filler") or link.get("symbol") == ","
        ) and reading.request.span(i, i + 1).lower() not in _OTHER_CLAUSE:  # fmt: skip
            i += 1
        if i == end:
            break
    if (trailing := reading.at(end)) is not None and trailing.is_("columns", "only"):
        cues |= {part for part in ("columns", "only") if trailing.is_(part)}
        end += 1
    if not names or not _suits(reading, cues, names):
        return None
    how = "add" if cues & {"include", "also"} and "only" not in cues else "set"
    return Columns(at, end, reading.request.notes(at, end), tuple(dict.fromkeys(names)), how)


def _named(reading: Reading, at: int, *, explicit: bool) -> str | None:
    item = reading.items[at]
    names = item.get("column")
    if names is None or (item.is_("condition") and not explicit):
        return None
    if not explicit and column_then_range(reading, at) is not None:
        return None
    return names[0]


def _is_its_name(reading: Reading, at: int) -> bool:
    """Whether a yes/no column is called by its own name, as in "age, race and insulin"."""
    said = reading.request.span(at, at + 1).lower()
    return any(said == name.lower().replace("_", " ") for name in reading.items[at].get("column") or ())


def _suits(reading: Reading, cues: set[str], names: list[str]) -> bool:
    """Without the word "columns", one weak cue and a list of one is too little for "only" beside a condition."""
    return bool(cues & {"columns", "only", "include", "also"}) and bool(names)

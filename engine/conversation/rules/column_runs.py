"""Several columns in a row: a list to show, all of them recorded, or one range for each ("ALT or AST > 3 x ULN")."""

from dataclasses import replace

from engine.conversation.rules.facts import Columns, Fact, Limit
from engine.conversation.rules.items import Request
from engine.conversation.rules.limits import column_then_range, is_measured
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.references import recorded


def column_run(reading: Reading, at: int) -> Fact | list[Fact] | None:
    """What two or more columns that are joined by commas and words ask for."""
    if not _is_plain(reading, at):
        return None
    run, end, joined_by_or = [at], at + 1, False
    while (following := reading.at(end)) is not None:
        i, either = end, False
        while (link := reading.at(i)) is not None and i - end < 3 and (
            link.is_("and", "or") or link.get("symbol") in (",", "/", "&")
        ):  # fmt: skip
            either, i = either or link.is_("or"), i + 1
        while (article := reading.at(i)) is not None and article.is_("filler") and not article.is_("column"):
            i += 1
        following = reading.at(i)
        if i == end or following is None or not (_is_plain(reading, i) or (len(run) > 1 and following.is_("column"))):
            break
        run, end, joined_by_or = [*run, i], i + 1, joined_by_or or either
    if len(run) < 2:
        return None
    i = reading.skip(end, "filler", "bothof", most=3)
    if (told := reading.at(i)) is not None and told.is_("recorded"):
        names = [(reading.items[k].get("column") or ("",))[0] for k in run]
        return [recorded(reading, at, i + 1, name) for name in names]
    ranged = column_then_range(reading, run[-1])
    if isinstance(ranged, Limit):
        return _shared_range(reading, run, ranged, joined_by_or=joined_by_or)
    return _shown(reading, run, end) if ranged is None else None


def _is_plain(reading: Reading, at: int) -> bool:
    item = reading.at(at)
    if item is None or not item.is_("column") or item.is_("condition", "category", "unit", "number"):
        return False
    return not all("filler" in reading.lexicon.phrases.get((key,), {}) for key in _keys(reading, at)) or _named(
        reading, at
    )


def _named(reading: Reading, at: int) -> bool:
    """Whether the words are those of a column's own name ("ethnicity"), though they are also small words."""
    said = reading.request.span(at, at + 1).lower()
    return any(said == name.replace("_", " ") for name in reading.items[at].get("column") or ())


def _keys(reading: Reading, at: int) -> list[str]:
    item = reading.items[at]
    return [token.key for token in reading.request.tokens[item.first : item.last]]


def _shared_range(reading: Reading, run: list[int], limit: Limit, *, joined_by_or: bool) -> list[Fact] | None:
    """The same range for each column, read anew because each has its own unit and reference range."""
    joined_by_or = joined_by_or and not reading.excluding and reading.scope is None  # "neither" excludes each
    facts: list[Fact] = []
    last = reading.column(limit.column)
    for k in run[:-1]:
        name = next((one for one in reading.items[k].get("column") or () if is_measured(reading.column(one))), None)
        if name is None or reading.column(name).unit != last.unit:
            return None
        moved = replace(reading, request=_without(reading, k, run[-1]), facts=[], scope=None)
        own = column_then_range(moved, k)
        if not isinstance(own, Limit):
            return None
        facts.append(replace(own, first=k, last=limit.last, joined_by_or=joined_by_or and k != run[0]))
    return [*facts, replace(limit, first=run[0], joined_by_or=joined_by_or)]


def _without(reading: Reading, at: int, other: int) -> Request:
    items = list(reading.items)
    items[other] = replace(items[other], parts={**items[at].parts})
    return replace(reading.request, items=[*items[: at + 1], *items[other + 1 :]])


def _shown(reading: Reading, run: list[int], end: int) -> Fact | None:
    """A list of columns that nothing is asked of is what is wanted to be seen, where a list can begin."""
    trailing = reading.at(end)
    only = trailing is not None and trailing.is_("only", "columns")
    before = run[0] - 1
    while before >= 0 and reading.items[before].is_("filler") and not reading.items[before].is_("column"):
        before -= 1
    starts = before < 0 or reading.items[before].is_("verb", "columns", "only", "include", "symbol", "operator")
    if not (only or starts) or any(isinstance(fact, Columns) for fact in reading.facts):
        return None
    names = dict.fromkeys((reading.items[k].get("column") or ("",))[0] for k in run)
    last = end + 1 if only else end
    return Columns(run[0], last, reading.request.notes(run[0], last), tuple(names), "set")

"""Figures that a question asks for beside its cohort: "the average age of …", "the maximum days of stay for …"."""

from engine.conversation.rules.concepts import is_time
from engine.conversation.rules.facts import Aside, Fact
from engine.conversation.rules.limits import is_measured
from engine.conversation.rules.reading import Reading


def figure(reading: Reading, at: int) -> Fact | None:
    """A statistic and the column it is of; with a number behind them ("minimum age 18") they are a limit instead."""
    if not reading.items[at].is_("statistic"):
        return None
    i, timed = at + 1, False
    while (item := reading.at(i)) is not None and i - at < 5:
        names = item.get("column")
        if is_time(item.get("unit")) and not names:
            timed = True
        elif names and is_measured(reading.column(names[0])):
            i += 1
            break
        elif not item.is_("filler"):
            break
        i += 1
    else:
        return None
    named = reading.items[i - 1].get("column")
    following = reading.at(reading.skip(i, "filler", symbols=":="))
    limits = following is not None and following.is_("number", "operator", "between")
    if limits or not (named or timed):
        return None
    return Aside(at, i, note="", meaning="a figure to read from the cohort, not a criterion")

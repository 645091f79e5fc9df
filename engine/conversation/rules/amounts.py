"""Numbers of patients and shares that cannot be, with the nearest that can."""

from collections.abc import Sequence
from dataclasses import replace

from engine.cohort.spec import LARGE, MAX_PATIENTS
from engine.conversation.rules.facts import Count, Fact, Proportion, share_of
from engine.conversation.rules.remedies import Trouble, Way, balanced
from engine.conversation.rules.wording import share_phrase
from engine.schema.table import TableSchema


def patients_of(facts: Sequence[Fact], before: int) -> tuple[int, list[Trouble]]:
    """How many patients ``facts`` ask for after ``before``, and what is wrong with the number."""
    last = next((fact for fact in reversed(facts) if isinstance(fact, Count)), None)
    if last is None:
        return before, []
    wanted = before * (last.factor or 0.0) + last.patients
    wanted = round(wanted, 6)
    if wanted < 1 or wanted > MAX_PATIENTS or wanted != int(wanted):
        message = f"{wanted:,g} patients is not possible: ask for a whole number from 1 to {MAX_PATIENTS:,}."
        nearest = min(max(round(abs(wanted)), 1), MAX_PATIENTS) if wanted else before
        changed = tuple(replace(last, patients=float(nearest), factor=None) if fact is last else fact for fact in facts)
        noun = "patient" if nearest == 1 else "patients"
        return before, [Trouble("invalid", message, (Way(f"Use {nearest:,} {noun}", facts=changed),))]
    if wanted > LARGE:
        fewer = replace(last, patients=float(LARGE), factor=None)
        changed = tuple(fewer if fact is last else fact for fact in facts)
        smaller, all_of_them = large_labels(int(wanted))
        ways = (Way(smaller, facts=changed), Way(all_of_them, facts=tuple(facts)))
        return int(wanted), [Trouble("large", large_message(int(wanted)), ways, blocks=False)]
    return int(wanted), []


def large_message(patients: int) -> str:
    """What to know before so many patients are asked for."""
    return (
        f"{patients:,} patients are more than {LARGE:,}: a job draws them in parts into one Parquet file, which takes "
        f"minutes and room on the disk, and Excel cannot hold them. At most {MAX_PATIENTS:,} are possible."
    )


def large_labels(patients: int) -> tuple[str, str]:
    """The buttons of that: fewer instead, or all of them."""
    return f"Make {LARGE:,} instead", f"Make all {patients:,} in parts"


def share_troubles(facts: Sequence[Fact], schema: TableSchema) -> list[Trouble]:
    """Shares beyond 0 and 100 %, and shares of a column that add up to more than 100 %."""
    found = []
    proportions = [fact for fact in facts if isinstance(fact, Proportion)]
    for fact in proportions:
        if not 0 <= fact.share <= 1:
            name = schema[fact.column].label or fact.column.replace("_", " ")
            message = f"A share of {fact.share * 100:.4g} % of {name} is not possible: they lie between 0 % and 100 %."
            nearest = replace(fact, share=min(max(fact.share, 0.0), 1.0))
            ways = (
                Way(f"Use {share_phrase(share_of(nearest), schema)}", facts=_exchanged(facts, {fact: nearest})),
                Way("Drop the share", facts=tuple(other for other in facts if other is not fact)),
            )
            found.append(Trouble("invalid", message, ways))
    for name in dict.fromkeys(fact.column for fact in proportions):
        # The last word on a category counts.
        own = list({fact.category: fact for fact in proportions if fact.column == name}.values())
        total = sum(fact.share for fact in own)
        if total > 1 + 1e-9 and all(0 <= fact.share <= 1 for fact in own):
            title = schema[name].label or name.replace("_", " ")
            message = f"The shares of {title} add up to {total * 100:.4g} %, more than 100 %: lower one of them."
            ways = []
            for shares in balanced(own):
                changed = {fact: replace(fact, share=share) for fact, share in zip(own, shares, strict=True)}
                said = " and ".join(share_phrase(share_of(fact), schema) for fact in changed.values())
                ways.append(Way(f"Use {said}", facts=_exchanged(facts, changed)))
            found.append(Trouble("infeasible", message, tuple(ways)))
    return found


def _exchanged(facts: Sequence[Fact], changed: dict[Proportion, Proportion]) -> tuple[Fact, ...]:
    return tuple(changed.get(fact, fact) if isinstance(fact, Proportion) else fact for fact in facts)

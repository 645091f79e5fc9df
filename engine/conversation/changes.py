"""What applying a proposal changes in a request, in words: added, changed and removed, each on its own line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.cohort.conditions import compile_conditions
from engine.cohort.reference_tables import reference_table
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.conversation.rules.wording import phrase, share_phrase
from engine.core.errors import UserError
from engine.schema.table import TableSchema

_PARTS = (
    ("minimum", "maximum", "include_minimum", "include_maximum"), ("ranges",), ("any_of",), ("none_of",),
    ("starts_with",), ("not_starts_with",), ("between_codes",), ("recorded",),
)  # fmt: skip
"""Fields of a criterion that are one demand together."""


@dataclass(frozen=True)
class Change:
    """One line of the difference; ``before`` is empty for what is added, ``after`` for what is removed."""

    kind: Literal["added", "changed", "removed"]
    before: str
    after: str


def changes(before: CohortSpec, after: CohortSpec, schema: TableSchema) -> tuple[Change, ...]:
    """How ``after`` differs from ``before``: patients, criteria, shares, columns, population and seed, in this order.

    A column that the data set no longer has is named as the request names it.
    """
    found = [
        *_difference({"": _patients(before)}, {"": _patients(after)}),
        *_difference(_criteria(before, schema), _criteria(after, schema)),
        *_difference(_shares(before, schema), _shares(after, schema)),
        *_columns(before, after, schema),
        *_difference(_population(before), _population(after)),
        *_difference({"": f"seed {before.seed}"}, {"": f"seed {after.seed}"}),
    ]
    return tuple(found)


def within(spec: CohortSpec, schema: TableSchema) -> CohortSpec:
    """``spec`` without demands on columns that ``schema`` does not have, as after another preparation of the source."""
    columns = tuple(name for name in spec.columns or () if name in schema)
    kept = {
        "criteria": tuple(part for part in spec.criteria if part.column in schema),
        "shares": tuple(part for part in spec.shares if part.column in schema),
        "columns": columns or None,
    }
    return spec.model_copy(update=kept)


def taken_over(spec: CohortSpec, before: TableSchema, after: TableSchema) -> CohortSpec:
    """What of ``spec``, a request to the table ``before``, can be asked of ``after``: another source, another table.

    A demand goes with its column, and also where the column there has another unit (150 means something else) or
    cannot meet it (a category that it does not have).
    """

    def fits(part: Criterion | Share) -> bool:
        if part.column in before and before[part.column].unit != after[part.column].unit:
            return False
        try:
            compile_conditions(_only(part), after)
        except UserError:
            return False
        return True

    kept = within(spec, after)
    return kept.model_copy(
        update={
            "criteria": tuple(part for part in kept.criteria if fits(part)),
            "shares": tuple(part for part in kept.shares if fits(part)),
        }
    )


def _only(part: Criterion | Share) -> CohortSpec:
    return CohortSpec(criteria=(part,)) if isinstance(part, Criterion) else CohortSpec(shares=(part,))


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Change]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key, ""), after.get(key, "")
        if old != new:
            yield Change("added" if not old else "removed" if not new else "changed", old, new)


def _patients(spec: CohortSpec) -> str:
    return f"{spec.patients:,} patient{'s' if spec.patients != 1 else ''}"


def _criteria(spec: CohortSpec, schema: TableSchema) -> dict[str, str]:
    """The demands on each column in words."""
    said: dict[str, list[str]] = {}
    for criterion in spec.criteria:
        words = said.setdefault(criterion.column, [])
        words.extend(word for word in _demands(criterion, schema) if word not in words)
    return {column: " and ".join(words) for column, words in said.items()}


def _demands(criterion: Criterion, schema: TableSchema) -> Iterable[str]:
    # One sentence about all of a criterion may pass over the rarer of its demands; a difference must not.
    if criterion.column not in schema:
        yield f"{criterion.column} (not in this data set)"
        return
    for names in _PARTS:
        given = {name: value for name in names if (value := getattr(criterion, name)) is not None}
        if any(not name.startswith("include_") for name in given):
            yield phrase(Criterion(column=criterion.column, **given), schema)


def _shares(spec: CohortSpec, schema: TableSchema) -> dict[str, str]:
    return {f"{share.column} {share.category!r}": _share(share, schema) for share in spec.shares}


def _share(share: Share, schema: TableSchema) -> str:
    if share.column not in schema:
        return f"{share.share:.3g} of {share.column} (not in this data set)"
    return share_phrase(share, schema)


def _columns(before: CohortSpec, after: CohortSpec, schema: TableSchema) -> Iterable[Change]:
    if before.columns is None or after.columns is None:
        return _difference({"": _all_columns(before, schema)}, {"": _all_columns(after, schema)})
    gone = [name for name in before.columns if name not in after.columns]
    new = [name for name in after.columns if name not in before.columns]
    return _difference(
        {"removed": _listed(gone, schema) if gone else ""}, {"added": _listed(new, schema) if new else ""}
    )


def _all_columns(spec: CohortSpec, schema: TableSchema) -> str:
    return "all columns" if spec.columns is None else f"only {_listed(spec.columns, schema)}"


def _listed(names: Iterable[str], schema: TableSchema) -> str:
    titles = [(schema[name].label or name.replace("_", " ")) if name in schema else name for name in names]
    return f"{'column' if len(titles) == 1 else f'{len(titles)} columns:'} {', '.join(titles)}"


def _population(spec: CohortSpec) -> dict[str, str]:
    name = spec.reference_population
    return {"": f"following the {reference_table(name).title}"} if name else {}

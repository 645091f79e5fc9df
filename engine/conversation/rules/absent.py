"""What a request names and no column of the source records: the nearest that the source has, told and never chosen."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rapidfuzz import fuzz

from engine.cohort.spec import CohortSpec, Criterion
from engine.cohort.vocabulary import chapters, diseases
from engine.conversation.rules.choices import may_be_demanded
from engine.conversation.rules.concepts import concept_of
from engine.conversation.rules.facts import Demand, Fact, Problem
from engine.conversation.rules.items import Request
from engine.conversation.rules.lexicon import Lexicon, Unavailable, positive
from engine.conversation.rules.remedies import Trouble, Way
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind

Reread = Callable[[str], CohortSpec | None]
"""A request in other words → the spec that it asks for; None where some of it is not understood."""

_NEAR = 72
"""Of 100, how alike two names are of which one may be meant for the other: LDL and HDL cholesterol, not BNP and BMI."""
_MOST_NAMED = 6
_MOST_OFFERED = 3
_DISEASES = "Comorbidities"
"""The catalogue's group of diseases."""


def with_known_diseases(facts: Sequence[Fact], request: Request, lexicon: Lexicon) -> list[Fact]:
    """``facts``, each disease or clinical word that the source lacks told with those of its kind that it has."""
    return [
        replace(fact, message=f"{fact.message} {told}")
        if isinstance(fact, Problem)
        and (missing := _missing(fact, request)) is not None
        and not missing.nearest
        and (told := _of_its_kind(missing, lexicon))
        else fact
        for fact in facts
    ]


def nearest(
    unknown: Sequence[tuple[int, int]],
    request: Request,
    lexicon: Lexicon,
    facts: Sequence[Fact],
    *,
    offered: Sequence[Trouble],
    reread: Reread,
) -> list[Trouble]:
    """For what no column records: the diseases of the same chapter, the columns of nearly the same name, or the kind.

    Args:
        unknown: stretches of items (first, last) without a meaning.
        request: the text as items.
        lexicon: of the source.
        facts: what was understood, absent diseases among it as problems.
        offered: what is offered already; its stretches are left out.
        reread: reads the request with a name exchanged.
    """
    found = [trouble for fact in facts if (trouble := _diseases_nearby(fact, facts, request, lexicon)) is not None]
    without: list[str] = []
    for first, last in unknown:
        said = request.span(first, last)
        name = _name(request, first, last)
        if not name or any(f"“{said}”" in trouble.message for trouble in offered):
            continue
        known = request.items[first].get("column") if last == first + 1 else None
        if known is not None:
            found.append(_recorded(first, last, known[0], facts, lexicon))
        elif may_be_demanded(request, first, last):
            near = _alike(name, lexicon)
            if near:
                found.append(_exchanged(said, name, near, request, lexicon, reread))
            else:
                without.append(name)
    if without:
        found.append(Trouble("invalid", _no_column(without, lexicon), blocks=False))
    return found


def _missing(fact: Fact, request: Request) -> Unavailable | None:
    missing = request.items[fact.first].get("unavailable") if isinstance(fact, Problem) else None
    return missing if isinstance(missing, Unavailable) else None


def _name(request: Request, first: int, last: int) -> str:
    """The words of a stretch up to its first number or sign: "LDL cholesterol" of "LDL cholesterol over 130"."""
    end = first
    while end < last and not request.items[end].is_("number", "symbol", "operator", "limit", "unit", "between"):
        end += 1
    tokens = request.tokens[request.items[first].first : request.items[end - 1].last] if end > first else []
    worded = [token for token in tokens if token.kind == "word" and len(token.key) > 2]
    return request.text[tokens[0].start : tokens[-1].end] if worded else ""


def _title(column: Column) -> str:
    return column.label or column.name.replace("_", " ")


def _listed(columns: Sequence[Column]) -> str:
    more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
    return ", ".join(_title(column) for column in columns[:_MOST_NAMED]) + more


def _group(column: Column) -> str:
    concept = concept_of(column)
    return catalogue().concept(concept).group if concept is not None and concept in catalogue() else column.group or ""


def _flags(lexicon: Lexicon) -> dict[str, Column]:
    """ICD-9-CM code → the yes/no column of the disease, for each disease that the source records so."""
    found = {}
    for disease in diseases():
        column = lexicon.column_for(disease.flag) if disease.flag else None
        if column is not None and positive(column) is not None:
            found.update(dict.fromkeys(disease.icd9, column))
    return found


def _chapter(code: str) -> str:
    return next((one.number for one in chapters() if one.range[0] <= code.ljust(3, "0") <= one.range[1]), "")


def _diseases_nearby(fact: Fact, facts: Sequence[Fact], request: Request, lexicon: Lexicon) -> Trouble | None:
    """The diseases of the source in the chapter of one that it lacks, each as a choice."""
    missing = _missing(fact, request)
    disease = next((one for one in diseases() if missing is not None and one.name == missing.name), None)
    if missing is None or disease is None:
        return None
    chapter = _chapter(disease.icd9[0])
    near = dict.fromkeys(column.name for code, column in _flags(lexicon).items() if _chapter(code) == chapter)
    taken = {part.criterion.column for part in facts if isinstance(part, Demand) and part.criterion is not None}
    ways = []
    for name in [name for name in near if name not in taken][:_MOST_OFFERED]:
        demand = Demand(fact.first, fact.last, criterion=positive(lexicon.schema[name]))
        others = tuple(part for part in facts if part is not fact)
        ways.append(Way(f"Patients with {_title(lexicon.schema[name])}", facts=(*others, demand)))
    if not ways:
        return None
    message = f"Of the same chapter of diseases as {missing.name}, this source has those offered; choose one or none."
    return Trouble("invalid", message, tuple(ways), blocks=False)


def _of_its_kind(missing: Unavailable, lexicon: Lexicon) -> str:
    """What the source has of the kind of an absent disease or measurement; empty where it has nothing."""
    book = catalogue()
    is_disease = any(missing.name == one.name for one in diseases())
    group = _DISEASES if is_disease else book.concept(missing.wanted).group if missing.wanted in book else ""
    flags = {column.name for column in _flags(lexicon).values()} if is_disease else set()
    same = [one for one in lexicon.schema.features if one.name in flags or (group and _group(one) == group)]
    kind = "Diseases" if is_disease else f"Columns of its kind ({group.lower()})"
    return f"{kind} that it has: {_listed(same)}." if same else ""


def _recorded(first: int, last: int, name: str, facts: Sequence[Fact], lexicon: Lexicon) -> Trouble:
    """For a column that was named without a demand: those who have a value."""
    title = _title(lexicon.schema[name])
    demand = Demand(first, last, criterion=Criterion(column=name, recorded=True))
    way = Way(f"Only patients with {title} recorded", facts=(*facts, demand))
    message = f"What is wanted of {title} is not said: give a range or a category, or take those who have a value."
    return Trouble("invalid", message, (way,), blocks=False)


def _alike(name: str, lexicon: Lexicon) -> list[Column]:
    """The columns of nearly the same name, the most alike first."""
    scores = {
        column.name: max(
            fuzz.token_sort_ratio(name.lower(), own.lower())
            for own in (column.name.replace("_", " "), column.label)
            if own
        )
        for column in lexicon.schema.features
    }
    near = sorted((one for one in scores if scores[one] >= _NEAR), key=lambda one: -scores[one])
    return [lexicon.schema[one] for one in near[:_MOST_OFFERED]]


def _exchanged(
    said: str, name: str, near: Sequence[Column], request: Request, lexicon: Lexicon, reread: Reread
) -> Trouble:
    ways = []
    for column in near:
        spec = reread(request.text.replace(said, said.replace(name, _title(column), 1), 1))
        if spec is not None:
            ways.append(Way(f"Read “{name}” as {_title(column)}", spec=spec))
    message = f"This source has no column for “{name}”. By name the nearest {'is' if len(near) == 1 else 'are'} "
    return Trouble("invalid", f"{message}{_listed(near)}.", tuple(ways), blocks=False)


def _no_column(names: Sequence[str], lexicon: Lexicon) -> str:
    """That there is none, with the columns of the same group, or the source's measurements."""
    book = catalogue()
    groups = {concept.group for name in names if (concept := book.find(name)) is not None}
    features = lexicon.schema.features
    same = [column for column in features if _group(column) in groups]
    measured = [column for column in features if column.kind in (Kind.NUMERIC, Kind.INTEGER)]
    quoted = " or ".join(f"“{name}”" for name in dict.fromkeys(names))
    if same:
        return f"This source has no column for {quoted}. Of the same kind it has: {_listed(same)}."
    if measured:
        return f"This source has no column for {quoted}. It measures: {_listed(measured)}."
    return f"This source has no column for {quoted}. It has: {_listed(features)}."

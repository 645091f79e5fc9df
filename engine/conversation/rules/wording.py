"""A cohort, and each of its criteria, in words."""

from engine.cohort.reference_tables import reference_table
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.cohort.vocabulary import category_words, chapters, diseases
from engine.conversation.rules.concepts import concept_of, time_unit
from engine.schema.table import Column, Kind, TableSchema

_NAMES = {"Glasgow"}
_NOUNS = {"F": "women", "M": "men"}


def describe(spec: CohortSpec, schema: TableSchema) -> str:
    """The cohort as one sentence: "2,000 women aged over 65 with type 2 diabetes; 30 % died in hospital"."""
    noun, rest = _noun(spec, schema)
    ages = [part for part in rest if _concept(part, schema) == "age_years"]
    flags = [part for part in rest if part not in ages and _flag(part, schema) is not None]
    illnesses = [part for part in flags if _concept(part, schema) != "died_in_hospital"]
    deaths = [part for part in flags if part not in illnesses]
    codes = [part for part in rest if part.starts_with or part.between_codes]
    measured = [part for part in rest if part not in (*ages, *flags, *codes) and _is_range(part)]
    others = [part for part in rest if part not in (*ages, *flags, *codes, *measured)]

    sentence = f"{spec.patients:,} {noun}"
    for part in ages:
        sentence += f" {_age(part, schema)}"
    have = [_flag_name(part, schema) for part in illnesses if _flag(part, schema)]
    have += [_codes(part) for part in codes] + [phrase(part, schema) for part in measured]
    lack = [_flag_name(part, schema) for part in illnesses if not _flag(part, schema)]
    if have:
        sentence += f" with {_join(have)}"
    if lack:
        sentence += f"{' but' if have else ''} without {_join(lack, last='or')}"
    tail = [_admission(part, schema) or phrase(part, schema) for part in others]
    tail += ["who died in hospital" if _flag(part, schema) else "who survived" for part in deaths]
    if tail:
        sentence += ", " + ", ".join(tail)
    endings = [_join([share_phrase(share, schema) for share in spec.shares])] if spec.shares else []
    if spec.reference_population:
        endings.append(f"following the {reference_table(spec.reference_population).title}")
    if spec.columns is not None:
        endings.append(f"columns: {', '.join(_title(schema[name]) for name in spec.columns)}")
    return "; ".join([sentence, *endings])


def phrase(criterion: Criterion, schema: TableSchema) -> str:
    """One criterion in words: "hemoglobin below 10 g/dL", "ethnicity is Hispanic or Black"."""
    column = schema[criterion.column]
    name = _inner(_title(column))
    flag = _flag(criterion, schema)
    if flag is not None:
        return _flag_name(criterion, schema) if flag else f"no {_flag_name(criterion, schema)}"
    if _is_range(criterion):
        unit = f" {column.unit}" if column.unit else ""
        return f"{name} {_range(criterion)}{unit}"
    if criterion.starts_with or criterion.between_codes:
        return _codes(criterion)
    parts = []
    if criterion.any_of is not None:
        parts.append(f"{name} is {_join([_said(value, column) for value in criterion.any_of], last='or')}")
    if criterion.none_of is not None:
        parts.append(f"{name} is not {_join([_said(value, column) for value in criterion.none_of], last='or')}")
    if criterion.not_starts_with is not None:
        parts.append(f"not {_disease(criterion.not_starts_with) or _listed(criterion.not_starts_with)}")
    if criterion.recorded is not None and not parts:
        parts.append(f"{name} is {'recorded' if criterion.recorded else 'missing'}")
    return " and ".join(parts)


def share_phrase(share: Share, schema: TableSchema) -> str:
    """A share in words: "30 % died in hospital", "50 % women"."""
    column = schema[share.column]
    percent = f"{share.share * 100:.3g} %"
    if column.kind is Kind.BOOLEAN:
        if concept_of(column) == "died_in_hospital":
            return f"{percent} {'died in hospital' if share.category else 'survived'}"
        return f"{percent} {'with' if share.category else 'without'} {_inner(_title(column))}"
    if concept_of(column) == "sex":
        return f"{percent} {_noun_of(str(share.category))}"
    return f"{percent} {_said(share.category, column)}"


def _noun(spec: CohortSpec, schema: TableSchema) -> tuple[str, list[Criterion]]:
    noun, rest = "patients" if spec.patients != 1 else "patient", []
    for part in spec.criteria:
        if _concept(part, schema) == "sex" and part.any_of is not None and len(part.any_of) == 1:
            noun = _noun_of(str(part.any_of[0]))
        else:
            rest.append(part)
    return noun, rest


def _noun_of(category: str) -> str:
    return _NOUNS.get(category[:1].upper(), category)


def _concept(criterion: Criterion, schema: TableSchema) -> str | None:
    return concept_of(schema[criterion.column])


def _flag(criterion: Criterion, schema: TableSchema) -> bool | None:
    """What a criterion on a yes/no column demands; None for other criteria."""
    if schema[criterion.column].kind is not Kind.BOOLEAN:
        return None
    if criterion.any_of is not None and len(criterion.any_of) == 1:
        return bool(criterion.any_of[0])
    if criterion.none_of is not None and len(criterion.none_of) == 1:
        return not criterion.none_of[0]
    return None


def _flag_name(criterion: Criterion, schema: TableSchema) -> str:
    column = schema[criterion.column]
    named = next((disease.name for disease in diseases() if disease.flag == column.name), None)
    return named or _inner(_title(column))


def _age(criterion: Criterion, schema: TableSchema) -> str:
    if not _is_range(criterion):
        return phrase(criterion, schema)
    return f"aged {_range(criterion).replace('at least', 'from').replace('above', 'over').replace('below', 'under')}"


def _is_range(criterion: Criterion) -> bool:
    return criterion.minimum is not None or criterion.maximum is not None or criterion.ranges is not None


def _range(criterion: Criterion) -> str:
    if criterion.ranges is not None:
        pieces = [_ends(low, high, True, True) for low, high in criterion.ranges]
        return _join(pieces, last="or")
    return _ends(criterion.minimum, criterion.maximum, criterion.include_minimum, criterion.include_maximum)


def _ends(low: float | str | None, high: float | str | None, include_low: bool, include_high: bool) -> str:
    lower, upper = _figure(low), _figure(high)
    if low is not None and high is not None:
        if include_low and include_high:
            return f"{lower} to {upper}" if low != high else lower
        return f"{'from' if include_low else 'above'} {lower} {'to' if include_high else 'to below'} {upper}"
    if low is not None:
        return f"{'at least' if include_low else 'above'} {lower}"
    return f"{'at most' if include_high else 'below'} {upper}"


def _figure(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _codes(criterion: Criterion) -> str:
    known = _disease(criterion.starts_with or ())
    pieces = [known] if known else [f"diagnosis {_listed(criterion.starts_with)}"] if criterion.starts_with else []
    for low, high in criterion.between_codes or ():
        chapter = next((chapter for chapter in chapters() if chapter.range == (low, high)), None)
        pieces.append(chapter.names[0] if chapter else f"diagnosis {_dotted(low)}–{_dotted(high)}")
    if criterion.not_starts_with:
        pieces.append(f"not {_disease(criterion.not_starts_with) or _listed(criterion.not_starts_with)}")
    return " or ".join(pieces)


def _disease(prefixes: tuple[str, ...]) -> str:
    return next((disease.name for disease in diseases() if disease.icd9 == prefixes), "")


def _listed(codes: tuple[str, ...]) -> str:
    shown = [_dotted(code) for code in codes[:4]]
    return "ICD-9 " + ", ".join(shown) + (" …" if len(codes) > 4 else "")


def _dotted(code: str) -> str:
    whole = 4 if code.startswith("E") else 3
    return f"{code[:whole]}.{code[whole:]}" if len(code) > whole else code


def _admission(criterion: Criterion, schema: TableSchema) -> str:
    column = schema[criterion.column]
    if concept_of(column) != "admission_type" or not criterion.any_of:
        return ""
    said = _join([str(value).lower() for value in criterion.any_of], last="or")
    return "admitted as an emergency" if said == "emergency" else f"{said} admission"


def _said(value: object, column: Column) -> str:
    words = category_words().get(concept_of(column) or "", {}).get(str(value))
    if words and concept_of(column) == "ethnicity":
        return words[0].title() if str(value) != "OTHER" else "other"
    text = str(value)
    return text.lower() if text.isupper() and len(text) > 5 else text


def _title(column: Column) -> str:
    if time_unit(column) is None and not column.label:
        return column.name.replace("_", " ")
    return column.label or column.name.replace("_", " ")


def _inner(title: str) -> str:
    """A label inside a sentence: "Length of stay" → "length of stay", but "BMI" and "ICU days" stay."""
    first, _, rest = title.partition(" ")
    if first in _NAMES or any(letter.isupper() for letter in first[1:]) or first[1:2] == "-":
        return title
    return f"{first.lower()}{' ' if rest else ''}{rest}"


def _join(pieces: list[str], *, last: str = "and") -> str:
    if len(pieces) < 2:
        return "".join(pieces)
    return f"{', '.join(pieces[:-1])} {last} {pieces[-1]}"

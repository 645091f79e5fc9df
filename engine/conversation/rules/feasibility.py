"""Whether a spec can be met at all: bounds of columns, contradictions, shares against criteria, nature."""

from engine.cohort.conditions import bare_code, compile_conditions, in_code_range, restrict
from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.contract import Warning
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.wording import phrase
from engine.core.errors import UserError
from engine.schema.table import Kind


def infeasibilities(spec: CohortSpec, lexicon: Lexicon) -> list[Warning]:
    """Why ``spec`` cannot be met; empty where nothing speaks against it. No patient's row is looked at."""
    schema = lexicon.schema
    problems = [
        Warning(code="infeasible", message=f"No record of this source has {phrase(criterion, schema)}.")
        for criterion in spec.criteria
        if _has_no_code(criterion, lexicon)
    ]
    checked = tuple(
        criterion
        for criterion in spec.criteria
        if _is_checkable(criterion, lexicon) and not _has_no_code(criterion, lexicon)
    )
    try:
        conditions = compile_conditions(CohortSpec(criteria=checked, shares=spec.shares), schema)
        for share in spec.shares:
            if share.share > 0:
                text = str(share.category).lower() if isinstance(share.category, bool) else str(share.category)
                restrict(conditions.get(share.column), schema[share.column], text)
    except UserError as error:
        problems.append(Warning(code="infeasible", message=str(error)))
    problems += _against_nature(spec, lexicon)
    return problems


def _has_no_code(criterion: Criterion, lexicon: Lexicon) -> bool:
    """Whether none of the source's codes is among those that the criterion asks for."""
    known = lexicon.schema[criterion.column].categories or ()
    prefixes, ranges = criterion.starts_with or (), criterion.between_codes or ()
    if not known or not (prefixes or ranges):
        return False
    wanted = (code for code in map(bare_code, known) if code.startswith(prefixes) or not prefixes)
    return not any(not ranges or any(in_code_range(code, *pair) for pair in ranges) for code in wanted)


def _is_checkable(criterion: Criterion, lexicon: Lexicon) -> bool:
    column = lexicon.schema[criterion.column]
    return column.kind is not Kind.CATEGORICAL or bool(column.categories)


def _against_nature(spec: CohortSpec, lexicon: Lexicon) -> list[Warning]:
    pregnancy, sex = lexicon.column_for("pregnancy"), lexicon.column_for("sex")
    if pregnancy is None or sex is None:
        return []
    pregnant = any(part.column == pregnancy.name and part.any_of == (True,) for part in spec.criteria)
    wanted = {str(value)[0].upper() for part in spec.criteria if part.column == sex.name for value in part.any_of or ()}
    shared = {str(part.category)[0].upper() for part in spec.shares if part.column == sex.name and part.share > 0}
    if pregnant and ("M" in shared or wanted == {"M"}):
        message = "Pregnant men do not occur in the source: drop the pregnancy or the sex."
        return [Warning(code="infeasible", message=message)]
    return []

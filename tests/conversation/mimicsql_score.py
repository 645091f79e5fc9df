"""When a spec is right for a question of MIMICSQL, whose conditions are made by machine.

A turn is right when all of this holds:

- each condition is met by a criterion that means the same: sex, group of the ethnicity (as the preparation groups the
  recorded ones), admission type, age, days of stay as hours, death in hospital, an ICD-9 code;
- a long or short title is met by its own code, or by a curated disease that covers the code;
- a ``diagnosis`` (free text at admission, which no column of the patient table holds) is met by criteria on diagnoses
  whose codes are among those a reader would accept (``FREE_TEXT``), or its words are reported as not understood;
- a question of nothing but such a text may also be unclear, with the text reported;
- there is no other criterion, share, number of patients or list of columns;
- no other word is left over.
"""

from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import diseases
from engine.conversation.contract import Turn
from engine.conversation.rules.titles import short_titles, titles

DIAGNOSES = ("primary_icd9_code", *{disease.flag for disease in diseases() if disease.flag})

WRONG_LABELS = {
    # question's beginning: (condition as labelled, condition as asked, reason)
    "what is the maximum age of patients who died and were diagnosed with primary disease pituitary bleed": (
        ["expire_flag", "=", "0"], ["expire_flag", "=", "1"], "the question says died, the label alive"),
    "how many of the patients with icd9 code 78052 have an unspecified death status": (
        ["expire_flag", "=", "0"], None, "an unspecified death status is not the same as alive"),
    "among patients who had sigmoid diverticulitis colovestical fistula/sda": (
        ["expire_flag", "=", "0"], None, "an unspecified death status is not the same as alive"),
}  # fmt: skip

FREE_TEXT = {
    "BRAIN MASS;INTRACRANIAL HEMORRHAGE": ("430", "431", "432", "191", "2396"),
    "FEMORAL ARTERY THROMBOSIS": ("44422",),
    "MESENTERIC ISCHEMIA": ("557",),
    "AORTIC VALVE INSUFFIENCY\\AORTIC VALVE REPLACEMENT /SDA": ("4241", "395"),
    "CONGESTIVE HEART FAILURE": ("428",),
    "COLANGITIS": ("5761",),
    "SDH": ("4321", "8522"),
    "LEFT FEMUR FRACTURE": ("820", "821"),
    "LIVER TRANSPLANT": ("V427", "99682"),
    "OVERDOSE": ("96", "97"),
    "ST-SEGMENT ELEVATION MYOCARDIAL INFARCTION\\CARDIAC CATH": ("410",),
    "ST ELEVATED MYOCARDIAL INFARCTION\\CARDIAC CATH": ("410",),
    "STEMI": ("410",),
    "SQUAMOUS CELL CARCINOMA ORAL TONGUE/SDA": ("141", "145", "140", "143", "144"),
    "BOWEL OBSTRUCTION": ("560",),
    "ACIDOSIS": ("2762",),
    "INFECTED RIGHT THIGH GRAFT": ("99662",),
    "ANGIOEDEMA": ("9951",),
    "CHEST PAIN": ("7865",),
    "RUQ PAIN": ("78901",),
    "GUILLAIN BARRE SYNDROME": ("3570",),
    "COMPLETE HEART BLOCK": ("4260",),
    "ABDOMINAL PAIN": ("7890",),
    "GASTROINTESTINAL BLEED": ("578",),
    "POSTERIOR COMMUNICATING ANEURYSM/SDA": ("4373", "430"),
    "AORTIC INSUFFICIENCY\\RE-DO STERNOTOMY; AORTIC VALVE REPLACEMENT   ": ("4241", "395"),
    "SIGMOID DIVERTICULITIS, COLOVESTICAL FISTULA/SDA": ("562",),
    "PITUITARY BLEED": ("2538", "2532"),
}
"""Free text at admission → ICD-9 prefixes that a reader would take it for."""
FLAGS = {"SQUAMOUS CELL CARCINOMA ORAL TONGUE/SDA": {"cancer"},
         "ST-SEGMENT ELEVATION MYOCARDIAL INFARCTION\\CARDIAC CATH": {"myocardial_infarction"},
         "CONGESTIVE HEART FAILURE": {"heart_failure"},
         "GASTROINTESTINAL BLEED": {"gastrointestinal_bleeding"}}  # fmt: skip
"""Flags that mean the free text, or the wider disease where the rest of it is reported."""


def is_right(question: str, conditions: list[list[str]], turn: Turn) -> bool:
    """Whether ``turn`` is right for ``question``, in the sense above."""
    spec = turn.spec
    if spec is None and all(name == "diagnosis" for name, *_ in conditions):
        return turn.intent == "unclear" and bool(turn.not_understood)
    if spec is None or spec.shares or spec.patients != 1000 or spec.columns is not None:
        return False
    left = list(spec.criteria)
    reported = False
    for condition in corrected(question, conditions):
        name, _, value = condition
        if name == "diagnosis" and value in FREE_TEXT:
            met = [criterion for criterion in left if _is_free_text(criterion, value)]
            reported = reported or bool(turn.not_understood)
            if not met and not turn.not_understood:
                return False
        else:
            met = _met(condition, left)
            if not met:
                return False
            reported = reported or value.startswith("HYPERTENSION;")
        left = [criterion for criterion in left if criterion not in met]
    return not left and (reported or not turn.not_understood)


def corrected(question: str, conditions: list[list[str]]) -> list[list[str]]:
    """The conditions without the labels that are wrong."""
    for beginning, (wrong, right, _) in WRONG_LABELS.items():
        if question.strip().startswith(beginning):
            return [*(one for one in conditions if one != wrong), *([right] if right else [])]
    return conditions


def _met(condition: list[str], left: list[Criterion]) -> list[Criterion]:
    name, operator, value = condition
    match name:
        case "gender":
            return [one for one in left if one == Criterion(column="sex", any_of=(value,))]
        case "ethnicity":
            return [one for one in left if one == Criterion(column="ethnicity", any_of=(_group(value),))]
        case "admission_type":
            return [one for one in left if one == Criterion(column="admission_type", any_of=(value,))]
        case "expire_flag":
            return [one for one in left if one == Criterion(column="died_in_hospital", any_of=(value == "1",))]
        case "age":
            return [one for one in left if one == _range("age_years", operator, float(value))]
        case "days_stay":
            wanted = _range("length_of_stay_hours", operator, 24 * float(value))
            if value == "0":  # "for 1 or more days"
                wanted = Criterion(column="length_of_stay_hours", minimum=24.0)
            return [one for one in left if one == wanted]
        case "icd9":
            return [one for one in left if one == Criterion(column="primary_icd9_code", starts_with=(value,))]
        case "diagnosis" if value == "NEWBORN":
            return [one for one in left if one == Criterion(column="admission_type", any_of=("NEWBORN",))]
        case "diagnosis":  # hypertension but not coronary artery disease
            wanted = (("hypertension", True), ("coronary_artery_disease", False))
            met = [one for one in left if (one.column, (one.any_of or (None,))[0]) in wanted]
            return met if len(met) == 2 else []
        case "short" | "long":
            book = titles() if name == "long" else short_titles()
            codes = {code for code, title in book.items() if title.casefold() == value.casefold()}
            return [one for one in left if _means(one, codes)]
    raise ValueError(name)


def _means(criterion: Criterion, codes: set[str]) -> bool:
    """Whether a criterion is one of the codes themselves, or a curated disease that covers one."""
    if criterion.starts_with is not None and len(criterion.starts_with) == 1 and criterion.starts_with[0] in codes:
        return True
    for disease in diseases():
        flagged = criterion.column == disease.flag and criterion.any_of == (True,)
        if (flagged or criterion.starts_with == disease.icd9) and any(code.startswith(disease.icd9) for code in codes):
            return True
    return False


def _is_free_text(criterion: Criterion, value: str) -> bool:
    if criterion.any_of == (True,):
        return criterion.column in FLAGS.get(value, set())
    chosen = criterion.starts_with or ()
    return bool(chosen) and all(
        any(code.startswith(right) or right.startswith(code) for right in FREE_TEXT[value]) for code in chosen
    )


def _range(column: str, operator: str, value: float) -> Criterion:
    if operator == "=":
        return Criterion(column=column, minimum=value, maximum=value + 24, include_maximum=False)
    if operator.startswith(">"):
        return Criterion(column=column, minimum=value, include_minimum=operator == ">=")
    return Criterion(column=column, maximum=value, include_maximum=operator == "<=")


def _group(ethnicity: str) -> str:
    for group in ("WHITE", "BLACK", "HISPANIC", "ASIAN"):
        if ethnicity.startswith(group):
            return group
    return "OTHER"

"""What is never turned into a cohort: personal data in the text, the wish to see real rows, medical advice."""

import re

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_PHONE = re.compile(r"(?<![\d.])(?:\+\d{1,3}[ -]?)?(?:\(\d{3}\)[ ]?|\d{3}[-.])\d{3}[-.]\d{4}(?!\d)|\+\d{2}[ \d]{8,}")
_SOCIAL = re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")
_RECORD = re.compile(r"\b(?:mrn|medical record (?:number|no)|ssn|social security|passport|insurance (?:number|no))\b"
                     r"[^\d]{0,12}\d{3,}", re.IGNORECASE)  # fmt: skip
_DATE = r"(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}(?:st|nd|rd|th)? \w+ \d{4}|\w+ \d{1,2},? \d{4})"
_BIRTH = re.compile(
    rf"\b(?:dob|d\.o\.b\.|date of birth|birth ?date|birthday|born)\b[^\d]{{0,15}}{_DATE}", re.IGNORECASE
)
_TITLE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mister|Dr|Prof)\b\.? +[A-Z][a-z]+|\b(?:named|called) +[A-Z][a-z]+ +[A-Z][a-z]+"
)

_PERSONAL = {
    "an e-mail address": _EMAIL, "a telephone number": _PHONE, "a social security number": _SOCIAL,
    "a record number": _RECORD, "a date of birth": _BIRTH, "a person's name": _TITLE,
}  # fmt: skip

_SEE = r"(?:show|print|list|display|dump|reveal|give|export|see|output|return|download|read|leak|view|access|fetch|get)"
_REAL = r"(?:real|training|original|actual|raw|source|underlying|identified|identifiable|true)"
_ROW = r"(?:rows?|records?|patients?|data|table|examples?|individuals?|entries|entry|people|samples?|names?|cases?)"
_ROWS = (
    re.compile(rf"\b{_SEE}\b[^.?!]{{0,40}}\b{_REAL}\b(?:[ -]\w+)?[ -]{_ROW}\b", re.IGNORECASE),
    re.compile(rf"\b{_SEE}\b[^.?!]{{0,30}}\b{_ROW}\b[^.?!]{{0,25}}\b(?:you (?:were|was) trained|used for training|"
               rf"in the training|from the training|(?:in|from|of) the (?:real|original|source) )", re.IGNORECASE),
    re.compile(r"\bpatient(?:'s)?(?: (?:id|number|no\.?|with id))? ?#? ?\d{3,}\b", re.IGNORECASE),
    re.compile(r"\bsubject_?id\b|\bhadm_?id\b", re.IGNORECASE),
    re.compile(r"\bselect\b.{1,40}\bfrom\b|\bignore (?:all |any )?(?:previous|prior|the above)", re.IGNORECASE),
    re.compile(rf"\b(?:names?|address(?:es)?|phone|telephone|contact)\b[^.?!]{{0,30}}\b{_ROW}\b", re.IGNORECASE),
)  # fmt: skip
_ADVICE = (
    re.compile(r"\bshould (?:i|my|we|he|she|they|you|a patient|patients|this patient|the patient)\b", re.IGNORECASE),
    re.compile(r"\b(?:dose|dosage|dosing|side effects?|contraindications?|interactions?)\b", re.IGNORECASE),
    re.compile(r"\bhow (?:do|can|should|would|to)\b.{0,12}\b(?:treat|cure|manage|prevent|diagnose)\b", re.IGNORECASE),
    re.compile(r"\b(?:best|right|recommended|correct) (?:treatment|therapy|drug|medicine|medication)\b", re.IGNORECASE),
    re.compile(r"\bis it safe\b|\bwhat are the symptoms\b|\bprescribe\b|\bmy (?:doctor|symptoms|child|wife|husband|"
               r"father|mother|son|daughter|diagnosis)\b|\bdo i have\b|\bcan i take\b|\bwhat does .{2,40} treat\b",
               re.IGNORECASE),
)  # fmt: skip
_ELSEWHERE = re.compile(
    r"\b(?:poem|joke|weather|recipe|song|story|football|stock price|translate|capital of|president|essay|homework|"
    r"reimbursement|opening hours|parking|python code|write code|horoscope|news)\b",
    re.IGNORECASE,
)


def personal_data(text: str) -> str | None:
    """What kind of personal data ``text`` holds; None where none is noticed. The data itself is not returned."""
    return next((kind for kind, pattern in _PERSONAL.items() if pattern.search(text)), None)


def asks_for_real_rows(text: str) -> bool:
    """Whether ``text`` tries to reach records of real patients."""
    return any(pattern.search(text) for pattern in _ROWS)


def asks_for_advice(text: str) -> bool:
    """Whether ``text`` asks for medical advice or something the product has nothing to do with."""
    return bool(_ELSEWHERE.search(text)) or any(pattern.search(text) for pattern in _ADVICE)

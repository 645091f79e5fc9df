"""What is never turned into a cohort: personal data in the text, the wish to see real rows, advice, other topics.

Words that people also use for cohorts ("high-dose steroids", "contact dermatitis") must not set these off: where a word
alone says little, the pattern asks for the words around it.
"""

import re
from functools import lru_cache

from engine.cohort.vocabulary import category_words, column_words, diseases, grammar, person_names
from engine.conversation.rules.titles import title_words
from engine.conversation.rules.tokens import fold, key_of


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


_DATE = (
    r"(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}(?:st|nd|rd|th)? \w+ \d{4}|"
    r"[a-z]{3,} \d{1,2},? \d{4})"
)
_ID = (
    r"(?:mrn|(?:medical|patient|health|hospital) (?:record|chart|file)s?(?: (?:number|no\b\.?|id))?|ssn|"
    r"social security|passport|"
    r"(?:insurance|nhs|hospital|case|chart|account|policy|member(?:ship)?|medicare|medicaid|health card|record|file|"
    r"driver'?s licen[cs]e|licen[cs]e|admission|subject|patient)[ -]?(?:number|no\b\.?|nr\b\.?|id\b|identifier|#))"
)
_PERSONAL = {
    "an e-mail address": _pattern(r"[\w.+-]+@[\w-]+\.\w+", r"\b[\w.+-]+ ?(?:\(at\)|\[at\]) ?[\w-]+\.\w+"),
    "a record number": _pattern(
        rf"\b{_ID}(?: (?:is|of|was))?[ :#=-]{{0,4}}[a-z]{{0,3}}-?\d[\d -]{{2,}}",
        r"\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}\b"
    ),
    "a social security number": _pattern(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)"),
    "a telephone number": _pattern(
        r"(?<![\d.])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)[ ]?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\d)", r"\+\d{2}[ \d-]{8,}",
        r"\b(?:phone|tel|telephone|mobile|cell|fax|call|number is)\b[ .:]{0,3}(?:me |him |her |them )?(?:at |"
        r"on |is )?\+?\d[\d -]{6,}\d",
        r"\b0\d{2,4} \d{3,4} \d{3,4}\b",
    ),
    "a date of birth": _pattern(
        rf"\b(?:dob|d\.o\.b\.?|date of birth|birth ?dates?|birthday|born)\b(?! (?:before|after|between|"
        rf"since))[^\d]{{0,15}}{_DATE}"
    ),
    "an address": _pattern(
        r"\b\d{1,5}[a-z]? (?:[a-z]+ ){1,3}(?:street|avenue|road|lane|boulevard|blvd\.?)(?= *(?:$|[,.;)]|in |"
        r"and |who|apt))",
        r"\b(?:lives?|living|resid\w+) (?:at|in|on) \d{1,5} [a-z]+", r"\b(?:zip|post ?code|"
        r"postal code)\b[ :]{0,3}[a-z0-9]*\d",
        r"\b\d{1,5} (?-i:[A-Z][a-z]+ (?:[A-Z][a-z]+ )?(?:St|Ave|Rd|Ln|Drive|Dr|Court|Place|Square|Terrace|Close|"
        r"Way)\b)",
    ),
}  # fmt: skip
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mister|Dr|Prof|Herr|Frau|Madame|Sir)\b\.? +[A-Z][a-z]+|"
    r"\b(?:[Nn]amed?|[Cc]alled|[Nn]ame(?: is|:)) +[A-Z][a-z]+ +[A-Z][a-z]+"
)
_TWO_NAMES = re.compile(
    r"\b(?:(?i:patient|pt|client|subject|case)(?: is|:)?|(?i:my (?:mother|father|wife|husband|son|daughter|friend))|"
    r"like|about|(?:record|file)s? of)"
    r",?:? +([A-Z][A-Za-z'’-]+),? +(?:[A-Z]\.? +)?([A-Z][A-Za-z'’-]+)\b"
)
_NAMED = re.compile(r"\b([A-Z][a-z]+|[A-Z]{3,}) +(?:[A-Z]\.? +)?([A-Z][a-z'’-]+|[A-Z]{3,})\b")

_SEE = (
    r"(?:show|print|list|display|dump|reveal|give|export|see|output|return|download|read|leak|view|access|fetch|get|"
    r"open|send|paste|extract|copy|retrieve|share|provide|pull|query)"
)
_REAL = (
    r"(?:real|training|original|actual|raw|source|underlying|identified|identifiable|true|genuine|unmasked|"
    r"de-?anonymi[sz]ed)"
)
_PEOPLE = r"(?:patients?|people|persons?|individuals?|cases?|records?|subjects?|participants?)"
_ROW = rf"(?:rows?|data|tables?|examples?|entries|entry|samples?|names?|database|dataset|files?|notes?|{_PEOPLE})"
_NOT_LIKE = r"(?:(?!\b(?:like|resembl\w*|similar|based|realistic|match\w*|mirror\w*|than|compar\w*|as in)\b)[^.?!])"
_INSTRUCTIONS = r"(?:instructions?|prompts?|rules?|messages?|guidelines|directions)"
_ROWS = _pattern(
    rf"\b{_SEE}\b{_NOT_LIKE}{{0,40}}\b{_REAL}\b(?:[ -](?!of\b)[\w-]+){{0,2}}[ -]{_ROW}\b",
    rf"\b{_SEE}\b{_NOT_LIKE}{{0,30}}\b{_ROW}\b{_NOT_LIKE}{{0,25}}\b(?:you (?:were|was) trained|used for training|"
    rf"(?:in|from|of) (?:the |your )?(?:training|real|original|source|hospital(?:'s)?) ?(?:set|data|database|"
    rf"table|rows)?\b(?! stay))",
    r"\b(?:dump|export|download|print|leak|copy) (?:me )?(?:the |your |this |all )*(?:\w+ )?(?:database|db|csv|"
    r"sql|parquet)\b",
    r"\bpatient(?:'s)?(?: (?:id|number|no\.?|with id))? ?#? ?\d{3,}\b(?! (?:patients|women|men|cases))",
    rf"\bwh(?:o|ich|at|ose)\b[^.?!]{{0,20}}\b{_REAL} {_PEOPLE}\b[^.?!]{{0,40}}\b(?:row|correspond|behind|belong|"
    rf"is it|was)",
    rf"\b(?:re-?identif(?:y|ied)|de-?anonymi[sz]e|unmask|deanonymise)\b(?! risk)[^.?!]{{0,25}}\b(?:{_PEOPLE}|"
    rf"rows?|him|her|them|who)\b",
    r"\bsubject_?id\b|\bhadm_?id\b|\b(?:admissions|patients|labevents|noteevents|diagnoses_icd|prescriptions)\.csv",
    r"\bselect\s+(?:\*|[\w.]+(?:\s*,\s*[\w.]+)*)\s+from\s+(?:\w+_\w+|admissions|patients|icustays|labevents|"
    r"noteevents)\b",
    r"\bselect \*|\bdrop table\b|\bunion select\b|\bdelete from\b|\binsert into\b",
    rf"\b(?:ignore|disregard|forget|override)\b (?:all |any |your |the |my )*(?:of )?(?:previous|prior|above|"
    rf"earlier|system)? ?{_INSTRUCTIONS}\b",
    r"\bsystem prompt\b|\bdeveloper mode\b|\bjailbreak\b|\byou are now\b|\bpretend (?:to be|you)\b",
    rf"\b(?:names?|addresses|address|(?:phone|telephone) numbers?|contact (?:details|info\w*|numbers?))"
    rf"\b[^.?!]{{0,12}}\bof (?:the |all |these |those )*(?:\w+ )?{_PEOPLE}\b|\b{_PEOPLE}'?s? (?:real |"
    rf"full )?names?\b",
)  # fmt: skip
_QUESTION = _pattern(
    r"^\W*(?:what|which|how|when|where|who|why|is|are|can|could|does|do|did|should|would|will|has|have|tell|"
    r"explain|list|any)\b",
    r"\?\s*$",
)
_ADVICE = _pattern(
    r"\bshould (?:i|my|we|he|she|they|you|a patient|patients|this patient|the patient)\b(?! include| have|"
    r" be (?:over|under|at))",
    r"\bhow (?:do|can|should|would|to)\b.{0,25}\b(?:treat(?:ed)?|cured?|managed?|prevent(?:ed)?|diagnosed?|"
    r"prepare)\b",
    r"\b(?:best|right|recommended|correct|first[- ]line|optimal) (?:treatment|therapy|drug|medicine|medication|"
    r"antibiotic)\b",
    r"\bis it safe\b|\bwhat are the symptoms\b|\bprescribe (?:me|for)\b|\b(?:can|should|please) (?:you )?prescribe\b",
    r"\bmy (?:doctor|symptoms|child|wife|husband|father|mother|son|daughter|diagnosis|medication|pain)\b|"
    r"\bdo i have\b|"
    r"\b(?:can|may|could) (?:i|we|you|\w+ women|\w+ patients|patients|women|children) (?:take|use|stop|drink|"
    r"eat)\b|\bi feel\b",
    r"\bwhat does .{2,40} treat\b|\bi have (?:a |an )?(?:pain|headache|fever|cough|rash)\b|\bam i (?:pregnant|"
    r"sick|ill)\b",
)  # fmt: skip
_ASKED_ADVICE = _pattern(
    r"\b(?:dose|dosage|dosing|side effects?|adverse effects?|contraindications?|interactions?)\b",
    r"\b(?:antibiotic|drug|medicine|medication|treatment|therapy|antihistamine|"
    r"insulin)s?\b[^.?!]{0,30}\b(?:best|better|recommended|safe)\b",
    r"\b(?:symptoms|causes|prognosis|life expectancy|cure) (?:of|for)\b|\bwhat causes\b|"
    r"\bis .{2,40} (?:contagious|curable|hereditary|fatal|dangerous)\b",
)
_ELSEWHERE = _pattern(
    r"\b(?:poem|joke|weather|recipe|song|lyrics|football|stock price|capital of|president|essay|homework|"
    r"reimbursement|"
    r"opening hours|parking|python code|write (?:me )?(?:a |some )?(?:code|script|program)|horoscope|"
    r"latest news|the news|"
    r"restaurant|hotel|flight|movie|election|bitcoin|lottery)\b",
    r"\b(?:fix|debug|summari[sz]e|draft|rewrite|proofread|convert|format)\b (?:my|this|that|an?|the) (?:\w+ )?"
    r"(?:excel|formula|article|document|e-?mail|letter|code|script|text|paper)\b|\bpython script\b",
    r"\btranslate (?:this|the|it|to|into)\b|\btell me a story\b|\b(?:book|schedule|cancel|make)"
    r" (?:me )?an? (?:appointment|table|visit)\b",
)
_PRODUCT = _pattern(
    r"\b(?:data|datasets?|cohorts?|columns?|variables?|fields?|models?|synthetic|patients?|generat\w+|sources?|"
    r"privacy|private|"
    r"exports?|tool|app|you|this|it|icd|units?|versions?|licen[cs]es?|mimic|records?|rows?|range|values?|"
    r"train\w*|guidelines?|"
    r"defin\w+|mean|trust|limits?|categor\w+|codes?|epsilon|undo|counts as)\b"
)


def personal_data(text: str) -> str | None:
    """What kind of personal data ``text`` holds; None where none is noticed. The data itself is not returned."""
    if _TITLED.search(text) or _names_somebody(text):
        return "a person's name"
    return next((kind for kind, pattern in _PERSONAL.items() if pattern.search(text)), None)


def asks_for_real_rows(text: str) -> bool:
    """Whether ``text`` tries to reach records of real patients, or to give the product other instructions."""
    return bool(_ROWS.search(text))


def asks_for_advice(text: str) -> bool:
    """Whether ``text`` asks for medical advice or something the product has nothing to do with."""
    asked = bool(_QUESTION.search(text)) and bool(_ASKED_ADVICE.search(text))
    return asked or bool(_ELSEWHERE.search(text)) or bool(_ADVICE.search(text))


def is_about_something_else(question: str) -> bool:
    """Whether a question has no word of what the product is about."""
    return len(re.findall(r"[^\W\d_]{2,}", question)) > 1 and not _PRODUCT.search(question)


def _names_somebody(text: str) -> bool:
    """Whether two capitalised words are a first and a last name; a text all in capitals or titles tells less."""
    shouted = text.isupper() or text.istitle()
    if not shouted and any(_are_names(*match.groups()) for match in _TWO_NAMES.finditer(text)):
        return True
    names = person_names()
    called = (match.groups() for match in _NAMED.finditer(text))
    # "Peter Hansen" is somebody although leprosy is Hansen's disease, "Mark Hispanic" is nobody.
    usual = _is_no_word if shouted else lambda last: fold(last) not in _request_words()
    return any(
        first.lower() in names["first"] and (last.lower() in names["last"] or usual(last)) for first, last in called
    )


def _are_names(*words: str) -> bool:
    """Whether capitalised words are no words of diseases, codes or requests."""
    return all(map(_is_no_word, words))


def _is_no_word(word: str) -> bool:
    return fold(word) not in _words() and fold(word) not in title_words()


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    names = (name for disease in diseases() for name in (disease.name, *disease.also))
    return _request_words() | frozenset(word for name in names for word in key_of(name))


@lru_cache(maxsize=1)
def _request_words() -> frozenset[str]:
    said = [phrase for phrases in column_words().values() for phrase in phrases]
    for words in (grammar(), category_words()):
        said += [phrase for values in words.values() for phrases in values.values() for phrase in phrases]
    return frozenset(word for phrase in said for word in key_of(phrase))

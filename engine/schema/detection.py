"""Which columns name the patient, number the records, or hold text that must not be learned.

Names are compared without case and punctuation. Nothing here looks at a single value: only at counts of them.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

PATIENT_KEYS = (
    "subjectid", "usubjid", "patientid", "patid", "patientnbr", "patientnumber", "patientno", "patientnum",
    "patientkey", "patientidentifier", "medicalrecordnumber", "mrn", "uniquepid", "personid", "ptid", "pid", "empi",
    "nhsnumber", "participantid", "participant", "studyid", "subject", "patient", "enrolid", "seqn",
)  # fmt: skip
"""Names of patient keys, the surest first."""

_RECORD = re.compile(
    r"(row|record|hadm|icustay|stay|patientunitstay|unitstay|encounter|visit|episode|spell|event|order|linkorder|"
    r"specimen|sample|case|ticket|transaction|index|account|csn|admission|hospitalization)"
    r"_?(id|nbr|number|no|num|key)(_?seq)?$|^(id|uuid|guid|index|rownumber|unnamed_?\d*|column1)$"
)
_IDENTIFIER = re.compile(
    r"^(first|last|sur|full|middle|given|family|patient|maiden)?_?name$|^(e_?mail|phone|telephone|mobile|fax)(_|$)|"
    r"_(e_?mail|phone|telephone|mobile|fax)$|^(street|home|postal)?_?address(_|$)|^ssn$|social_?security|"
    r"^(passport|licen[cs]e|insurance|policy)_?(no|nbr|number|id)$"
)
_NAMED_THING = re.compile(r"(^|_)id$|(item|cg|ward|unit|site|hospital|provider|physician|practice|caregiver)_?id$")
_CODE = re.compile(r"(^|_)(code|cd|nbr|type|class|category|group|zip|zipcode|postcode)$")
_QUANTITY = re.compile(r"(^|_)(count|number|n|num|age|days|hours|years|score|total)(_|$)")
_EMBEDDED_UNDERSCORES = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")

MOST_CATEGORIES = 10_000
_FREE_TEXT_LENGTH = 60
_FEW_ROWS = 20


def plain(name: str) -> str:
    """``name`` in lower case without anything but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def words(name: str) -> str:
    """``name`` in lower case with underscores between its words."""
    return re.sub(r"[^a-z0-9]+", "_", _EMBEDDED_UNDERSCORES.sub("_", name).lower()).strip("_")


@dataclass(frozen=True)
class Counts:
    """How often a column repeats itself: ``rows`` in all, ``present`` of them, ``distinct`` values."""

    rows: int
    present: int
    distinct: int

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.present == self.rows == self.distinct and self.rows > 1

    @property
    def nearly_unique(self) -> bool:
        """Whether more than half of the present values occur once."""
        return self.present >= _FEW_ROWS and self.distinct > 0.5 * self.present


def count(values: pd.Series) -> Counts:
    """Count rows, present values and distinct values."""
    return Counts(rows=len(values), present=int(values.notna().sum()), distinct=int(values.nunique()))


def patient_key(frame: pd.DataFrame) -> str | None:
    """The column that names the patient by its name and by holding many values; None when there is none.

    A column called ``id`` counts only if it repeats: then its rows belong together.
    """
    if len(frame) < 2:
        return None
    candidates: list[tuple[int, int, str]] = []
    for position, name in enumerate(frame.columns):
        short = plain(str(name))
        rank = PATIENT_KEYS.index(short) if short in PATIENT_KEYS else None
        if rank is None and short != "id":
            continue
        values = frame[name]
        found = count(values)
        # "patient" may also be a kind of visit; a name that ends in id, number or key says that it is a key.
        sure = rank is not None and short.endswith(("id", "nbr", "number", "no", "num", "key", "mrn", "identifier"))
        fewest = 2 if sure else max(2, min(10, len(frame) / 3), 0.01 * len(frame))
        if not _names_things(values) or found.distinct < fewest:
            continue
        if rank is None:
            if found.distinct >= found.present:
                continue
            rank = len(PATIENT_KEYS)
        candidates.append((rank, position, str(name)))
    return min(candidates)[2] if candidates else None


def is_record_number(name: str, values: pd.Series, found: Counts, *, whole: bool) -> bool:
    """Whether a column numbers rows, stays or visits: by its name, or unique and counting up by one."""
    if _RECORD.search(words(name)) or _RECORD.search(plain(name)):
        # A visit number may also count a patient's visits: 1, 2, 3.
        return found.distinct >= (2 if plain(name).endswith("id") else max(2, 0.2 * found.present))
    if _NAMED_THING.search(words(name)) and found.present > _FEW_ROWS:
        return found.nearly_unique or found.distinct > MOST_CATEGORIES
    if not whole or not found.is_unique or found.rows < _FEW_ROWS:
        return False
    numbers = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(dtype=np.float64)
    return bool((np.diff(numbers) == 1).all())


def is_identifier(name: str) -> bool:
    """Whether the name announces a direct identifier: a person's name, address, telephone, number."""
    return bool(_IDENTIFIER.search(words(name)))


def is_coded(name: str, found: Counts) -> bool:
    """Whether whole numbers under this name are codes (``admission_type_id``) and not quantities."""
    label = words(name)
    if _NAMED_THING.search(label):
        return True
    if not _CODE.search(label) or (_QUANTITY.search(label) and not label.endswith("_code")):
        return False
    return found.distinct <= 1_000 and (found.distinct <= 50 or found.distinct <= 0.05 * found.present)


def free_text(values: pd.Series, found: Counts) -> str:
    """Why a text column cannot be learned as categories; empty when it can."""
    if found.distinct > 0.2 * found.present:
        lengths = [len(str(value)) for value in values.dropna().unique()]
        if float(np.mean(lengths)) > _FREE_TEXT_LENGTH:
            return "Free text: left out, since a generator would repeat patients' own words."
    if found.nearly_unique:
        return (
            f"{found.distinct} different values in {found.present} rows: left out, "
            "since most of them would point to one patient."
        )
    if found.distinct > MOST_CATEGORIES:
        return f"{found.distinct} different values are more than {MOST_CATEGORIES} categories: left out."
    return ""


def _names_things(values: pd.Series) -> bool:
    # Measurements are never keys; 10006.0 (an integer column that once had gaps) may be one.
    if pd.api.types.is_float_dtype(values.dtype):
        return bool((values.dropna() % 1 == 0).all())
    return not pd.api.types.is_datetime64_any_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)

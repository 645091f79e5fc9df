"""Writes a small simulated folder with the 26 tables of MIMIC-III: real item numbers, invented patients, any size.

The values hang together: a latent severity and the drawn diagnoses move length of stay, death, laboratory values,
vital signs and drugs, so that a generator trained on the folder has something to learn. Nothing in it comes from a
patient.
"""

import gzip
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from engine.sources.mimic3_tables import TABLES
from tests.helpers.simulated_items import (
    Item,
    chart_items,
    drug_names,
    infusion_items,
    laboratory_items,
    procedure_codes,
)
from tests.helpers.simulated_values import (
    DIAGNOSES,
    DRUG_REASONS,
    LABORATORY,
    PROCEDURE_REASONS,
    SEVERITY,
    SHARES_BY_SEVERITY,
    VITAL_SIGNS,
    Sign,
)

Tables = dict[str, pd.DataFrame]

_CHUNK = 500_000
_ADMISSION_TYPES = ("EMERGENCY", "ELECTIVE", "URGENT")
_ETHNICITIES = {
    "WHITE": 0.68,
    "WHITE - RUSSIAN": 0.02,
    "BLACK/AFRICAN AMERICAN": 0.09,
    "HISPANIC/LATINO - PUERTO RICAN": 0.04,
    "ASIAN - CHINESE": 0.03,
    "MULTI RACE ETHNICITY": 0.03,
    "UNKNOWN/NOT SPECIFIED": 0.09,
    "PATIENT DECLINED TO ANSWER": 0.02,
}
_UNITS_OF_CARE = ("MICU", "CCU", "SICU", "CSRU", "TSICU")


@dataclass
class _Hospital:
    """Everything that the tables are drawn from: admissions with their latent states (0 or 1, severity normal)."""

    stays: pd.DataFrame
    states: pd.DataFrame
    codes: pd.DataFrame


def write_folder(
    folder: Path,
    *,
    patients: int = 60,
    seed: int = 0,
    chart_rows: int | None = None,
    compressed: bool = True,
    lower_case: bool = False,
    without: Collection[str] = (),
    edit: Callable[[Tables], None] | None = None,
) -> Tables:
    """Write the folder and return the tables that went into it (without the chart rows that only fill up).

    ``chart_rows`` repeats vital signs over the stays until CHARTEVENTS has exactly that many rows, written in pieces.
    ``edit`` may change the tables (upper-case column names) before they are written, to plant what a test looks for.
    """
    rng = np.random.default_rng(seed)
    tables = simulate(patients=patients, rng=rng)
    if edit is not None:
        edit(tables)
    folder.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        if table.name in without:
            continue
        name = table.name.lower() if lower_case else table.name
        path = folder / f"{name}.csv{'.gz' if compressed else ''}"
        with gzip.open(path, "wb", compresslevel=1) if compressed else path.open("wb") as stream:
            _write_csv(tables[table.name], stream, header=True, lower_case=lower_case)
            if table.name == "CHARTEVENTS" and chart_rows is not None:
                for piece in _filling(tables["CHARTEVENTS"], rows=chart_rows - len(tables["CHARTEVENTS"]), rng=rng):
                    _write_csv(piece, stream, header=False, lower_case=lower_case)
    return tables


def simulate(*, patients: int, rng: np.random.Generator) -> Tables:
    """The 26 tables as data frames; those that preparation does not read have no rows."""
    persons = _persons(patients, rng)
    hospital = _hospital(persons, rng)
    tables: Tables = {table.name: pd.DataFrame(columns=["ROW_ID", *table.reads]) for table in TABLES}
    tables["PATIENTS"] = _numbered(persons[["SUBJECT_ID", "GENDER", "DOB"]])
    tables["ADMISSIONS"] = _numbered(_admissions(hospital, rng))
    tables["ICUSTAYS"] = _numbered(_icu_stays(hospital, rng))
    tables["DIAGNOSES_ICD"] = _numbered(hospital.codes)
    tables["LABEVENTS"] = _numbered(_laboratory(hospital, rng))
    tables["CHARTEVENTS"] = _numbered(_chart(hospital, rng))
    tables["PRESCRIPTIONS"] = _numbered(_prescriptions(hospital, rng))
    for name, metavision in (("INPUTEVENTS_CV", False), ("INPUTEVENTS_MV", True)):
        tables[name] = _numbered(_infusions(hospital, rng, metavision=metavision))
    tables["PROCEDURES_ICD"] = _numbered(_procedures(hospital, rng))
    return tables


def _persons(count: int, rng: np.random.Generator) -> pd.DataFrame:
    age = np.clip(rng.normal(64, 16, count), 18, 96)
    first = np.datetime64("2110-01-01T00:00:00") + rng.integers(0, 80 * 365 * 24 * 60, count).astype("timedelta64[m]")
    born = (first - (age * 365.2425).astype("timedelta64[D]")).astype("datetime64[D]")
    # As in the database: whoever is over 89 at the first admission seems to be born 300 years before it.
    shifted = (first - np.timedelta64(300 * 365 + 73, "D")).astype("datetime64[D]")
    return pd.DataFrame({
        "SUBJECT_ID": np.arange(count) + 10_001,
        "GENDER": np.where(rng.random(count) < 0.56, "M", "F"),
        "DOB": np.where(age > 89, shifted, born).astype("datetime64[s]"),
        "FIRST": first.astype("datetime64[s]"),
        "AGE": age,
        "METAVISION": rng.random(count) < 0.45,
        "ETHNICITY": rng.choice(list(_ETHNICITIES), count, p=list(_ETHNICITIES.values())),
        "MARITAL_STATUS": rng.choice(["MARRIED", "SINGLE", "WIDOWED", "DIVORCED", ""], count),
        "LANGUAGE": rng.choice(["ENGL", "SPAN", "RUSS", ""], count, p=[0.55, 0.06, 0.04, 0.35]),
    })  # fmt: skip


def _hospital(persons: pd.DataFrame, rng: np.random.Generator) -> _Hospital:
    times = np.minimum(rng.geometric(0.78, len(persons)), 6)
    stays = persons.loc[persons.index.repeat(times)].reset_index(drop=True)
    count = len(stays)
    severity = rng.normal(0, 1, count)
    columns: dict[str, np.ndarray] = {SEVERITY: severity}
    carried: dict[str, np.ndarray] = {}
    for code, (state, share) in DIAGNOSES.items():
        odds = np.log(share / (1 - share)) + SHARES_BY_SEVERITY.get(state, 0.15) * severity
        odds += 0.02 * (stays["AGE"].to_numpy() - 64)
        carried[code] = rng.random(count) < 1 / (1 + np.exp(-odds))
        columns[state] = np.maximum(columns.get(state, np.zeros(count)), carried[code])
    has = pd.DataFrame(carried)
    has.loc[~has.any(axis=1), next(iter(DIAGNOSES))] = True
    states = pd.DataFrame(columns)
    hours = np.exp(rng.normal(4.9, 0.7, count) + 0.25 * severity)
    order = stays.groupby("SUBJECT_ID").cumcount().to_numpy()
    gap = np.where(rng.random(count) < 0.25, rng.integers(3, 30, count), rng.integers(31, 700, count)) * 24.0
    start = pd.Series(np.where(order == 0, 0.0, gap)) + pd.Series(np.where(order == 0, 0.0, np.roll(hours, 1)))
    offset = start.groupby(stays["SUBJECT_ID"]).cumsum()
    stays["HADM_ID"] = np.arange(count) + 100_001
    stays["ADMITTIME"] = stays["FIRST"] + pd.to_timedelta(np.round(offset * 60), unit="min")
    stays["HOURS"] = np.round(hours * 60) / 60
    stays["DISCHTIME"] = stays["ADMITTIME"] + pd.to_timedelta(np.round(hours * 60), unit="min")
    risk = -3.2 + 1.1 * severity + 0.03 * (stays["AGE"] - 64) + 1.2 * states["shock"] + 0.8 * states["sepsis"]
    last = order == stays.groupby("SUBJECT_ID")["HADM_ID"].transform("size") - 1
    stays["DIED"] = (rng.random(count) < 1 / (1 + np.exp(-risk))) & last
    return _Hospital(stays, states, _codes(stays, has, rng))


def _codes(stays: pd.DataFrame, has: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    stay, code = np.nonzero(has.to_numpy())
    listed = pd.DataFrame({
        "SUBJECT_ID": stays["SUBJECT_ID"].to_numpy()[stay],
        "HADM_ID": stays["HADM_ID"].to_numpy()[stay],
        "ICD9_CODE": has.columns.to_numpy()[code],
    })  # fmt: skip
    listed = listed.iloc[rng.permutation(len(listed))].sort_values("HADM_ID", kind="stable")
    # External causes and histories explain an admission; they are never its first diagnosis.
    listed = listed.iloc[
        np.lexsort((listed["ICD9_CODE"].str[0].isin(["V", "E"]).to_numpy(), listed["HADM_ID"].to_numpy()))
    ]
    listed.insert(2, "SEQ_NUM", listed.groupby("HADM_ID").cumcount() + 1)
    return listed


def _admissions(hospital: _Hospital, rng: np.random.Generator) -> pd.DataFrame:
    stays, count = hospital.stays, len(hospital.stays)
    destination = rng.choice(["HOME", "HOME HEALTH CARE", "SNF", "REHAB/DISTINCT PART HOSP"], count)
    insurance = np.where(stays["AGE"] >= 65, "Medicare", rng.choice(["Private", "Medicaid", "Self Pay"], count))
    return pd.DataFrame({
        "SUBJECT_ID": stays["SUBJECT_ID"],
        "HADM_ID": stays["HADM_ID"],
        "ADMITTIME": stays["ADMITTIME"],
        "DISCHTIME": stays["DISCHTIME"],
        "ADMISSION_TYPE": rng.choice(_ADMISSION_TYPES, count, p=[0.8, 0.15, 0.05]),
        "ADMISSION_LOCATION": rng.choice(["EMERGENCY ROOM ADMIT", "PHYS REFERRAL/NORMAL DELI"], count, p=[0.75, 0.25]),
        "DISCHARGE_LOCATION": np.where(stays["DIED"], "DEAD/EXPIRED", destination),
        "INSURANCE": insurance,
        "LANGUAGE": stays["LANGUAGE"],
        "MARITAL_STATUS": stays["MARITAL_STATUS"],
        "ETHNICITY": stays["ETHNICITY"],
        "HOSPITAL_EXPIRE_FLAG": stays["DIED"].astype(int),
    })  # fmt: skip


def _icu_stays(hospital: _Hospital, rng: np.random.Generator) -> pd.DataFrame:
    stays, count = hospital.stays, len(hospital.stays)
    into = stays["ADMITTIME"] + pd.to_timedelta(np.round(rng.uniform(0, 0.2, count) * stays["HOURS"] * 60), unit="min")
    out = into + pd.to_timedelta(np.round(rng.uniform(0.2, 0.7, count) * stays["HOURS"] * 60), unit="min")
    return pd.DataFrame({
        "SUBJECT_ID": stays["SUBJECT_ID"],
        "HADM_ID": stays["HADM_ID"],
        "ICUSTAY_ID": np.arange(count) + 200_001,
        "DBSOURCE": np.where(stays["METAVISION"], "metavision", "carevue"),
        "FIRST_CAREUNIT": rng.choice(_UNITS_OF_CARE, count, p=[0.4, 0.15, 0.2, 0.15, 0.1]),
        "INTIME": into,
        "OUTTIME": out,
    })  # fmt: skip


def _laboratory(hospital: _Hospital, rng: np.random.Generator) -> pd.DataFrame:
    parts = [
        _event_rows(hospital, sign, item, np.ones(len(hospital.stays), dtype=bool), rng)
        for sign in LABORATORY
        for item in laboratory_items(sign.column)[:1]
    ]
    events = _in_time(parts)
    # Drawn in the emergency department, before there was an admission to book them on.
    events.loc[events["HOUR"] < 0, "HADM_ID"] = pd.NA
    return events.drop(columns="HOUR")


def _chart(hospital: _Hospital, rng: np.random.Generator) -> pd.DataFrame:
    metavision = hospital.stays["METAVISION"].to_numpy()
    parts = []
    for sign in (*VITAL_SIGNS, *LABORATORY):
        for item in chart_items(sign.column):
            parts.append(_event_rows(hospital, sign, item, metavision == item.metavision, rng))
    events = _in_time(parts).drop(columns="HOUR")
    events["ERROR"] = pd.array(np.where(rng.random(len(events)) < 0.001, 1, 0), dtype="Int64")
    return events


def _event_rows(
    hospital: _Hospital, sign: Sign, item: Item, where: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """One to four measurements of a sign in the stays ``where`` it is measured with ``item``."""
    stays = hospital.stays
    if sign.panel:
        rng = np.random.default_rng([_stable(sign.panel), item.metavision, len(stays)])
    measured = np.flatnonzero(where & (rng.random(len(stays)) < sign.share))
    rows = measured.repeat(rng.integers(1, 5, len(measured)))
    centre = np.full(len(stays), sign.mean)
    for state, shift in sign.shifts.items():
        centre = centre + shift * hospital.states[state].to_numpy()
    person = centre + 0.8 * sign.spread * np.random.default_rng(_stable(sign.column)).normal(size=len(stays))
    value = np.clip(person[rows] + 0.4 * sign.spread * rng.normal(size=len(rows)), sign.low, sign.high)
    hour = rng.uniform(-3, 1, len(rows)) * 2 + rng.exponential(10, len(rows))
    hour = np.minimum(hour, stays["HOURS"].to_numpy()[rows] - 0.1)
    return pd.DataFrame({
        "SUBJECT_ID": stays["SUBJECT_ID"].to_numpy()[rows],
        "HADM_ID": pd.array(stays["HADM_ID"].to_numpy()[rows], dtype="Int64"),
        "ITEMID": item.item,
        "CHARTTIME": stays["ADMITTIME"].to_numpy()[rows] + np.round(hour * 60).astype("timedelta64[m]"),
        "VALUENUM": np.round(item.recorded(np.round(value, sign.decimals)), max(sign.decimals, 1)),
        "VALUEUOM": item.unit,
        "HOUR": hour,
    })  # fmt: skip


def _stable(column: str) -> int:
    # The same person has the same level in the laboratory and at the bedside.
    return sum(ord(letter) * 31**place for place, letter in enumerate(column)) % 2**32


def _in_time(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True).sort_values(["CHARTTIME", "ITEMID"], kind="stable", ignore_index=True)


def _given(hospital: _Hospital, reason: tuple[str, float, float], rng: np.random.Generator) -> np.ndarray:
    state, share_with, share_without = reason
    share = np.where(hospital.states[state] > 0, share_with, share_without)
    return rng.random(len(share)) < share


def _prescriptions(hospital: _Hospital, rng: np.random.Generator) -> pd.DataFrame:
    parts = [pd.DataFrame({"HADM_ID": hospital.stays["HADM_ID"], "DRUG": "Sodium Chloride 0.9%  Flush"})]
    for drug, reason in DRUG_REASONS.items():
        stays = hospital.stays.loc[_given(hospital, reason, rng)]
        parts.append(pd.DataFrame({"HADM_ID": stays["HADM_ID"], "DRUG": rng.choice(drug_names(drug), len(stays))}))
    listed = pd.concat(parts, ignore_index=True).merge(hospital.stays[["HADM_ID", "SUBJECT_ID"]], on="HADM_ID")
    listed["DRUG"] = listed["DRUG"].str.title()
    return listed[["SUBJECT_ID", "HADM_ID", "DRUG"]]


def _procedures(hospital: _Hospital, rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for procedure, reason in PROCEDURE_REASONS.items():
        stays = hospital.stays.loc[_given(hospital, reason, rng), ["SUBJECT_ID", "HADM_ID"]]
        parts.append(stays.assign(SEQ_NUM=1, ICD9_CODE=rng.choice(procedure_codes(procedure), len(stays))))
    return pd.concat(parts, ignore_index=True)


def _infusions(hospital: _Hospital, rng: np.random.Generator, *, metavision: bool) -> pd.DataFrame:
    parts = []
    for drug, reason in DRUG_REASONS.items():
        items = [item for item in infusion_items(drug) if item.metavision == metavision]
        here = hospital.stays.loc[_given(hospital, reason, rng) & (hospital.stays["METAVISION"] == metavision)]
        if items:
            chosen = rng.choice([item.item for item in items], len(here))
            parts.append(here[["SUBJECT_ID", "HADM_ID"]].assign(ITEMID=chosen, AMOUNT=10.0, RATE=1.0))
    given = pd.concat(parts, ignore_index=True)
    return given.assign(STATUSDESCRIPTION="FinishedRunning") if metavision else given


def _filling(chart: pd.DataFrame, *, rows: int, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """``rows`` repetitions of chart rows with moved times and values, in pieces that fit in memory."""
    number = int(chart["ROW_ID"].max()) + 1
    while rows > 0:
        size = min(rows, _CHUNK)
        piece = chart.iloc[rng.integers(0, len(chart), size)].reset_index(drop=True)
        piece["ROW_ID"] = np.arange(number, number + size)
        piece["CHARTTIME"] = piece["CHARTTIME"] + pd.to_timedelta(rng.integers(0, 6_000, size), unit="min")
        piece["VALUENUM"] = (piece["VALUENUM"] * rng.normal(1, 0.03, size)).round(1)
        yield piece
        rows, number = rows - size, number + size


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    if "ROW_ID" not in frame:
        frame.insert(0, "ROW_ID", np.arange(1, len(frame) + 1))
    return frame


def _write_csv(frame: pd.DataFrame, stream: object, *, header: bool, lower_case: bool) -> None:
    names = [name.lower() if lower_case else name for name in frame.columns]
    arrays = []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            arrays.append(pa.array(values.astype("datetime64[s]")))
        elif values.dtype == object:
            text = values.where(values.notna() & (values != ""), None)
            arrays.append(pa.array([None if value is None else str(value) for value in text], type=pa.string()))
        else:
            arrays.append(pa.array(values, from_pandas=True))
    table = pa.Table.from_arrays(arrays, names=names)
    pyarrow.csv.write_csv(table, stream, pyarrow.csv.WriteOptions(include_header=header, quoting_style="needed"))

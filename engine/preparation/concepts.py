"""Where the columns of the MIMIC-III patient table come from, as the catalogue says."""

from engine.preparation.measurements import MeasuredItem
from engine.preparation.treatments import DrugClass, ProcedureFlag
from engine.schema import icd9
from engine.schema.catalogue import Concept, catalogue
from engine.schema.table import Column

BODY_MASS_INDEX = "bmi"
COMA_SCALE = "gcs_total"
COMA_SCALE_PARTS = ("gcs_eye", "gcs_verbal", "gcs_motor")

CHAPTER = "primary_icd9_chapter"

_DIAGNOSES = ("primary_icd9_code", "primary_icd9_group", CHAPTER, "icd9_code_count")
_INTENSIVE_CARE = ("icu_days", "icu_stay_count", "hours_to_icu", "first_care_unit")


def mimic3_columns() -> list[Column]:
    """The catalogue's columns in its order; those that the folder does not record never appear in a table."""
    chapters = tuple(dict.fromkeys(block.chapter_label for block in icd9.blocks()))
    public = {CHAPTER: {"categories": chapters, "categories_are_public": True}}
    return [
        catalogue().column(concept.name).model_copy(update=public.get(concept.name, {}))
        for concept in catalogue().concepts
        if concept.in_mimic3
    ]


def comorbidities() -> list[str]:
    """Columns that come from all diagnosis codes of an admission."""
    return [concept.name for concept in catalogue().concepts if concept.mimic3.comorbidity]


def drug_classes() -> list[DrugClass]:
    """Columns that come from drug names and infusions."""
    return [
        DrugClass(concept.name, names=concept.mimic3.drugs, infusions=concept.mimic3.inputevents)
        for concept in catalogue().concepts
        if concept.mimic3.drugs or concept.mimic3.inputevents
    ]


def procedure_flags() -> list[ProcedureFlag]:
    """Columns that come from billed procedures and procedure records."""
    return [
        ProcedureFlag(concept.name, codes=concept.mimic3.procedure_codes, items=concept.mimic3.procedureevents)
        for concept in catalogue().concepts
        if concept.mimic3.procedure_codes or concept.mimic3.procedureevents
    ]


def measured_items() -> list[MeasuredItem]:
    """Items of LABEVENTS and CHARTEVENTS; where time does not decide, the catalogue's preferred item does."""
    return [item for concept in catalogue().concepts for item in _measured(concept)]


def _measured(concept: Concept) -> list[MeasuredItem]:
    low, high = concept.plausible or (None, None)
    laboratory = [MeasuredItem(concept.name, "LABEVENTS", item, low=low, high=high) for item in concept.mimic3.lab]
    # One item number can change its unit over the years (C-reactive protein: mg/dL, later mg/L).
    laboratory += [
        MeasuredItem(
            concept.name,
            "LABEVENTS",
            item,
            factor=unit.factor,
            offset=unit.offset,
            conversion=f"{name} → {concept.unit}",
            recorded_unit=name.casefold(),
            low=low,
            high=high,
        )
        for item in concept.mimic3.lab
        for name, unit in concept.units.items()
        if (unit.factor, unit.offset) != (1.0, 0.0)
    ]
    chart = [
        MeasuredItem(
            concept.name,
            "CHARTEVENTS",
            source.item,
            factor=source.factor,
            offset=source.offset,
            conversion=f"{source.unit} → {concept.unit}" if (source.factor, source.offset) != (1.0, 0.0) else "",
            steady=concept.group == "Body",
            low=low,
            high=high,
        )
        for source in concept.mimic3.chart
    ]
    return [*laboratory, *chart]


def source_tables(name: str) -> tuple[str, ...]:
    """Tables that the column is made from; empty for a column that MIMIC-III does not record."""
    if name == BODY_MASS_INDEX:
        return ("CHARTEVENTS",)
    source = catalogue().concept(name).mimic3
    if name in _DIAGNOSES or source.comorbidity:
        return ("DIAGNOSES_ICD",)
    if name in _INTENSIVE_CARE:
        return ("ICUSTAYS",)
    tables = ("LABEVENTS",) if source.lab else ()
    tables += ("CHARTEVENTS",) if source.chart else ()
    tables += DrugClass(name, names=source.drugs, infusions=source.inputevents).tables
    tables += ProcedureFlag(name, codes=source.procedure_codes, items=source.procedureevents).tables
    return tables

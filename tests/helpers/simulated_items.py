"""The item numbers and drug names of the catalogue in the form in which a simulated hospital records them."""

from dataclasses import dataclass

from engine.schema.catalogue import catalogue

_FIRST_METAVISION_ITEM = 220_000
"""CareVue's item numbers lie below, MetaVision's from here on."""


@dataclass(frozen=True)
class Item:
    """An item and how a value in the column's unit is written under it."""

    item: int
    unit: str | None = None
    factor: float = 1.0
    offset: float = 0.0

    @property
    def metavision(self) -> bool:
        """Whether the item belongs to MetaVision rather than CareVue."""
        return self.item >= _FIRST_METAVISION_ITEM

    def recorded(self, value):
        """The number (or array) that is written for ``value``."""
        return (value - self.offset) / self.factor


def laboratory_items(column: str) -> list[Item]:
    """The column's items of LABEVENTS."""
    concept = catalogue().concept(column)
    return [Item(item, concept.unit) for item in concept.mimic3.lab]


def chart_items(column: str) -> list[Item]:
    """The column's preferred item of CHARTEVENTS in each of the two systems."""
    concept = catalogue().concept(column)
    items = [Item(one.item, one.unit or concept.unit, one.factor, one.offset) for one in concept.mimic3.chart]
    chosen = {item.metavision: item for item in reversed(items)}
    return list(chosen.values())


def drug_names(column: str) -> list[str]:
    """Names under which drugs of the class are ordered."""
    return list(catalogue().concept(column).mimic3.drugs)


def procedure_codes(column: str) -> list[str]:
    """Billing codes of the procedure."""
    return list(catalogue().concept(column).mimic3.procedure_codes)


def infusion_items(column: str) -> list[Item]:
    """The class's items of the two INPUTEVENTS tables."""
    return [Item(item) for item in catalogue().concept(column).mimic3.inputevents]

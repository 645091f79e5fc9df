"""Which data set can serve a request: read against every one that is ready, compared, and said why."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.cohort.spec import CohortSpec
from engine.conversation.changes import changes, taken_over
from engine.conversation.contract import Turn
from engine.services.chat import Chat
from engine.services.context import Context
from engine.services.populations import fitting
from engine.services.shipped import Setting, read_shipped
from engine.storage.records import SHIPPED, DatasetRecord, State
from engine.storage.sources import schema_of

_CUES: Mapping[Setting, re.Pattern[str]] = {
    "intensive care": re.compile(r"\bi\.?c\.?u\b|intensive care|critical(?:ly)? (?:care|ill)|ventilat|intubat", re.I),
    "hospital": re.compile(r"\bhospital|\binpatient|\badmi(?:t|ssion)|\bdischarge|\breadmi|length of stay", re.I),
    "population": re.compile(
        r"\bpopulation|\bcensus|\bunited states|\bamerican|\bu\.?s\.?\b(?! *dollar)|\bcommunity|\boutpatient|"
        r"\bambulatory|\bprimary care|\bsurvey",
    re.I),
}  # fmt: skip
"""Words that say where the patients are; they demand no column, so a source without them would pass them over."""
_EVERYWHERE: frozenset[Setting] = frozenset(_CUES)
_SUITS: Mapping[str, frozenset[Setting]] = {"mimic3": frozenset({"intensive care", "hospital"})}
"""Where the patients of a source are met; of a person's own table only that person knows."""
_MOST_NAMED = 3
_NO_COLUMN = "a column for it"


@dataclass(frozen=True)
class Offer:
    """What one data set makes of a request.

    Attributes:
        dataset: which.
        lacks: stretches of the request that only other data sets understand, and warnings of theirs.
        observations: how many of the important observations asked for it has; 0 where none were asked for.
        suits: whether it describes patients where the request looks for them.
        is_near: whether they are met at least nearby: in hospital, where intensive care is asked for.
        follows: whether it can follow the reference population, where one is asked for.
    """

    dataset: DatasetRecord
    lacks: tuple[str, ...]
    observations: int
    suits: bool
    is_near: bool
    follows: bool

    @property
    def shortfall(self) -> tuple[int, int, int, int]:
        """Less is better: what it lacks first, then where its patients are, then the observations it has."""
        away = 0 if self.suits else 1 if self.is_near else 2
        return len(self.lacks), away, int(not self.follows), -self.observations


@dataclass(frozen=True)
class Choice:
    """The data set that serves a request best, and the others in order."""

    best: Offer
    others: tuple[Offer, ...]
    setting: Setting | None

    @property
    def shortcoming(self) -> str:
        """What even the best data set is not, in a sentence; empty where nothing is wanting."""
        best = self.best
        if _NO_COLUMN in best.lacks:
            return "No source that is ready has such patients."
        if self.setting and not best.suits:
            return f"No source that is ready is about {_ABOUT[self.setting]} patients."
        if best.lacks:
            return f"No source that is ready has all of it: “{best.dataset.name}” lacks {_listed(best.lacks)}."
        return ""

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        best = self.best
        if _NO_COLUMN in best.lacks:
            return f"“{best.dataset.name}” cannot answer it, and no other source that is ready can."
        what = "everything that was asked for" if not best.lacks else "most of what was asked for"
        if best.observations:
            what += f", {best.observations} of the observations among it"
        said = f"“{best.dataset.name}” has {what}."
        beside = [part for other in self.others[:_MOST_NAMED] if (part := self._against(other))]
        return " ".join([said, *beside])

    def _against(self, other: Offer) -> str:
        name = f"“{other.dataset.name}”"
        if len(other.lacks) > len(self.best.lacks):
            return f"{name} lacks {_listed(other.lacks)}."
        if self.best.suits and not other.suits:
            return f"{name} is not about {_ABOUT[self.setting] if self.setting else 'such'} patients."
        if self.best.follows and not other.follows:
            return f"{name} cannot follow that population."
        if other.observations < self.best.observations:
            return f"{name} has {other.observations} of the observations."
        return ""


@dataclass(frozen=True)
class TakeOver:
    """What another data set would make of a request in the form.

    Attributes:
        dataset: which.
        spec: the request as it can be asked of it.
        dropped: what it cannot be asked for, in words.
    """

    dataset: DatasetRecord
    spec: CohortSpec
    dropped: tuple[str, ...]


_ABOUT = {"population": "the population's", "hospital": "hospital", "intensive care": "intensive-care"}


class Sources:
    """The choice among the data sets that are ready."""

    def __init__(self, context: Context, chat: Chat) -> None:
        self._context = context
        self._chat = chat

    def choose(self, text: str, *, kept: str | None = None) -> Choice | None:
        """The data set to answer ``text`` from; None where there is none, or where ``text`` asks for no cohort.

        Args:
            text: what the person typed, as the first request of a conversation.
            kept: a data set that the person chose, which stays the best among equals.
        """
        ready = [one for one in self._context.database.datasets() if one.state is State.READY]
        turns = {one.id: self._chat.reply(text, dataset_id=one.id, previous=None, backend="rules") for one in ready}
        if not any(turn.intent in ("generate", "refine", "unclear") for turn in turns.values()):
            return None
        setting = setting_asked(text)
        offers = self._offers(ready, turns, setting)
        # Sorting is stable: among equals the one that was chosen, then the newest.
        offers.sort(key=lambda offer: (offer.shortfall, offer.dataset.id != kept))
        return Choice(offers[0], tuple(offers[1:]), setting) if offers else None

    def take_over(self, spec: CohortSpec, *, of: str) -> list[TakeOver]:
        """What of ``spec``, a request to the data set ``of``, each other one that is ready can be asked."""
        own = schema_of(self._context.workspace.dataset(of))
        ready = [one for one in self._context.database.datasets() if one.state is State.READY and one.id != of]
        found = []
        for one in ready:
            schema = schema_of(self._context.workspace.dataset(one.id))
            kept = taken_over(spec, own, schema)
            if kept.reference_population is not None and kept.reference_population not in fitting(schema):
                kept = kept.model_copy(update={"reference_population": None})
            found.append(TakeOver(one, kept, tuple(lost.before for lost in changes(spec, kept, own) if lost.before)))
        return found

    def _offers(
        self, ready: Sequence[DatasetRecord], turns: Mapping[str, Turn], setting: Setting | None
    ) -> list[Offer]:
        # What nobody understands is no fault of a source.
        everywhere = set.intersection(*(set(turn.not_understood) for turn in turns.values()))
        wanted = any(turn.spec is not None and turn.spec.reference_population for turn in turns.values())
        return [
            Offer(
                one,
                lacks=_lacking(turns[one.id], everywhere),
                observations=len(turns[one.id].ranked),
                suits=setting is None or setting in self._settings(one),
                is_near=setting == "intensive care" and "hospital" in self._settings(one),
                follows=not wanted or bool((spec := turns[one.id].spec) and spec.reference_population),
            )
            for one in ready
        ]

    def _settings(self, dataset: DatasetRecord) -> frozenset[Setting]:
        if dataset.source == SHIPPED:
            about = read_shipped(self._context.workspace.dataset(dataset.id))
            return frozenset({about.setting}) if about is not None else frozenset()
        return _SUITS.get(dataset.source, _EVERYWHERE)


def setting_asked(text: str) -> Setting | None:
    """Where the request looks for its patients, the narrowest first; None where it does not say."""
    return next((setting for setting, cue in _CUES.items() if cue.search(text)), None)


def _lacking(turn: Turn, everywhere: set[str]) -> tuple[str, ...]:
    lost = tuple(words for words in turn.not_understood if words not in everywhere)
    if turn.spec is None and not lost:
        return (_NO_COLUMN,)
    return lost


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    quoted = [f"“{name}”" for name in names[:_MOST_NAMED]]
    return ", ".join(quoted) + (f" and {more} more" if more > 0 else "")

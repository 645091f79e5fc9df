"""The state of reading one request: where it is, what was found, and how far a negation reaches."""

from dataclasses import dataclass, field

from engine.cohort.spec import CohortSpec
from engine.conversation.rules.facts import Demand, Fact, Limit
from engine.conversation.rules.items import Item, Request
from engine.conversation.rules.lexicon import Lexicon
from engine.schema.table import Column

_PASSED = ("filler", "patients", "but", "verb", "all", "also", "only", "limit", "unit", "plural_s")
_STOPS = frozenset(".;")
_EXCLUDING = ("exclu", "except", "leav", "other than", "apart")


@dataclass
class Scope:
    """A negation that has been opened by the item ``cue``."""

    cue: int
    excludes: bool
    """An exclusion ("excluding …") reaches over commas and ranges, a "no" only over what is joined to it."""
    end: int = -1
    """The item after the last fact inside; -1 while there is none."""
    column: str = ""
    reach: int | None = None
    """How many facts it covers at most: a prefix ("non-white") covers one."""


@dataclass
class Reading:
    """A request while the grammar goes through it."""

    request: Request
    lexicon: Lexicon
    previous: CohortSpec | None = None
    """What a follow-up changes."""
    facts: list[Fact] = field(default_factory=list)
    scope: Scope | None = None
    excluding: bool = False
    """Inside a section headed "exclusion criteria"."""
    until_stop: bool = False
    """Such a section that ends with its sentence: "excluded if they are pregnant or on dialysis."."""
    combined: set[int] = field(default_factory=set)
    """Items where an excluded noun goes on ("excluding women | with diabetes"): the pair would have to be excluded."""

    @property
    def items(self) -> list[Item]:
        """The request's items."""
        return self.request.items

    def column(self, name: str) -> Column:
        """A column of the source."""
        return self.lexicon.schema[name]

    def open_scope(self, at: int) -> None:
        """Begin a negation at item ``at``."""
        cue = self.request.span(at, at + 1).lower()
        self.scope = Scope(at, excludes=cue.startswith(_EXCLUDING), reach=1 if cue == "non" else None)

    def negated(self, at: int, column: str, *, is_range: bool = False, is_flag: bool = False) -> bool:
        """Whether what stands at item ``at`` and concerns ``column`` is inside a negation; notes that it was."""
        if self.excluding:
            return True
        scope = self.scope
        if scope is None:
            return False
        between = self.items[(scope.cue + 1 if scope.end < 0 else scope.end) : at]
        if scope.excludes and 0 <= scope.end < at and self.items[scope.end].is_("but") and self._restricts(scope.end):
            self.combined.add(at)
        inside = (scope.end < 0 or scope.reach is None) and self._reaches(
            scope, between, column, is_range=is_range, is_flag=is_flag
        )
        if not inside:
            self.scope = None
        return inside

    def _restricts(self, at: int) -> bool:
        return self.request.span(at, at + 1).lower() in ("with", "w/", "who", "whose", "having", "that", "aged", "have")

    @staticmethod
    def _reaches(scope: Scope, between: list[Item], column: str, *, is_range: bool, is_flag: bool) -> bool:
        if any(item.get("symbol") in _STOPS for item in between):
            return False
        if scope.end < 0:
            return all(item.is_(*_PASSED) or item.is_("symbol") for item in between)
        joined = any(item.is_("and", "or") for item in between)
        comma = any(item.get("symbol") in (",", "/") for item in between)
        if any(item.is_("but") and not item.is_("filler") for item in between):
            return scope.excludes and joined and is_range
        if is_range:
            return scope.excludes and (joined or comma)
        if joined or comma:
            return is_flag or column == scope.column or (scope.excludes and joined)
        return False

    def add(self, fact: Fact) -> None:
        """Keep a fact; a negation now reaches to its end."""
        self.facts.append(fact)
        if self.scope is not None:
            self.scope.end = fact.last
            if isinstance(fact, Demand) and fact.criterion is not None:
                self.scope.column = fact.criterion.column
            elif isinstance(fact, Limit):
                self.scope.column = fact.column

    def skip(self, at: int, *parts: str, symbols: str = "", most: int = 6) -> int:
        """The first item from ``at`` on that plays none of ``parts`` and is none of ``symbols``."""
        end = at
        while end < len(self.items) and end - at < most:
            item = self.items[end]
            symbol = item.get("symbol") or item.get("operator")
            if item.is_("number") or not (item.is_(*parts) or (symbol is not None and symbol in symbols)):
                break
            end += 1
        return end

    def at(self, index: int) -> Item | None:
        """Item ``index``, or None past the end."""
        return self.items[index] if index < len(self.items) else None

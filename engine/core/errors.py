"""The three kinds of failure that reach a person, each with what happened, where, and the remedy.

A message repeats names, values that the user typed and allowed ranges. It never repeats a cell of a patient's record.
"""


class CohortStudioError(Exception):
    """A failure told in three parts; ``str()`` joins them into one or two sentences."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        sentence = self.what.rstrip(".")
        if self.where:
            sentence += f" ({self.where})"
        return f"{sentence}. {self.remedy}".strip() if self.remedy else f"{sentence}."

    def as_dict(self) -> dict[str, str]:
        """What a job record or ``--json`` carries: kind, what, where, remedy."""
        return {"kind": type(self).__name__, "what": self.what, "where": self.where, "remedy": self.remedy}

    def __reduce__(self) -> tuple:
        # Keyword-only parts would be lost when the error crosses a process boundary.
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[CohortStudioError], what: str, where: str, remedy: str) -> CohortStudioError:
    return kind(what, where=where, remedy=remedy)


class UserError(CohortStudioError):
    """A request that cannot be met as asked; the person who asked can change it (exit code 2)."""


class DataError(UserError):
    """An input file or table that is refused (exit code 2)."""


class InternalError(CohortStudioError):
    """A fault of the program (exit code 1)."""


class Cancelled(Exception):  # noqa: N818 - a person's wish, not an error
    """Raised inside a long task at the first progress report after its cancellation was asked for."""

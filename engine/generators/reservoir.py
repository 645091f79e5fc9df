"""Generators of other packages: train in memory, keep only synthetic rows.

Their models can only be saved as pickles, which may hold training rows and run code when loaded. So ``fit`` trains,
draws a reservoir of synthetic rows and forgets the model; ``save`` writes the reservoir as parquet; ``sample`` takes
rows from it without replacement. Conditions are obeyed exactly, by filtering.
"""

import contextlib
import io
import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition
from engine.cohort.predicate import satisfied
from engine.core.errors import DataError, UserError
from engine.core.progress import Part, Progress
from engine.core.randomness import generator as random_generator
from engine.core.workspace import read_json, write_json
from engine.generators.base import Capability, FitReport, Generator
from engine.generators.exchange import Exchange
from engine.generators.options import resolve
from engine.generators.registry import MANIFEST, NO_PRIVACY, info
from engine.schema.table import TableSchema
from engine.storage.tables import read_table, write_table

RESERVOIR = "reservoir.parquet"
VERSION = 1
"""Of the folder's layout."""
MINIMUM_ROWS = 20
"""The packages fit mixtures of up to ten parts to a column and pack ten rows into one; below this they crash."""


@dataclass
class Drawn:
    """What a package gave: rows in the form of :class:`Exchange`, losses by epoch, sentences for a person."""

    frame: pd.DataFrame
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ReservoirGenerator(Generator):
    """A third-party generator of which only synthetic rows are kept; subclasses say how to train and draw."""

    package: ClassVar[str]
    """Name and version of what does the work, for the manifest."""
    privacy = NO_PRIVACY
    capabilities = frozenset({Capability.CONDITIONS})

    def __init__(self) -> None:
        self._reservoir: pd.DataFrame | None = None
        self._manifest: dict[str, Any] = {}

    @abstractmethod
    def _train_and_draw(
        self, exchange: Exchange, *, rows: int, seed: int, options: Mapping[str, Any], progress: Progress
    ) -> Drawn:
        """Train on ``exchange.frame`` (at least one column) and draw ``rows`` rows with the same columns.

        Runs with NumPy's and torch's global generators seeded (the packages draw from them) and restored afterwards.

        Raises:
            UserError: the package cannot learn such a table.
            Cancelled: from ``progress``.
        """

    def _check(self, exchange: Exchange) -> None:
        """Refuse, before any work, a table that the package cannot learn.

        Raises:
            UserError: says which columns, and the remedy.
        """
        if len(exchange.frame) < MINIMUM_ROWS:
            raise UserError(
                f"{len(exchange.frame)} rows are too few for {self.name}, which needs at least {MINIMUM_ROWS}",
                remedy="Use a larger data set, or the dp_cgan generator.",
            )

    def fit(
        self,
        table: pd.DataFrame,
        schema: TableSchema,
        *,
        seed: int,
        options: Mapping[str, Any],
        progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:
        """Train the package's model, draw the reservoir and forget the model. As :meth:`Generator.fit`.

        ``checkpoint`` is not used: the packages cannot continue a fit, so an interrupted one starts again.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        chosen = resolve(options, info(self.name).options, generator=self.name)
        exchange = Exchange.encode(table, schema)
        self._check(exchange)
        rows = int(chosen["reservoir_rows"])
        progress.update(0.0, "Preparing the columns")
        drawn = Drawn(pd.DataFrame(index=range(rows)))
        if len(exchange.frame.columns):
            drawn = self._trained(exchange, rows=rows, seed=seed, options=chosen, progress=Part(progress, 0.02, 0.97))
        self.schema = exchange.schema
        self._reservoir = exchange.decode(drawn.frame, rows=rows, random=random_generator(seed, "unlearned columns"))
        report = FitReport(
            generator=self.name,
            rows=len(table),
            patients=int(table[schema.patient_key].nunique()) if schema.patient_key else len(table),
            columns=len(self.schema.columns),
            seed=seed,
            fit_cpu_seconds=time.process_time() - cpu,
            fit_wall_seconds=time.perf_counter() - wall,
            history=drawn.history,
            notes=[f"Cohorts of up to {rows:,} rows can be drawn.", *drawn.notes, *_moved(exchange, rows)],
        )
        self._manifest = {"seed": seed, "options": chosen, "report": report.as_dict()}
        progress.update(1.0, "Trained")
        return report

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        """``rows`` of the reservoir, none twice, that satisfy ``conditions``. As :meth:`Generator.sample`.

        Raises:
            UserError: the reservoir holds fewer such rows; names the criterion that leaves the least.
        """
        reservoir = self._fitted()
        wanted = dict(conditions or {})
        matching = self._matching(wanted)
        if rows > len(matching):
            raise self._too_few(rows, len(matching), wanted)
        order = random_generator(seed, "reservoir").permutation(matching)[:rows]
        return reservoir.iloc[order].reset_index(drop=True)

    def available(self, conditions: Mapping[str, Condition] | None = None) -> int:
        """How many rows :meth:`sample` can give under ``conditions``."""
        return len(self._matching(dict(conditions or {})))

    def save(self, folder: Path) -> None:
        """Write ``reservoir.parquet`` and ``manifest.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / RESERVOIR, self._fitted(), self.schema)
        write_json(
            folder / MANIFEST,
            {
                "generator": self.name,
                "version": VERSION,
                "package": self.package,
                "privacy": self.privacy,
                "epsilon": None,
                **self._manifest,
                "schema": self.schema.model_dump(mode="json"),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The reservoir that :meth:`save` wrote.

        Raises:
            DataError: as :meth:`Generator.load`.
        """
        try:
            manifest = read_json(folder / MANIFEST)
            if manifest.get("generator") != cls.name:
                raise DataError(f"the folder {folder.name!r} holds no {cls.name} model")
            if manifest.get("version") != VERSION:
                raise DataError(
                    f"the model in {folder.name!r} was saved by another version", remedy="Train the model again."
                )
            reservoir, schema = read_table(folder / RESERVOIR)
        except (FileNotFoundError, ValueError, AttributeError) as error:
            raise DataError(
                f"the folder {folder.name!r} holds no readable {cls.name} model", remedy="Train the model again."
            ) from error
        loaded = cls()
        loaded.schema, loaded._reservoir = schema, reservoir
        loaded._manifest = {key: manifest.get(key) for key in ("seed", "options", "report")}
        return loaded

    def _trained(self, exchange: Exchange, *, seed: int, **rest: Any) -> Drawn:
        try:
            with seeded(seed), quiet():
                return self._train_and_draw(exchange, seed=seed, **rest)
        except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # Which of these a package raises on a table it cannot cope with is not documented.
            raise UserError(
                f"{self.package} failed on this table",
                where=f"{type(error).__name__} inside the package",
                remedy="Leave out columns with very few values or patients, or use the dp_cgan generator.",
            ) from error

    def _fitted(self) -> pd.DataFrame:
        if self._reservoir is None:
            raise UserError(f"this {self.name} generator is not trained", remedy="Train it or load a trained one.")
        return self._reservoir

    def _matching(self, conditions: dict[str, Condition]) -> np.ndarray:
        reservoir = self._fitted()
        for name in conditions:
            self.schema[name]
        return np.flatnonzero(satisfied(reservoir, conditions, self.schema))

    def _too_few(self, rows: int, found: int, conditions: dict[str, Condition]) -> UserError:
        held = len(self._fitted())
        if not conditions:
            return UserError(
                f"this {self.name} model holds {held:,} synthetic rows, {rows:,} were asked for",
                remedy=f"Ask for at most {held:,}, or train it again with more rows kept (reservoir_rows).",
            )
        alone = {name: len(self._matching({name: condition})) for name, condition in conditions.items()}
        rarest = min(alone, key=lambda name: alone[name])
        some = f"Ask for at most {found:,}, relax" if found else "Relax"
        where = f"the criterion on {rarest!r} leaves {alone[rarest]:,} of {held:,}"
        return UserError(
            f"only {found:,} rows of this {self.name} model satisfy every criterion, {rows:,} were asked for",
            where=where if len(conditions) == 1 else f"{where}, the fewest of all",
            remedy=f"{some} that criterion, train again with more rows kept (reservoir_rows), or use the dp_cgan "
            "generator, which draws to order.",
        )


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """NumPy's and torch's global generators at ``seed`` and torch on one thread; everything is restored afterwards.

    One thread: the networks are small, and results don't depend on the machine's number of cores.
    """
    import torch

    before, torch_before, threads = np.random.get_state(), torch.get_rng_state(), torch.get_num_threads()
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        np.random.set_state(before)
        torch.set_rng_state(torch_before)
        torch.set_num_threads(threads)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the packages' prints (some repeat cells) and warnings."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def reported_training(
    module: Any, progress: Progress, *, columns: int, losses: Callable[[], dict[str, float]]
) -> Iterator[list[dict[str, float]]]:
    """Progress, cancellation and a history for the training loops of ctgan and its descendants.

    They encode the columns with a ``DataTransformer`` and loop over ``tqdm(range(epochs))``, both names of ``module``,
    which are exchanged for the time of the context. Yields the history, which gains an entry after every epoch: its
    number and ``losses()``.
    """
    encoding, training = Part(progress, 0.0, 0.2), Part(progress, 0.2, 1.0)
    history: list[dict[str, float]] = []
    fitted = 0

    class Transformer(module.DataTransformer):
        """Reports each column, and stays in this process: the original sends rows to others through shared files."""

        def _fit_continuous(self, *data: Any) -> Any:
            return self._reported(super()._fit_continuous, data)

        def _fit_discrete(self, *data: Any) -> Any:
            return self._reported(super()._fit_discrete, data)

        def _reported(self, fit: Callable[..., Any], data: tuple[Any, ...]) -> Any:
            nonlocal fitted
            fitted += 1
            # Packages that split a category into columns of their own make more columns than the table has.
            encoding.update(min(1.0, fitted / (columns + 1)), f"Preparing column {fitted}")
            return fit(*data)

        def _parallel_transform(self, *data: Any) -> Any:
            return self._synchronous_transform(*data)

    def epochs_of(loop: Iterable[int], **_: object) -> Iterator[int]:
        planned = list(loop)
        for number in planned:
            yield number
            figures = losses()
            history.append({"epoch": float(number + 1), **figures})
            training.update((number + 1) / len(planned), f"Epoch {number + 1} of {len(planned)}", **figures)

    original = module.DataTransformer, module.tqdm
    module.DataTransformer, module.tqdm = Transformer, epochs_of
    try:
        yield history
    finally:
        module.DataTransformer, module.tqdm = original


def draw_in_parts(
    draw: Callable[[int], pd.DataFrame], *, rows: int, progress: Progress, part: int = 5_000
) -> pd.DataFrame:
    """``rows`` rows of ``draw``, at most ``part`` at once, so that a cancellation is heard and memory stays flat."""
    parts: list[pd.DataFrame] = []
    done = 0
    while done < rows:
        parts.append(draw(min(part, rows - done)))
        done += len(parts[-1])
        progress.update(done / rows, f"Drawing synthetic rows: {done:,} of {rows:,}")
    return pd.concat(parts, ignore_index=True)


def _moved(exchange: Exchange, rows: int) -> list[str]:
    if not exchange.moved:
        return []
    worst = sorted(exchange.moved, key=lambda name: -exchange.moved[name])
    shown = ", ".join(f"{name} ({exchange.moved[name] / rows:.1%})" for name in worst[:5])
    more = f" and {len(worst) - 5} other columns" if len(worst) > 5 else ""
    return [f"Drawn values outside the column's range were moved to its edge: {shown}{more}."]

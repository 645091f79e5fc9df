"""How a privacy budget is divided, by rules fixed beforehand: nothing here looks at data but through noisy figures.

All measurements are Gaussian, so the budget is one number, μ² (Gaussian DP, Dong, Roth and Su 2022): a mechanism of
noise multiplier σ takes 1/σ² of it. The shares below
were tried on one open table: half or twice the margins' share trades named categories against pairs at small ε.
"""

from dataclasses import dataclass

from engine.core.errors import UserError
from engine.privacy.accounting import gaussian_mu
from engine.privacy.events import check_delta, check_epsilon
from engine.privacy.noise import MOST_EPSILON, SAMPLER_DELTA

_THRESHOLD_SHARE = 0.1
"""Of delta, for categories that are discovered."""
_RESERVE = 1e-5
"""Of μ², left unspent: the second accountant's error grows with the mechanisms, and must not exceed epsilon."""
_SHAPE = 0.06
"""Of μ²: the number of patients, decimals, and the orders of magnitude that numbers have."""
_MARGINS = 0.24
"""Of μ²: every column by itself."""
_SELECTION = 0.1
"""Of μ²: a first look at all pairs, where not all of them can be measured in full."""
_CELL_OVER_NOISE = 3.0
_MOST_BINS = 24
_PATIENTS_PER_NOISE = 150
"""Pairs are measured as long as the noise of a cell stays below this part of the patients."""


@dataclass(frozen=True)
class Budget:
    """What may be spent, and on what.

    Attributes:
        epsilon: as asked.
        delta: as asked.
        square: μ² of everything that is measured.
        threshold_delta: for discovered categories, all columns together; included in ``delta``.
        gradient_share: of ``square``, kept for training on patients' rows with private gradients.
    """

    epsilon: float
    delta: float
    square: float
    threshold_delta: float
    gradient_share: float = 0.0

    @classmethod
    def of(cls, *, epsilon: float, delta: float, gradient_share: float = 0.0) -> "Budget":
        """The budget of (``epsilon``, ``delta``).

        Raises:
            UserError: a value is out of range, or ``delta`` too small to discover categories with.
        """
        check_epsilon(epsilon)
        check_delta(delta)
        if epsilon > MOST_EPSILON:
            raise UserError(
                f"epsilon ({epsilon:g}) is above {MOST_EPSILON:g} and would protect nobody",
                remedy="Give a smaller one, or train without privacy and treat the model as confidential.",
            )
        threshold = _THRESHOLD_SHARE * delta
        left = delta - threshold - SAMPLER_DELTA
        if left <= delta / 2:
            raise UserError(f"delta ({delta:g}) is too small", remedy=f"Give at least {4 * SAMPLER_DELTA:g}.")
        # What a discovered category costs at its patient's removal; see engine.privacy.accounting.
        removal = 2 * (threshold + SAMPLER_DELTA)
        if removal >= epsilon / 2:
            raise UserError(f"epsilon ({epsilon:g}) is too small for delta ({delta:g})")
        mu = gaussian_mu(epsilon=epsilon - removal, delta=left)
        return cls(epsilon, delta, mu**2 * (1 - _RESERVE), threshold, gradient_share)

    @property
    def measured(self) -> float:
        """μ² of all measurements."""
        return self.square * (1 - self.gradient_share)

    @property
    def shape(self) -> float:
        """μ² of what comes before the margins."""
        return _SHAPE * self.measured

    @property
    def margins(self) -> float:
        """μ² of the columns' own distributions."""
        return _MARGINS * self.measured

    def pairs(self, *, patients: float, columns: int) -> "PairBudget":
        """What goes to pairs of ``columns`` of about ``patients`` (noisy) patients."""
        every = columns * (columns - 1) // 2
        left = self.measured - self.shape - self.margins
        bearable = int((patients / _PATIENTS_PER_NOISE) ** 2 * left)
        if every <= max(columns, bearable):
            return PairBudget(every, left, 0.0)
        selection = _SELECTION * self.measured
        bearable = int((patients / _PATIENTS_PER_NOISE) ** 2 * (left - selection))
        return PairBudget(min(every, max(columns, bearable)), left - selection, selection)

    def richness(self, patients: float) -> float:
        """Patients times μ: what can be told apart at all grows with it."""
        return max(patients, 1.0) * self.square**0.5


@dataclass(frozen=True)
class PairBudget:
    """How many pairs are measured in full.

    Attributes:
        count: pairs.
        measured: μ² of all of them together.
        selection: μ² of the first look that chooses them; 0 where every pair is measured.
    """

    count: int
    measured: float
    selection: float

    @property
    def noise(self) -> float:
        """Noise multiplier of each pair that is measured in full."""
        return (max(self.count, 1) / self.measured) ** 0.5


def bins_for(patients: float, noise: float) -> int:
    """Most bins of an ordered column: as many as leave a cell of a pair of them some patients more than its noise.

    For 7,000 patients and 24 columns 7 at ε = 1, 9 at ε = 3 and 15 at ε = 10: finer tables are lost in their noise,
    and what lies inside a bin the margin knows.
    """
    return int(min(max((patients / (_CELL_OVER_NOISE * noise)) ** 0.5, 3), _MOST_BINS))


def cells_for(richness: float) -> int:
    """Cells of an ordered column's histogram: about 40, 68 and 120 for the same."""
    return int(min(max(0.63 * richness**0.55, 6), 160))

"""Better estimates from noisy counts. All of it is post-processing: it reads nothing but released figures."""

import numpy as np


def on_simplex(noisy: np.ndarray, total: float) -> np.ndarray:
    """The counts ≥ 0 with sum ``total`` that are nearest to ``noisy`` in L2, float64 of the same shape.

    Under Gaussian noise that is the most likely histogram (Held, Wolfe and Crowder 1974; Lee, Wang and Kifer 2015).
    """
    if total <= 0 or not len(noisy):
        return np.zeros(len(noisy))
    ordered = np.sort(noisy)[::-1].astype(np.float64)
    shift = (np.cumsum(ordered) - total) / np.arange(1, len(noisy) + 1)
    last = np.flatnonzero(ordered > shift)[-1]
    return np.maximum(noisy - shift[last], 0.0)


def recorded(missing: float, noise: float, *, patients: float, patients_noise: float) -> tuple[float, float]:
    """How many patients have a value and how many have none, each 0 where noise alone explains it.

    Args:
        missing: noisy count of those who have none.
        noise: standard deviation of its noise.
        patients: noisy number of patients.
        patients_noise: standard deviation of its noise.
    """
    missing = above_noise(missing, noise)
    if not missing:
        return patients, 0.0
    present = above_noise(patients - missing, (noise**2 + patients_noise**2) ** 0.5)
    return present, min(missing, patients)


def above_noise(noisy: float, noise: float, *, errors: float = 2.5) -> float:
    """``noisy`` where it stands ``errors`` standard deviations of ``noise`` above 0, else 0."""
    return float(noisy) if noisy > errors * noise else 0.0

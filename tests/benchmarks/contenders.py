"""Who runs, and with which setting. One thread each; nothing was tuned on the split but what a line says."""

from dataclasses import dataclass
from typing import Literal

from tests.benchmarks.environments import MOSTLYAI, SMARTNOISE, Environment

DELTA = 1e-5


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    Attributes:
        name: as on the command line of the benchmark.
        label: as in the table.
        group: *reference* lines are computed, not learned.
        generator: of ``engine train --generator``; empty for a peer with an environment and script of its own.
        epsilon: None without differential privacy.
        options: of ``engine train --option``.
        quick: the options of a smoke run.
        environment: None for the product's own.
        script: module under ``tests.benchmarks.peers``.
        arguments: of the script.
    """

    name: str
    label: str
    group: Literal["ours", "peers", "references"]
    generator: str = ""
    epsilon: float | None = None
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    environment: Environment | None = None
    script: str = ""
    public_domain: bool = False
    """Whether categories and bounds are given as public, as the marginal mechanisms get them, or found privately."""
    arguments: tuple[str, ...] = ()


def _ours(name: str, epsilon: float | None, *options: str) -> Contender:
    said = "not private" if epsilon is None else f"ε {epsilon:g}"
    return Contender(name, f"dp_cgan, {said}", "ours", "dp_cgan", epsilon, options, ("epochs=2",))


def _ours_public(name: str, epsilon: float) -> Contender:
    label = f"dp_cgan, ε {epsilon:g}, public categories and bounds"
    return Contender(name, label, "ours", "dp_cgan", epsilon, (), ("epochs=2",), public_domain=True)


def _marginals(name: str, label: str, mechanism: str, epsilon: float) -> Contender:
    return Contender(
        name, f"{label}, ε {epsilon:g}", "peers", epsilon=epsilon, environment=SMARTNOISE, script="marginals",
        arguments=("--mechanism", mechanism),
    )  # fmt: skip


CONTENDERS: tuple[Contender, ...] = (
    Contender("holdout", "real hold-out (ceiling)", "references"),
    Contender("independent", "columns shuffled independently (floor)", "references"),
    _ours("dp_cgan", None),
    _ours("dp_cgan_eps1", 1.0),
    _ours("dp_cgan_eps3", 3.0),
    _ours("dp_cgan_eps10", 10.0),
    _ours_public("dp_cgan_eps1_public", 1.0),
    _ours_public("dp_cgan_eps3_public", 3.0),
    _ours_public("dp_cgan_eps10_public", 10.0),
    Contender("gaussian_copula", "SDV GaussianCopula", "peers", "gaussian_copula"),
    # Of the package's 300 epochs as many as about 150 CPU seconds allow.
    Contender("ctgan", "SDV CTGAN (180 epochs)", "peers", "ctgan", None, ("epochs=180",), ("epochs=2",)),
    Contender("tvae", "SDV TVAE (300 epochs)", "peers", "tvae", None, ("epochs=300",), ("epochs=2",)),
    # As many as about 120 CPU seconds allow, with its cross-pair loss in closed form (engine.generators.dp_cgans).
    Contender("dp_cgans", "dp-cgans 0.3.0 (75 epochs)", "peers", "dp_cgans", None, ("epochs=75",), ("epochs=2",)),
    Contender("mostlyai", "MOSTLY AI TabularARGN", "peers", environment=MOSTLYAI, script="mostlyai_engine"),
    Contender(
        "mostlyai_dp", "MOSTLY AI TabularARGN, DP, ε ≤ 3", "peers", epsilon=3.0, environment=MOSTLYAI,
        script="mostlyai_engine",
    ),
    _marginals("mst_eps1", "MST", "mst", 1.0),
    _marginals("mst_eps3", "MST", "mst", 3.0),
    _marginals("mst_eps10", "MST", "mst", 10.0),
    _marginals("aim_eps3", "AIM (40 rounds)", "aim", 3.0),
)  # fmt: skip


def chosen(names: list[str] | None) -> list[Contender]:
    """The contenders of these names or groups, in the table's order; all for None.

    Raises:
        SystemExit: a name is unknown; lists the known ones.
    """
    known = {one.name for one in CONTENDERS} | {one.group for one in CONTENDERS}
    for name in names or ():
        if name not in known:
            raise SystemExit(f"there is no contender {name!r}; known are {', '.join(sorted(known))}")
    return [one for one in CONTENDERS if names is None or one.name in names or one.group in names]

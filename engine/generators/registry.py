"""The generators by name. What the dashboard shows of them is here, so that it never loads torch or sdv.

``tests/generators/test_registry.py`` holds each entry to the class that it describes.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from engine.core.errors import DataError, UserError
from engine.core.workspace import read_json
from engine.generators.base import Capability, Generator
from engine.generators.dp_cgan.options import INFO as DP_CGAN
from engine.generators.options import GeneratorInfo, Option

MANIFEST = "manifest.json"

NO_PRIVACY = "No formal privacy: the model learns from the patients without any bound on what it remembers of one."

RESERVOIR_ROWS = Option(
    "reservoir_rows", "Rows kept", "integer", 20_000, 10, 1_000_000,
    "Synthetic rows drawn after training. Only they are kept, so they are the most that a cohort can have.",
)  # fmt: skip


def _epochs(default: int) -> Option:
    return Option("epochs", "Epochs", "integer", default, 1, 5_000, "Passes over the training rows.")


def _batch(default: int) -> Option:
    return Option("batch_size", "Batch size", "integer", default, 10, 100_000, "Rows of one training step.")


def _third_party(name: str, label: str, *options: Option) -> GeneratorInfo:
    return GeneratorInfo(name, label, NO_PRIVACY, (*options, RESERVOIR_ROWS), frozenset({Capability.CONDITIONS}))


_INFOS: tuple[GeneratorInfo, ...] = (
    DP_CGAN,
    _third_party("dp_cgans", "DP-CGANS 0.3.0 (published package)", _epochs(100), _batch(500)),
    _third_party("gaussian_copula", "Gaussian copula (SDV)"),
    _third_party("ctgan", "CTGAN (SDV)", _epochs(100), _batch(500)),
    _third_party("tvae", "TVAE (SDV)", _epochs(100), _batch(500)),
)
_CLASSES = {
    "dp_cgan": ("engine.generators.dp_cgan.generator", "DPCGAN"),
    "dp_cgans": ("engine.generators.dp_cgans", "DPCGANSPackage"),
    "gaussian_copula": ("engine.generators.baselines", "GaussianCopula"),
    "ctgan": ("engine.generators.baselines", "CTGAN"),
    "tvae": ("engine.generators.baselines", "TVAE"),
}


def generator_names() -> list[str]:
    """The names, the default first."""
    return [info.name for info in _INFOS]


def describe() -> list[GeneratorInfo]:
    """What a form needs to offer the generators; imports none of them."""
    return list(_INFOS)


def info(name: str) -> GeneratorInfo:
    """The entry of one generator.

    Raises:
        UserError: there is no such generator.
    """
    for entry in _INFOS:
        if entry.name == name:
            return entry
    raise UserError(f"there is no generator {name!r}", remedy=f"Choose one of: {', '.join(generator_names())}.")


def create(name: str) -> Generator:
    """An unfitted generator.

    Raises:
        UserError: there is no such generator.
    """
    return _class(name)()


def load(folder: Path) -> Generator:
    """The fitted generator that was saved in ``folder``.

    Raises:
        DataError: the folder holds no model, or one that this version cannot read.
    """
    try:
        manifest: Any = read_json(folder / MANIFEST)
    except FileNotFoundError as error:
        raise DataError(
            f"the folder {folder.name!r} holds no model", remedy="Name the folder that training wrote."
        ) from error
    except ValueError as error:
        raise DataError("the model's manifest is not JSON", where=f"{folder.name}/{MANIFEST}") from error
    name = manifest.get("generator") if isinstance(manifest, dict) else None
    if not isinstance(name, str) or name not in _CLASSES:
        raise DataError(
            "the model's manifest names no generator of this version",
            where=f"{folder.name}/{MANIFEST}",
            remedy=f"Known are: {', '.join(generator_names())}. Train the model again.",
        )
    return _class(name).load(folder)


def _class(name: str) -> type[Generator]:
    module, class_name = _CLASSES[info(name).name]
    return getattr(import_module(module), class_name)

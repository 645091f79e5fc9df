"""A fitted model on disk: weights and pool as safetensors, everything else as a JSON manifest.

``manifest.json`` is written last, so a folder that holds it holds a whole model.
"""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.core.errors import DataError
from engine.core.workspace import read_json, write_atomically
from engine.generators.base import FitReport
from engine.generators.dp_cgan.conditional import Pool
from engine.generators.dp_cgan.critic import Critic
from engine.generators.dp_cgan.network import Shape
from engine.generators.dp_cgan.structure import Nesting
from engine.generators.encoding import ColumnCode, Encoding
from engine.privacy.summary import PrivateSummary

NAME = "dp_cgan"
VERSION = 3
"""Of the folder's layout."""
_READ = (1, 2, 3)
"""Version 1 has neither a critic nor the number of patients beside its report; a private model of version 2 has no
summary of what was measured."""
_MANIFEST = "manifest.json"
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Model:
    """All that sampling needs.

    Attributes:
        encoding: the columns, in the schema's order.
        order: for each place in the network, the index of its column in ``encoding``.
        shape: of the network.
        weights: folded (:meth:`engine.generators.dp_cgan.network.Network.folded`), calibrated.
        nestings: by place in the network.
        pool: freely drawn rows.
        report: of the fit.
        patients: how many were learned from; of a private fit, noisy.
        critic: of a private fit, by column of the encoding.
        summary: of a private fit, what was measured; also beside the manifest, for whoever does not load the model.
    """

    encoding: Encoding
    order: tuple[int, ...]
    shape: Shape
    weights: dict[str, Tensor]
    nestings: tuple[Nesting, ...]
    pool: Pool
    report: FitReport
    patients: float
    critic: Critic | None = None
    summary: PrivateSummary | None = None

    def place(self, column: int) -> int:
        """Place in the network of the column at index ``column`` of the encoding."""
        return self.order.index(column)

    @property
    def shares(self) -> list[np.ndarray]:
        """Share of each level, by place in the network."""
        counts = [self.encoding.columns[column].counts for column in self.order]
        return [part / part.sum() for part in counts]


def save_model(model: Model, folder: Path) -> None:
    """Write ``model`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{name}": value.contiguous() for name, value in model.weights.items()}
    tensors["pool.levels"] = torch.from_numpy(_narrow(model.pool.levels))
    tensors["pool.weights"] = torch.from_numpy(model.pool.weights)
    for number, nesting in enumerate(model.nestings):
        tensors[f"nesting.{number}"] = torch.from_numpy(nesting.allowed.astype(np.uint8))
    pairs: list[list[int]] = []
    if model.critic is not None:
        pairs = [list(pair) for pair in model.critic.pairs]
        tensors["critic.bias"] = model.critic.bias
        tensors["critic.pairs"] = model.critic.packed()
    # A model that is being replaced must not be read half old, half new.
    (folder / _MANIFEST).unlink(missing_ok=True)
    PrivateSummary.clear(folder)
    write_atomically(folder / _WEIGHTS, lambda temporary: save_file(tensors, temporary))
    if model.summary is not None:
        model.summary.save(folder)
    manifest = {
        "generator": NAME,
        "version": VERSION,
        "privacy": model.report.privacy or "none",
        "patients": model.patients,
        "seed": model.report.seed,
        "packages": {package: version(package) for package in ("torch", "numpy", "pandas", "safetensors")},
        "shape": asdict(model.shape),
        "order": list(model.order),
        "nestings": [{"coarse": nesting.coarse, "fine": nesting.fine} for nesting in model.nestings],
        "critic": pairs,
        "report": model.report.as_dict(),
        "schema": model.encoding.schema.model_dump(mode="json"),
        "encoding": [code.as_json() for code in model.encoding.columns],
    }
    # Compact: an indented list of cells takes ten times the space.
    text = json.dumps(manifest, ensure_ascii=False)
    write_atomically(folder / _MANIFEST, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def load_model(folder: Path) -> Model:
    """The model in ``folder``.

    Raises:
        DataError: there is none, it is damaged, or another version wrote it.
    """
    manifest = _manifest(folder)
    try:
        with safe_open(folder / _WEIGHTS, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        shape = manifest["shape"]
        encoding = Encoding(tuple(ColumnCode.from_json(value) for value in manifest["encoding"]))
        report = FitReport(**manifest["report"])
        critic = None
        if manifest.get("critic"):
            pairs = [(a, b) for a, b in manifest["critic"]]
            critic = Critic.unpacked(encoding.sizes, tensors["critic.bias"], tensors["critic.pairs"], pairs)
        return Model(
            encoding=encoding,
            order=tuple(manifest["order"]),
            shape=Shape(tuple(shape["levels"]), tuple(shape["ordered"]), shape["width"]),
            weights={
                name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")
            },
            nestings=tuple(
                Nesting(entry["coarse"], entry["fine"], tensors[f"nesting.{number}"].numpy().astype(bool))
                for number, entry in enumerate(manifest["nestings"])
            ),
            pool=Pool(tensors["pool.levels"].numpy().astype(np.int16), tensors["pool.weights"].numpy()),
            report=report,
            patients=float(manifest.get("patients", report.patients)),
            critic=critic,
            summary=PrivateSummary.load(folder),
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            "the model's files are damaged or incomplete", where=folder.name, remedy="Train the model again."
        ) from error


def _narrow(levels: np.ndarray) -> np.ndarray:
    """``levels`` in one byte each where all of them fit: the pool is a large part of a small model."""
    fits = levels.min(initial=0) >= 0 and levels.max(initial=0) <= np.iinfo(np.uint8).max
    return np.ascontiguousarray(levels, dtype=np.uint8 if fits else levels.dtype)


def _manifest(folder: Path) -> dict[str, Any]:
    where = f"{folder.name}/{_MANIFEST}"
    try:
        manifest = read_json(folder / _MANIFEST)
    except FileNotFoundError as error:
        raise DataError(f"the folder {folder.name!r} holds no model", remedy="Name a trained model.") from error
    except (OSError, ValueError) as error:
        raise DataError("the model's manifest cannot be read", where=where, remedy="Train the model again.") from error
    if not isinstance(manifest, dict) or manifest.get("generator") != NAME:
        raise DataError(f"the folder holds no model of {NAME}", where=where, remedy="Load it with its own generator.")
    if manifest.get("version") not in _READ:
        raise DataError(
            f"the model was written in version {manifest.get('version')!r} of the format, "
            f"this program reads up to {VERSION}",
            where=where,
            remedy="Train the model again, or use the version that wrote it.",
        )
    return manifest

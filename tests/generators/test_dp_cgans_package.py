"""The wrapped dp-cgans package: the contract, the faster loss, its limits, and nothing of its files left behind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from contract import SCHEMA, GeneratorContract, patients
from dp_cgans import DPCGANSynthesizer
from dp_cgans.synthesizers import dp_cgan as training_module
from dp_cgans.synthesizers.data_transformer import SpanInfo

from engine.core.errors import Cancelled, UserError
from engine.core.progress import Silent
from engine.generators import dp_cgans
from engine.generators.dp_cgans import DPCGANSPackage, _Synthesizer, batch_size, category_value_limit, private_folder
from engine.schema.table import Column, Kind, TableSchema, conform

OPTIONS = {"epochs": 1, "batch_size": 50, "reservoir_rows": 1_500}


class TestDPCGANS(GeneratorContract):
    generator = "dp_cgans"
    options = OPTIONS


class _Transformer:
    output_info_list = [  # noqa: RUF012
        [SpanInfo(1, "tanh"), SpanInfo(3, "softmax")],
        [SpanInfo(2, "softmax")],
        [SpanInfo(4, "softmax")],
        [SpanInfo(1, "tanh"), SpanInfo(2, "softmax")],
        [SpanInfo(2, "softmax")],
    ]


def test_the_loss_in_closed_form_is_the_package_s_own() -> None:
    random = torch.Generator().manual_seed(3)
    data = torch.randn(7, 15, generator=random, requires_grad=True)
    condition = torch.zeros(7, 8)
    mask = torch.zeros(7, 3, dtype=torch.int32)
    for row, (first, second) in enumerate([(0, 1), (1, 2), (0, 2), (0, 1), (2, 0), (1, 2), (0, 1)]):
        mask[row, [first, second]] = 1
        condition[row, [0, 2, 6][first]] = 1
        condition[row, [1, 3, 7][second]] = 1
    losses, gradients = [], []
    for kind in (DPCGANSynthesizer, _Synthesizer):
        model = kind(cuda=False)
        model._transformer = _Transformer()
        loss = model._cond_loss_pair(data, condition, mask)
        losses.append(loss.item())
        gradients.append(torch.autograd.grad(loss, data)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] > 0
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ("rows", "wanted", "expected"), [(1000, 500, 500), (137, 500, 130), (1000, 44, 40), (20, 500, 20), (29, 11, 10)]
)
def test_batches_are_multiples_of_ten_within_the_table(rows: int, wanted: int, expected: int) -> None:
    assert batch_size(rows, wanted) == expected


def test_its_privacy_switch_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match=r"private=true.*neither clips"):
        DPCGANSPackage().fit(patients(), SCHEMA, seed=1, options={**OPTIONS, "private": True}, progress=Silent())


def test_too_many_categories_are_refused_before_any_work_and_named() -> None:
    schema = TableSchema(
        columns=(
            Column(name="diagnosis", kind=Kind.CATEGORICAL),
            Column(name="sex", kind=Kind.CATEGORICAL),
            Column(name="age", kind=Kind.INTEGER),
        )
    )
    codes = [f"d{row % 70}" for row in range(140)]
    table = conform(pd.DataFrame({"diagnosis": codes, "sex": ["F", "M"] * 70, "age": range(140)}), schema)
    with pytest.raises(
        UserError, match=r"72 values.*at most 60 with 140 rows.*diagnosis \(70\), sex \(2\).*Exclude or group"
    ):
        DPCGANSPackage().fit(table, schema, seed=1, options=OPTIONS, progress=Silent())


@pytest.mark.parametrize(("rows", "limit"), [(100, 60), (100_000, 60), (1_000_000, 23), (10_000_000, 7)])
def test_fewer_categories_fit_when_there_are_more_rows(rows: int, limit: int) -> None:
    assert category_value_limit(rows) == limit


@pytest.mark.parametrize("kind", [Kind.NUMERIC, Kind.CATEGORICAL])
def test_tables_of_one_column_can_be_learned(kind: Kind) -> None:
    schema = TableSchema(columns=(Column(name="x", kind=kind),))
    table = conform(pd.DataFrame({"x": np.arange(40) % 3}), schema)
    made = DPCGANSPackage()
    made.fit(table, schema, seed=1, options={**OPTIONS, "reservoir_rows": 60}, progress=Silent())
    assert len(made.sample(60, seed=1)) == 60


def test_nothing_of_its_files_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package writes into the working folder and into the one of temporary files; both are watched."""
    seen: set[str] = set()
    working, temporary = tmp_path / "working", tmp_path / "temporary"
    working.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setattr(dp_cgans.tempfile, "tempdir", str(temporary))

    class Watching:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            seen.update(path.suffix for path in temporary.rglob("*") if path.is_file())

    DPCGANSPackage().fit(patients(), SCHEMA, seed=1, options=OPTIONS, progress=Watching())
    assert seen == {".txt"}  # its file of losses; never a pickle
    assert list(working.iterdir()) == list(temporary.iterdir()) == []


def test_its_module_is_restored_after_a_cancellation() -> None:
    before = training_module.DataTransformer, training_module.tqdm, training_module.joblib

    class Stopping:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if fraction > 0.5:
                raise Cancelled

    with pytest.raises(Cancelled):
        DPCGANSPackage().fit(patients(), SCHEMA, seed=1, options=OPTIONS, progress=Stopping())
    assert (training_module.DataTransformer, training_module.tqdm, training_module.joblib) == before


def test_the_private_folder_is_left_and_deleted_after_an_error() -> None:
    before = Path.cwd()
    with pytest.raises(RuntimeError), private_folder() as folder:
        assert Path.cwd() == folder.resolve()
        assert folder.stat().st_mode & 0o077 == 0
        raise RuntimeError
    assert Path.cwd() == before
    assert not folder.exists()

"""The list of generators: complete, lazily loaded, and clear about what it does not know."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError, UserError
from engine.generators.base import Capability
from engine.generators.options import Option, resolve
from engine.generators.registry import create, describe, generator_names, load

KNOWN = (
    Option("epochs", "Epochs", "integer", 10, 1, 500),
    Option("dropout", "Dropout", "number", 0.2, 0, 1),
    Option("early", "Stop early", "boolean", True),
)


def test_our_own_generator_comes_first() -> None:
    assert generator_names() == ["dp_cgan", "dp_cgans", "gaussian_copula", "ctgan", "tvae"]
    assert [info.name for info in describe()] == generator_names()


def test_every_generator_says_what_privacy_it_gives() -> None:
    for info in describe():
        assert "no formal privacy" in info.privacy.lower()
        # No epsilon is named where none can be kept.
        assert ("ε" in info.privacy) == (Capability.DIFFERENTIAL_PRIVACY in info.capabilities)


def test_every_default_is_allowed() -> None:
    for info in describe():
        assert resolve({}, info.options, generator=info.name) == {
            option.name: option.default for option in info.options
        }


def test_describing_the_generators_loads_none_of_them() -> None:
    heavy = ["torch", "sdv", "dp_cgans", "sklearn", "scipy", "ctgan"]
    program = (
        "import sys, engine.generators.registry as r; r.describe(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'dpcgan'.*dp_cgan, dp_cgans"):
        create("dpcgan")


@pytest.mark.parametrize(
    "manifest", [None, "{", "[]", "{}", '{"generator": "os"}', '{"generator": ["ctgan"]}', '{"generator": "ctgan"}']
)
def test_a_folder_that_holds_no_model_is_refused(manifest: str | None, tmp_path: Path) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(DataError):
        load(tmp_path)


@pytest.mark.parametrize(
    ("given_options", "message"),
    [
        ({"epoch": 3}, r"no option 'epoch'.*epochs, dropout, early"),
        ({"epochs": 0}, r"'epochs' \(0\) is out of range.*1 to 500"),
        ({"epochs": 501}, r"'epochs' \(501\) is out of range"),
        ({"epochs": 2.5}, r"'epochs' \(2.5\) must be a whole number"),
        ({"epochs": "3"}, r"'epochs' \('3'\) must be a number"),
        ({"epochs": True}, r"'epochs' \(True\) must be a number"),
        ({"dropout": float("nan")}, r"'dropout' \(nan\) is out of range"),
        ({"early": 1}, r"'early' \(1\) must be true or false"),
    ],
)
def test_options_that_cannot_be_used_are_named(given_options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve(given_options, KNOWN, generator="ctgan")


@given(st.integers(1, 500), st.floats(0, 1), st.booleans())
def test_allowed_options_arrive_unchanged(epochs: int, dropout: float, early: bool) -> None:
    chosen = {"epochs": epochs, "dropout": dropout, "early": early}
    assert resolve(chosen, KNOWN, generator="ctgan") == chosen
    assert json.loads(json.dumps(chosen)) == chosen


def test_an_option_without_default_stays_none_until_it_is_given() -> None:
    budget = Option("epsilon", "ε", "number", None, 0.01, 100)
    assert resolve({}, (budget,), generator="dp_cgan") == {"epsilon": None}
    assert resolve({"epsilon": None}, (budget,), generator="dp_cgan") == {"epsilon": None}
    assert resolve({"epsilon": 3}, (budget,), generator="dp_cgan") == {"epsilon": 3.0}
    with pytest.raises(UserError, match=r"'epsilon' \(0\) is out of range.*0.01 to 100"):
        resolve({"epsilon": 0}, (budget,), generator="dp_cgan")
    with pytest.raises(UserError, match=r"'epochs' \(None\) must be a number"):
        resolve({"epochs": None}, KNOWN, generator="dp_cgan")


def test_a_whole_number_from_a_form_becomes_an_integer() -> None:
    assert resolve({"epochs": 3.0}, KNOWN, generator="ctgan")["epochs"] == 3
    assert isinstance(resolve({"epochs": 3.0}, KNOWN, generator="ctgan")["epochs"], int)

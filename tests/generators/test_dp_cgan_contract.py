"""dp_cgan keeps the promises of every generator, private or not."""

from typing import Any

import pandas as pd
from contract import ROWS, GeneratorContract


class TestDPCGAN(GeneratorContract):
    generator = "dp_cgan"
    options = {"private": False, "epochs": 2}  # noqa: RUF012


class TestPrivateDPCGAN(GeneratorContract):
    generator = "dp_cgan"
    options = {"private": True, "epsilon": 30, "delta": 1e-3, "epochs": 2}  # noqa: RUF012

    def check_ranges(self, rows: pd.DataFrame) -> None:
        """Bounds that are not public are measured, so rows lie in the neighbourhood of the patients'."""
        assert rows["age"].dropna().between(8, 140).all()
        assert rows["hemoglobin"].between(0, 40).all()
        assert (rows["hemoglobin"].round(1) == rows["hemoglobin"]).all()
        assert rows["admitted"].dt.year.between(2019, 2023).all()

    def check_report(self, report: dict[str, Any]) -> None:
        """The number of patients is noisy, one row of each is learned, and the statement is whole."""
        assert 25 < report["epsilon"] <= 30
        assert report["delta"] == 1e-3
        assert report["rows"] == report["patients"]
        assert abs(report["patients"] - ROWS // 2) < 20
        told = report["privacy"]
        assert told["unit"] == "patient"
        assert max(told["accountants"].values()) == report["epsilon"]
        assert {event["mechanism"] for event in told["events"]} == {"gaussian", "threshold"}
        assert report["fit_cpu_seconds"] > 0
        assert all(isinstance(value, (int, float)) for entry in report["history"] for value in entry.values())

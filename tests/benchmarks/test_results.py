"""The benchmark's cache of runs and its tables, on made-up figures; nothing is trained."""

import json
import re

import pytest

from tests.benchmarks import bench_generators
from tests.benchmarks.contenders import CONTENDERS, chosen
from tests.benchmarks.results import Results, spread, tables

MST = next(one for one in CONTENDERS if one.name == "mst_eps3")


def figures(c2st: float) -> dict:
    return {
        "published": {"quality_train": 0.9, "c2st_auc_holdout": c2st - 0.1},
        "shuffled": {"quality_train": 0.9, "c2st_auc_holdout": c2st, "dup_share": 0.0},
        "cost": {"fit_cpu_s": 1_234.5, "rows_per_cpu_s": 50_000},
        "cohort": {"seconds": 60.0, "rows": 0, "obeyed": None, "shapes": None},
        "quick": False,
        "seconds_in_all": 1.0,
    }


def row(made: str, part: int) -> list[str]:
    lines = [line for line in made.split("\n\n")[2 * part + 1].splitlines() if line.startswith(f"| {MST.label} ")]
    assert len(lines) == 1
    return [cell.strip() for cell in lines[0].strip("|").split("|")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.6, 0.7], "0.60 (0.50–0.70)"),
        ([0.601, 0.602], "0.60"),
        ([0.5], "0.50"),
        ([None, 0.5], "0.50"),
        ([None], "–"),
        ([], "–"),
    ],
)
def test_a_cell_is_the_mean_with_its_spread_where_there_is_one(values, expected):
    assert spread(values, ".2f") == expected


def test_tables_show_both_orders_costs_and_cohort(tmp_path):
    results = Results(tmp_path / "results.json")
    results.keep(MST.name, 1, figures(0.60))
    results.keep(MST.name, 2, figures(0.70))
    made = tables(results, CONTENDERS)
    assert row(made, 0)[:3] == [MST.label, "2", "0.900"]
    assert "0.650 (0.600–0.700)" in row(made, 0)
    assert "0.550 (0.500–0.600)" in row(made, 1)
    assert "1,234.5" in row(made, 2)
    assert row(made, 3)[2:] == ["60.0", "0", "–", "–"]
    assert "Smoke run" not in made


def test_tables_are_of_the_seeds_asked_for(tmp_path):
    results = Results(tmp_path / "results.json")
    results.keep(MST.name, 1, figures(0.60))
    results.keep(MST.name, 10, figures(0.70))
    assert "0.600" in row(tables(results, CONTENDERS, [1]), 0)


def test_a_smoke_run_says_so_and_failures_are_listed(tmp_path):
    results = Results(tmp_path / "results.json")
    results.keep(MST.name, 1, {**figures(0.6), "quick": True})
    results.keep("ctgan", 1, {"error": "it broke"})
    made = tables(results, CONTENDERS)
    assert made.startswith("**Smoke run")
    assert re.search(r"Not measured:\n\n- SDV CTGAN.*: it broke", made)


def test_results_survive_and_failed_runs_are_not_finished(tmp_path):
    file = tmp_path / "results.json"
    Results(file).keep(MST.name, 1, figures(0.6))
    again = Results(file)
    again.keep(MST.name, 2, {"error": "it broke"})
    assert again.finished(MST.name, 1)
    assert not again.finished(MST.name, 2)
    assert not again.finished(MST.name, 3)
    assert sorted(json.loads(file.read_text("utf-8"))["runs"][MST.name]) == ["1", "2"]
    assert [found.name for found in tmp_path.iterdir()] == ["results.json"]


def test_an_interrupted_benchmark_continues_with_what_is_missing(tmp_path, monkeypatch, capsys):
    ran: list[tuple[str, int]] = []

    class Interrupted(bench_generators.Bench):
        def __init__(self, *_args, **_named) -> None:
            pass

        def run(self, one, seed):
            if len(ran) == 1 and not (tmp_path / "again").exists():
                raise KeyboardInterrupt
            ran.append((one.name, seed))
            return figures(0.6)

    monkeypatch.setattr(bench_generators, "Bench", Interrupted)
    monkeypatch.setattr(bench_generators, "SPLIT", tmp_path)
    command = ["bench", "--only", "mst_eps1", "mst_eps3", "--seeds", "1", "--out", str(tmp_path / "r.json")]
    monkeypatch.setattr("sys.argv", [*command, "--continue"])
    with pytest.raises(KeyboardInterrupt):
        bench_generators.main()
    (tmp_path / "again").touch()
    bench_generators.main()
    assert ran == [("mst_eps1", 1), ("mst_eps3", 1)]
    assert MST.label in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", command)
    bench_generators.main()
    assert len(ran) == 4


def test_names_and_groups_choose_contenders_in_the_order_of_the_table():
    assert [one.name for one in chosen(["mst_eps3", "references"])] == ["holdout", "independent", "mst_eps3"]
    assert chosen(None) == list(CONTENDERS)
    with pytest.raises(SystemExit, match=r"'nobody'.*gaussian_copula"):
        chosen(["nobody"])


def test_the_cohort_is_a_valid_request():
    from engine.cohort.spec import CohortSpec

    request = CohortSpec.model_validate(bench_generators.cohort_request())
    assert request.patients == 2_000
    assert [criterion.column for criterion in request.criteria] == ["gender", "age", "A1Cresult", "readmitted"]


def test_the_cohort_asks_only_for_values_that_the_model_knows():
    request = bench_generators.cohort_request({"age": ["[50-60)", "[60-70)"], "readmitted": ["NO"]})
    asked = {criterion["column"]: criterion["any_of"] for criterion in request["criteria"]}
    assert asked["age"] == ["[60-70)"]
    assert asked["readmitted"] == ["<30"]
    assert asked["gender"] == ["Female"]

"""What the site says of every sampler."""

import importlib.util
import json
import sys

import pytest
import sampler_field as benchmark

from tests.docs.test_tables import DOCS


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("sampler_field_page", DOCS / "sampler_field.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def candidate(label, losses, seconds, **measures):
    prices = {"suggestion seconds": seconds}
    return {
        "label": label,
        "losses": losses,
        "quoted": 2.0,
        "measures": measures,
        "prices": prices,
        "reached_target": 1,
    }


BASE = [1.0, 1.1, 0.9, 1.05]
NOISE = [0.001, -0.001, 0.002, -0.002]
BETTER, WORSE = ([base + by + noise for base, noise in zip(BASE, NOISE, strict=True)] for by in (-0.5, 0.5))


def facts(kind, first, *candidates):
    ends = {
        taking: {
            each["label"]: -sum(each["label"] == label for label in names)
            for each in candidates
            if None not in each["losses"]
        }
        for taking, names in first.items()
    }
    environment = {"date": "2026-01-02", "processor": "a processor", "optuna": "5"}
    counts = {"metric": "log10 regret", "direction": "min", "quoted": "regret", "evaluations": 40}
    return {
        "environment": environment,
        "kind": kind,
        **counts,
        "first": first,
        "ends": ends,
        "candidates": list(candidates),
    }


PROBLEMS = {
    "smooth": facts(
        "functions",
        {"0.1 s": ["tpe"], "1 h": ["bo"]},
        candidate("bo", BETTER, 0.1),
        candidate("tpe", BASE, 0.001),
        candidate("pfn", [None, *BASE[1:]], 0.02),
    ),
    "beam": facts(
        "designs",
        {"0.1 s": ["tpe", "bo"], "1 h": ["bo"]},
        candidate("bo", BETTER, 0.3, feasible=1.0),
        candidate("tpe", BASE, 0.002, feasible=0.75),
        candidate("pfn", WORSE, 0.01, feasible=0.5),
    ),
    "wavy": facts(
        "functions", {"0.1 s": ["tpe"], "1 h": ["tpe"]}, candidate("bo", WORSE, 0.2), candidate("tpe", BASE, 1)
    ),
}


@pytest.fixture
def found(page):
    return page.read(PROBLEMS)


def test_problems_of_one_kind_stand_together(found):
    assert [(each.group, each.name) for each in found] == [
        ("functions", "smooth"), ("functions", "wavy"), ("designs", "beam"),
    ]  # fmt: skip


def test_effects_are_against_tpe_and_in_standard_deviations_between_seeds(found):
    smooth, wavy, beam = found
    assert [smooth.role(label) for label in ("bo", "tpe", "pfn")] == ["helps", "reference", "unranked"]
    assert (wavy.role("bo"), wavy.role("pfn"), beam.role("pfn")) == ("hurts", "not run", "hurts")
    assert beam.effect("bo") == pytest.approx(0.5 / beam.spread)
    assert smooth.effect("pfn") is None


def test_places_go_by_how_long_an_evaluation_takes(page, found):
    assert page.mean_places(found, "0.1 s") == {"bo": pytest.approx((2 + 2 + 1.5) / 3), "tpe": 7 / 6, "pfn": 3}
    assert page.mean_places(found, "1 h") == {
        "bo": pytest.approx(4 / 3),
        "tpe": pytest.approx((2 + 1 + 2.5) / 3),
        "pfn": 2.5,
    }
    assert page.summary(found) == (
        "**In short.** The best mean places in equal time, by how long an evaluation takes: where it takes 0.1 s, "
        "`tpe` (1.2), `bo` (1.8) and `pfn` (3.0); where it takes 1 h, `bo` (1.3), `tpe` (1.8) and `pfn` (2.5)."
    )
    rows = page.by_duration(found).splitlines()
    assert rows[0] == "| mean place, and among the first, where it takes | 0.1 s | 1 h |"
    assert rows[2:] == [
        "| `bo` | 1.8, 1 of 3 | 1.3, 2 of 3 |",
        "| `tpe` | 1.2, 3 of 3 | 1.8, 1 of 3 |",
        "| `pfn` | 3.0, 0 of 1 | 2.5, 0 of 1 |",
    ]
    assert page.by_kind(found, "0.1 s").splitlines()[2:] == [
        "| functions | 2 | `tpe` 1.0, `bo` 2.0 |", "| designs | 1 | `bo` 1.5, `tpe` 1.5, `pfn` 3.0 |",
    ]  # fmt: skip


def test_a_row_says_how_often_it_helps_and_what_it_costs(page, found):
    rows = page.in_short(found).splitlines()[2:]
    spreads = {each.name: each.spread for each in found}
    median = sorted([0.5 / spreads["smooth"], 0.5 / spreads["beam"], -0.5 / spreads["wavy"]])[1]
    assert rows[0] == f"| `bo` | 2 | 1 | {median:+.2f} | 100 to 300 ms |"
    assert rows[1] == "| `tpe` | | | | 1 to 1e+03 ms |"


def test_a_problem_with_constraints_says_how_many_runs_met_them(page, found):
    beam = page.details(found[2])
    assert "| sampler | log10 regret | regret | against tpe | feasible | own time | reached the target |" in beam
    assert "| `tpe` | 1.012 | 2.000 | reference | 75% | 2 ms | 1 of 4 |" in beam
    assert "where an evaluation takes 0.1 s: `tpe` and `bo`; 1 h: `bo`." in beam
    assert "feasible" not in page.details(found[0])


def test_the_figure_has_a_column_a_problem_and_a_mark_a_verdict(page, found):
    marks = {trace.name: list(zip(trace.x, trace.y, strict=True)) for trace in page.figure(found).data}
    assert {name: places for name, places in marks.items() if places} == {
        "helps": [(0, "bo"), (2, "bo")], "hurts": [(1, "bo"), (2, "pfn")], "not ranked": [(0, "pfn")],
    }  # fmt: skip


def test_the_page_is_of_problems_that_the_benchmark_poses(page):
    problems = json.loads(page.FACTS.read_text(encoding="utf-8"))["tasks"]
    names = [name for names in benchmark.PROBLEMS.values() for name in names]
    assert list(problems) == [name for name in names if name in problems]
    for name, each in problems.items():
        assert sorted(row["label"] for row in each["candidates"]) == sorted(benchmark.everybody())
        assert name in benchmark.PROBLEMS[each["kind"]]
    assert "<!--" not in page.filled("a <!-- samplers --> b <!-- /samplers --> c")


def test_what_was_not_run_is_said(page, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "FACTS", tmp_path / "none.json")
    assert page.filled("a <!-- samplers --> b <!-- /samplers --> c").startswith("a Not run yet: `python benchmarks/")

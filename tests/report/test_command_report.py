"""What is said about a comparison of commands is said in their words, whichever side of the metric is the better."""

import io
import math
import re

import pytest
from rich.console import Console

from tests.report.test_page import Reader, data
from trimtab.catalog.commands import command_candidates
from trimtab.catalog.ranges import parse_tunes
from trimtab.compare.analysis import analyse
from trimtab.compare.plan import Plan
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.commands.template import Command
from trimtab.report import console, figure_words, words
from trimtab.report.export import to_csv, to_json
from trimtab.report.figures import FIGURES
from trimtab.report.page import render_page
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome

LINE = "python train.py --opt {optimizer} --rate {learning_rate} --seed {seed}"
ACCURACY = {"adamw": 0.90, "mine": 0.95, "sgd": 0.80}


def made(direction, tunes=("learning_rate=1e-4..1e-1:log",), line=LINE):
    sign = -1 if direction == "max" else 1
    commands = dict.fromkeys(ACCURACY, Command(line))
    plan = Plan("train", "", command_candidates(commands, parse_tunes(tunes)), trials=6, seeds=4)

    def outcome(point, label):
        distance = math.log10(point.settings.get("learning_rate", 0.01) / 1e-2)
        value = ACCURACY[label] - 0.1 * distance**2 + 0.003 * math.sin(point.seed * (1 + len(label)))
        if direction == "min":
            value = 1 - value
        curve = tuple(CurvePoint(i, None, sign * value * i / 4, value * i / 4) for i in range(1, 5))
        return Outcome("complete", sign * value, value, cost=4, seconds=2.5, curve=curve)

    outcomes = {}
    for candidate in plan.candidates:
        for point in plan.tuning_points(candidate):
            outcomes[point.key] = outcome(point, candidate.label)
        for point in plan.final_points(candidate, outcomes):
            outcomes[point.key] = outcome(point, candidate.label)
    broken = plan.tuning_points(plan.candidates[2])[-1]
    outcomes[broken.key] = Outcome("failed", error="it ended with exit code 1", seconds=1.0)
    rate = "learning_rate" if "learning_rate" in line else None
    metric = Metric("acc" if direction == "max" else "err", direction)
    facts = command_facts("train", line, metric, source="last printed", rate=rate, timeout=60.0)
    return analyse(plan, outcomes, facts, reference="adamw", environment={"date": "2025-06-01"})


@pytest.fixture(scope="module", params=["max", "min"])
def found(request):
    return request.param, made(request.param)


def all_words(result):
    parts = [*words.facts(result), *words.protocol(result), *words.glossary(result)]
    parts += [*figure_words.captions(result).values(), *figure_words.descriptions(result).items()]
    return " ".join(" ".join(part) for part in parts)


def test_nothing_is_said_that_only_a_task_has(found):
    direction, result = found
    text = Reader(render_page(result)).words + all_words(result)
    assert not re.search(r"sample-gradient|validation loss|val loss|parameters|test data|ms a step|State|None", text)
    name, side = ("acc", "higher") if direction == "max" else ("err", "lower")
    assert f"{name} is {side} by" in text
    assert f"The setting with the {side[:-2]}est {name} at the end of its run was kept" in text
    assert f"{side.capitalize()} is better." in text
    assert "learning_rate decades" in text
    assert "more than 60 seconds has failed" in text
    assert LINE in text


def test_numbers_are_those_that_the_command_told(found):
    direction, result = found
    name = "acc" if direction == "max" else "err"
    assert [candidate.label for candidate in result.candidates] == ["mine", "adamw", "sgd"]
    best = result.candidates[0]
    page = Reader(render_page(result))
    assert f"{best.metric.mean:.4f}" in page.words
    assert "−" not in page.words.partition("How they get there")[0].partition("sgd")[0]
    table = data(page, "trials-data")
    headings = re.findall(r'data-sort="\d+">([^<]*)<', render_page(result))
    assert headings[:6] == ["candidate", "phase", "seed", "status", name, "learning_rate"]
    assert "reported values" in headings
    ((place, heading),) = [(c["index"], c["heading"]) for c in table["columns"] if c["key"] == "loss"]
    assert heading == name
    ends = [row[place] for row in table["rows"] if row[place] is not None]
    assert len(ends) == len(table["rows"]) - 1
    assert min(ends) > 0
    assert to_csv(result)
    assert to_json(result)


def test_figures_show_the_metric(found):
    direction, result = found
    drawn = {name: draw(result) for name, draw in FIGURES.items()}
    ends = [x for trace in drawn["ranking"].data for x in trace.x or () if x is not None]
    assert 0 < min(ends) < max(ends) < 1
    better = [x for trace in drawn["differences"].data for x in trace.x or () if x is not None]
    assert max(better) > 0.03
    for trace in drawn["curves"].data:
        assert min(trace.y) > 0
        assert set(trace.x) <= {1, 2, 3, 4}
    rates = drawn["learning-rate"]
    low, high = rates.layout.yaxis.range
    heights = [y for trace in rates.data for y in trace.y if y is not None]
    if direction == "max":
        assert min(heights) == pytest.approx(low + 0.04 * (high - low) / 1.1)  # failures stand at the lower edge
        assert rates.layout.yaxis.type == "linear"
    assert rates.layout.xaxis.title.text == "learning_rate"
    assert drawn["cost"].layout.xaxis.title.text == "seconds a run"
    assert min(y for trace in drawn["cost"].data for y in trace.y) > 0


def test_the_terminal_shows_the_metric(found):
    direction, result = found
    file = io.StringIO()
    Console(file=file, width=80).print(console.ranking_table(result))
    lines = file.getvalue().splitlines()
    assert lines[0].split() == [
        "rank",
        "candidate",
        "acc" if direction == "max" else "err",
        "against",
        "adamw",
        "s/run",
    ]
    assert lines[1].split()[:2] == ["1", "mine"]
    assert f"{result.candidates[0].metric.mean:.4f} ±" in lines[1]
    assert "helps by" in lines[1]
    assert lines[1].split()[-1] == "2.50"


def test_a_command_without_a_learning_rate_has_no_column_for_it():
    result = made("min", tunes=("batch=16,32",), line="python train.py {optimizer} {batch} {seed}")
    text = Reader(render_page(result)).words
    assert "decades" not in text
    assert "None" not in text + all_words(result)

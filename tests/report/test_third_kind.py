"""A problem that nobody here has heard of is shown in its own words, on every surface."""

import csv
import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from tests.report.synthetic import HOSTILE
from tests.report.test_page import Reader, data
from tests.report.third_kind import FACTS, HEIGHTS, SEEDS, TRIALS, third_kind
from trimtab.compare.frames import Frames
from trimtab.report import figure_words
from trimtab.report.export import to_csv, to_json
from trimtab.report.figures import figures_of
from trimtab.report.page import render_page
from trimtab.report.tables import ranking_table
from trimtab.study.facts import Unit, Watched


@pytest.fixture(scope="module")
def found():
    return third_kind()


@pytest.fixture(scope="module")
def page(found):
    return Reader(render_page(found))


def test_more_of_the_objective_ranks_and_the_quoted_metric_does_not(found):
    assert [(c.label, c.rank) for c in found.candidates] == [("high", 1), ("middle", 2), ("low", 3)]
    best = found.candidates[0]
    assert best.loss.mean == pytest.approx(-9.0, abs=0.02)
    assert best.metric.mean == pytest.approx(1.0, abs=0.02)
    assert best.measures["regret"].mean == pytest.approx(1.0, abs=0.02)
    assert best.prices == {"seconds": 0.5, "think seconds": 0.005, "hills": 20}
    assert found.conclusion[0].startswith("Use high instead of middle: it raises height by 1.99 (")
    assert re.fullmatch(r"height >= 7\.\d+, the median at which middle ends", found.target)


def test_the_page_has_its_words_columns_and_numbers(page, found):
    assert "What helps on hills?" in page.words
    assert (
        "rank candidate height 95 % interval verdict height is higher by smallest detectable distance 95 % interval "
        "regret 95 % interval cost to target evaluations ms a proposal"
    ) in page.words
    table = page.words[page.words.index("rank candidate height") :]
    (row,) = re.findall(r"1 high High · sampler (9\.0\d+) .*? helps \+(1\.99\d*) ", table)
    assert float(row[0]) == pytest.approx(-found.candidates[0].loss.mean, abs=1e-3)
    assert float(row[1]) == pytest.approx(found.candidates[0].against_reference.improvement, abs=1e-3)
    for sentence in ("An evaluation climbs one hill.", "What the best hill has more.", "hills: 2 dimensions."):
        assert sentence in page.words
    assert "every run with seed 0 and 20 evaluations." in page.words
    assert "The summit is known to nobody who looks for it." in page.words
    assert "Cost to target counts evaluations until this is seen: height >=" in page.words


def test_nothing_of_other_kinds_is_said(page, found):
    text = page.words + json.dumps([figure_words.captions(found), figure_words.descriptions(found)])
    drawn = data(page, "figures-data")["figures"]
    assert list(drawn) == ["ranking", "differences", "curves", "cost", "traces"]
    for figures in (text, json.dumps(drawn)):
        assert not re.search(
            r"learning rate|sample-gradient|validation|accuracy|ms a step|reported value|decades|None", figures
        )


def test_the_table_of_trials_has_its_columns(page):
    table = data(page, "trials-data")
    headings = [column["heading"] for column in table["columns"]]
    assert headings == [
        "candidate", "phase", "seed", "status", "height", "distance", "regret", "other settings", "evaluations",
        "ms a proposal", "hills", "seconds",
    ]  # fmt: skip
    assert len(table["rows"]) == len(HEIGHTS) * (TRIALS + SEEDS)
    final = next(row for row in table["rows"] if row[0] == "hills/final/high/0")
    shown = dict(zip(headings, (final[column["index"]] for column in table["columns"]), strict=True))
    assert shown["height"] + shown["regret"] == shown["height"] + shown["distance"] == pytest.approx(10.0)
    assert (shown["ms a proposal"], shown["hills"], shown["evaluations"]) == (5.0, 20, 20)
    assert shown["other settings"].startswith("width = ")


def test_the_figures_have_its_axes(found):
    drawn = figures_of(found)
    traces = drawn["traces"]
    assert len(traces.data) == SEEDS
    assert (list(traces.data[0].x), list(traces.data[0].y)) == ([0, 10, 20], [4.0, 2.0, 2.0])
    assert traces.layout.yaxis.title.text == "width of the proposals"
    assert traces.layout.meta["controls"] == []  # there is nothing else to show
    assert traces.layout.xaxis.title.text == drawn["curves"].layout.xaxis.title.text == "evaluations"
    assert drawn["curves"].layout.yaxis.title.text == "height"
    assert drawn["cost"].layout.xaxis.title.text == "milliseconds a proposal"
    (high,) = [trace for trace in drawn["cost"].data if trace.name == "high"]
    assert (high.x, high.y) == ((5.0,), (-found.candidates[0].loss.mean,))
    options = [option["label"] for option in drawn["cost"].layout.meta["controls"][0]["options"]]
    assert options == ["thinking", "cost to target"]


def test_axes_are_text_and_not_markup(found):
    watched = (Watched("spread", HOSTILE),)
    measures = tuple(dataclasses.replace(each, axis=HOSTILE) for each in FACTS.measures)
    problem = dataclasses.replace(FACTS, cost=Unit(HOSTILE), watched=watched, measures=measures)
    for figure in figures_of(dataclasses.replace(found, problem=problem)).values():
        text = figure.to_json().lower()
        assert "<img" not in text
        assert "\\u003cimg" not in text


def test_the_terminal_has_its_columns(found):
    file = io.StringIO()
    Console(file=file, width=80).print(ranking_table(found))
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert lines[0] == ["rank", "candidate", "height", "distance", "against", "middle", "ms/prop"]
    assert lines[1][:2] == ["1", "high"]
    assert float(lines[1][2]) == pytest.approx(9.0, abs=0.02)
    assert lines[1][-1] == "5.00"


def test_tables_for_programs_have_its_measures(found):
    candidates, trials = Frames(found).candidates(), Frames(found).trials()
    best = found.candidates[0]
    regret = best.measures["regret"]
    assert candidates.loc[0, ["regret", "regret_low", "regret_high"]].tolist() == [regret.mean, regret.low, regret.high]
    assert candidates.loc[0, ["think_seconds", "hills", "trial_seconds"]].tolist() == [0.005, 20, 0.5]
    assert trials["think_seconds"].tolist() == [trial.measures["think seconds"] for trial in found.trials]
    assert str(trials["hills"].dtype) == "Int64"
    assert not {"test_loss", "step_seconds", "state_bytes"} & ({*candidates.columns} | {*trials.columns})
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["regret"] for row in rows] == [str(t.measures.get("regret", "")) for t in found.trials]
    assert {row["hills"] for row in rows} == {"20"}


def test_json_has_facts_measures_and_traces(found):
    values = json.loads(to_json(found))
    assert values["schema_version"] == 2
    assert values["problem"] == json.loads(json.dumps(FACTS.to_dict()))
    final = next(trial for trial in values["trials"] if trial["key"] == "hills/final/high/0")
    assert final["traces"] == {"spread": [[0, 4.0], [10, 2.0], [20, 2.0]]}
    assert final["measures"].keys() == {"think seconds", "hills", "regret"}

"""A race in words and in a figure."""

import dataclasses
import io

import pytest
from rich.console import Console

from tests.report import synthetic
from trimtab.compare.race import Departure
from trimtab.compare.result import RaceResult
from trimtab.report.figure_words import captions
from trimtab.report.figures import figures_of
from trimtab.report.page import render_page
from trimtab.report.raced import departures, finish, rules, seeds_of, summary
from trimtab.report.tables import ranking_table
from trimtab.report.words import columns, facts, protocol


@pytest.fixture(scope="module")
def raced(result):
    """The made-up comparison, as if some of its candidates had left."""
    left = (
        Departure("lion", 3, "better"),
        Departure("sgd", 3, "worse"),
        Departure("adabelief", 5, "chance", 0.0432),
        Departure(synthetic.BROKEN, 2, "unfinished"),
    )
    seeds = {each.candidate: each.seeds for each in left}
    candidates = tuple(
        dataclasses.replace(c, final_losses=c.final_losses[: seeds.get(c.label, 6)]) for c in result.candidates
    )
    return dataclasses.replace(result, candidates=candidates, race=RaceResult((2, 3, 5, 10), left, over=True))


def by_label(result, label):
    return next(c for c in result.candidates if c.label == label)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("lion", "left after 3 seeds: shown to be better than adamw"),
        ("sgd", "left after 3 seeds: shown to be worse than adamw"),
        (
            "adabelief",
            "left after 5 seeds: the chance that the other seeds would show a difference from adamw was 4.3 %",
        ),
        (synthetic.BROKEN, "left after 2 seeds: a run of it did not finish"),
        ("nadam", "ran 6 seeds"),
        ("adamw", "ran 6 seeds, as many as others needed to be compared with it"),
    ],
)
def test_each_candidate_says_how_its_race_ended(raced, label, words):
    assert finish(raced, by_label(raced, label)) == words


def test_a_chance_that_is_hardly_any_is_not_shown_as_none(raced):
    race = dataclasses.replace(raced.race, departures=(Departure("lion", 3, "chance", 1e-9),))
    assert finish(dataclasses.replace(raced, race=race), by_label(raced, "lion")).endswith("was less than 1 %")


def test_a_race_that_goes_on_says_so(raced):
    running = dataclasses.replace(raced, race=dataclasses.replace(raced.race, over=False))
    assert finish(running, by_label(running, "nadam")) == "still in the race"
    assert "so far" in summary(running, running.race)
    assert finish(running, dataclasses.replace(by_label(running, "nadam"), final_losses=())) == ""


def test_without_a_race_nothing_is_said_of_one(result):
    assert finish(result, result.candidates[0]) == ""
    assert seeds_of(result) == "10 seeds"
    assert "race" not in figures_of(result)
    assert "Who ran how far" not in render_page(result)
    assert "Race" not in dict(protocol(result))


def test_who_left_together_is_said_together(raced):
    twice = dataclasses.replace(raced.race, departures=(*raced.race.departures, Departure("nadam", 3, "better")))
    assert departures(raced, twice)[0] == "Left after 3 seeds: lion and nadam (shown to be better than adamw)."


def test_the_page_says_who_left_when_and_by_which_rules(raced):
    page = render_page(raced)
    assert "Who ran how far" in page
    assert "left after 3 seeds: shown to be worse than adamw" in page
    assert rules(raced, raced.race) in page
    assert summary(raced, raced.race) in page
    assert dict(facts(raced))["fresh seeds, after tuning"] == "10 at most"


def test_lines_end_where_candidates_left(raced):
    figure = figures_of(raced)["race"]
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert [trace.x[1] for trace in lines] == [len(c.final_losses) for c in raced.candidates]
    ends = [trace for trace in figure.data if trace.mode == "markers"]
    marks = {trace.name: dict(zip(trace.y, trace.text, strict=True)) for trace in ends}
    assert set(marks) == {"helps", "hurts", "no difference shown", "reference", "not ranked"}
    place = [c.label for c in raced.candidates].index("lion")
    assert "shown to be better" in marks["helps"][place]


def test_a_line_goes_as_far_as_runs_have_ended(raced):
    candidates = tuple(
        dataclasses.replace(c, final_losses=(0.5, None, None)) if c.label == "nadam" else c for c in raced.candidates
    )
    figure = figures_of(dataclasses.replace(raced, candidates=candidates))["race"]
    place = [c.label for c in candidates].index("nadam")
    assert [trace.x[1] for trace in figure.data if trace.mode == "lines"][place] == 1


def test_the_ranking_still_fits_the_terminal(raced):
    text = io.StringIO()
    Console(file=text, width=80).print(ranking_table(raced))
    assert max(map(len, text.getvalue().splitlines())) <= 80


def test_the_figure_of_differences_begins_without_whoever_is_far_out(raced, result):
    far = {"simultaneous_low": -90.0, "simultaneous_high": 90.0}
    sgd = by_label(raced, "sgd")
    wide = [
        dataclasses.replace(c, against_reference=dataclasses.replace(c.against_reference, **far)) if c is sgd else c
        for c in raced.candidates
    ]
    figure = figures_of(dataclasses.replace(raced, candidates=tuple(wide)))["differences"]
    (ranges,) = figure.layout.meta["controls"]
    assert [option["label"] for option in ranges["options"]] == ["close-up, 1 outside", "all"]
    low, high = figure.layout.xaxis.range
    assert -90 < low < 0 < high < 90
    assert ranges["options"][0]["patch"]["layout"]["xaxis.range"] == [low, high]
    others = figures_of(dataclasses.replace(raced, candidates=tuple(wide), race=None))["differences"]
    assert others.layout.xaxis.range is None


def test_it_is_said_of_whom_something_would_have_been_found(raced, result):
    explained = {dict(columns(each))["smallest detectable"] for each in (raced, result)}
    assert sum("of who left early, the interval says what is known" in each for each in explained) == 1
    assert captions(raced)["differences"][1].endswith("differences that the whole race would often miss.")

"""Figures of a problem's own: a measure against another, as the problem's facts say."""

from dataclasses import replace

import pytest

from trimtab.compare.result import CandidateResult, ComparisonResult, Protocol, TrialResult
from trimtab.report import figure_words
from trimtab.report.figures import figures_of
from trimtab.report.figures.scatter import scatter, scatter_names
from trimtab.study.facts import OBJECTIVE, SECONDS, Facts, Measure, Scatter, Unit
from trimtab.study.metric import Metric

LOSS = Measure(OBJECTIVE, "score", axis="score at the end")
TIME = Measure("wait", "wait", form="milliseconds", axis="milliseconds")
SHOWN = Scatter("Wait and score", "Who waits longer?", TIME, LOSS)


def candidate(label):
    nothing = dict.fromkeys(
        ("verdict", "against_reference", "loss", "metric", "tuned_loss", "cost_to_target", "rate_decades")
    )
    return CandidateResult(
        label=label, title=label, kind="method", summary="", settings={}, rank=1, note="", final_losses=(), code="",
        reached_target=0, measures={}, prices={}, trouble={}, **nothing
    )  # fmt: skip


def trial(label, seed, loss, wait, *, phase="final", status="complete"):
    measures = {} if wait is None else {"wait": wait}
    return TrialResult(
        f"{label}/{phase}/{seed}", label, phase, seed, {}, status, loss, None, 1, 2.5, None, (), measures
    )


@pytest.fixture
def result():
    facts = Facts("it", "it", Metric("score", "max"), Unit("step"), scatters=(SHOWN,))
    trials = (
        trial("a", 1000, -0.5, 0.002),
        trial("a", 1001, -0.25, 0.003),
        trial("b", 1000, -0.75, 0.004),
        trial("b", 1001, -0.75, None),
        trial("b", 1002, None, 0.1, status="failed"),
        trial("a", 0, -9.0, 0.9, phase="tune"),
    )
    return ComparisonResult(
        facts, Protocol(1, 2, 1, 1, 0, 1000, None), {}, "a", "none", (), (candidate("b"), candidate("a")), (), trials
    )


def test_each_final_run_is_a_dot_in_the_units_of_the_axes(result):
    figure = scatter(result, SHOWN)
    drawn = {trace.name: (list(trace.x), list(trace.y), list(trace.customdata)) for trace in figure.data}
    assert drawn == {"b": ([4.0], [0.75], ["1000"]), "a": ([2.0, 3.0], [0.5, 0.25], ["1000", "1001"])}
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("milliseconds", "score at the end")


def test_a_candidate_has_its_colour_of_other_figures(result):
    one, other = scatter(result, SHOWN).data
    assert one.marker.color != other.marker.color
    assert one.marker.symbol != other.marker.symbol


def test_seconds_of_a_run_are_a_measure_too(result):
    figure = scatter(result, replace(SHOWN, x=Measure(SECONDS, "seconds")))
    assert [list(trace.x) for trace in figure.data] == [[2.5, 2.5], [2.5, 2.5]]
    assert figure.layout.xaxis.title.text == "seconds"


def test_while_there_is_nothing_that_is_said(result):
    figure = scatter(replace(result, trials=()), SHOWN)
    assert figure.layout.annotations[0].text == "No final run has finished yet."


def test_it_is_among_the_figures_with_heading_and_description(result):
    names = scatter_names(result)
    assert list(names) == ["scatter-1"]
    assert figure_words.scatter_captions(names) == {"scatter-1": ("Wait and score", "Who waits longer?")}
    assert figure_words.scatter_descriptions(names)["scatter-1"].startswith(
        "Scatter plot of score against wait, a dot a final run"
    )
    without = replace(result, problem=replace(result.problem, scatters=()))
    assert scatter_names(without) == {}
    assert figures_of(result).keys() - figures_of(without).keys() == {"scatter-1"}


def test_it_survives_a_store(result):
    facts = result.problem
    assert Facts.from_dict(facts.to_dict()) == facts
    of_before = facts.to_dict()
    del of_before["scatters"]
    assert Facts.from_dict(of_before) == replace(facts, scatters=())

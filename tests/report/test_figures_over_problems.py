"""Figures over problems show the numbers of the result, and nothing that is not in it."""

import json

import pytest

from tests.report.synthetic import BROKEN, HOSTILE
from trimtab.report.figures.over_problems import FIGURES_OVER_PROBLEMS, profiles, ratios
from trimtab.report.figures.style import plain


def test_profiles_are_steps_whose_height_is_the_share(over_problems):
    figure = profiles(over_problems)
    assert [trace.name.split(": ")[-1] for trace in figure.data] == [f"{p.score:.2f}" for p in over_problems.profiles]
    for trace, profile in zip(figure.data, over_problems.profiles, strict=True):
        assert trace.line.shape == "hv"
        assert trace.x == profile.taus
        assert trace.y == pytest.approx(profile.shares, abs=0.025)  # set apart, less than a tenth of a step
        assert len({round(y - share, 9) for y, share in zip(trace.y, profile.shares, strict=True)}) == 1
    lion = next(trace for trace in figure.data if trace.name.startswith("lion"))
    assert lion.text == (
        "within 1.00 × on 1 of 3 problems",
        "within 2.00 × on 2 of 3 problems",
        "within 4.00 × on 2 of 3 problems",
    )


def test_lines_that_coincide_are_apart(over_problems):
    heights = [trace.y[0] for trace in profiles(over_problems).data]
    assert len(set(heights)) == len(heights)


def test_ratios_have_a_mark_for_each_candidate_and_problem(over_problems):
    figure = ratios(over_problems)
    marks = {trace.name: trace for trace in figure.data}
    assert marks["lion"].x[:2] == (2.0, 1.0)
    assert marks["sgd"].x[0] == 10.0
    never = marks["sgd"].x[1]
    assert marks[plain(BROKEN)].x == (never, never, never)
    assert [str(mark).endswith("-open") for mark in marks["sgd"].marker.symbol] == [False, True, True]
    ticks = dict(zip(figure.layout.xaxis.tickvals, figure.layout.xaxis.ticktext, strict=True))
    assert ticks[never] == "not reached"
    assert [round(y) for y in marks["lion"].y] == [0, 1, 2]


@pytest.mark.parametrize("draw", FIGURES_OVER_PROBLEMS.values())
def test_figures_are_strict_json_and_labels_are_text(draw, over_problems):
    def reject(constant):
        raise AssertionError(constant)

    text = draw(over_problems).to_json()
    json.loads(text, parse_constant=reject)
    assert "<img" not in text
    assert "\\u003cimg" not in text.lower()
    assert HOSTILE not in text

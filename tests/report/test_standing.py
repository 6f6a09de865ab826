"""A page that is not the last one says how the comparison stood, and when it was written."""

import re
from datetime import UTC, datetime

import pytest

from trimtab.report.overview import render_overview
from trimtab.report.page import render_page
from trimtab.report.standing import Renewal, Standing, standing
from trimtab.study.remaining import Remaining
from trimtab.study.status import StudyStatus

NOW = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)


def status(state="running", **more):
    usual = {"done": 37, "total": 208, "total_known": True, "remaining": Remaining(240.0, 230.0, 250.0, None)}
    return StudyStatus("digits", "comparison", "optimizer", "digits", "here", state, **{**usual, **more})


def test_it_says_what_the_status_says():
    found = standing(status(trials_per_minute=12.0), None, NOW)
    assert found.words == "Running: 37 of 208 trials, about 4 min left (till 12:04), 12 trials a minute"
    stopped = standing(status("stopped", at_once=2), None, NOW)
    assert stopped.words == "Stopped: 37 of 208 trials, about 4 min left if it goes on with 2 at once"
    assert standing(status(total_known=False, remaining=None), None, NOW).words == (
        "Running: 37 of 208 trials, and final runs"
    )


@pytest.mark.parametrize(
    ("days", "end"),
    [
        (0.25, "18:00"),
        (1, "Fri 12:00"),
        (5, "Tue 12:00"),
        (6, "7 Jan 12:00"),
        (10, "11 Jan 12:00"),
        (370, "6 Jan 2027 12:00"),
    ],
)
def test_an_end_has_a_date_where_its_day_of_the_week_could_be_another(days, end):
    seconds = 86400.0 * days
    found = standing(status(remaining=Remaining(seconds, seconds, seconds, None)), None, NOW)
    assert f"(till {end})" in found.words


def test_moments_are_told_as_the_clock_of_a_browser_has_them():
    found = standing(status(), Renewal(10.0, 90.0), NOW)
    assert found.moment(10.0) == 1000 * int(NOW.timestamp()) + 10_000
    assert found.written_words == "2026-01-01 12:00:05"


@pytest.mark.parametrize("draw", ["result", "over_problems"])
def test_a_page_that_comes_anew_says_when_and_one_that_does_not_loads_nothing(draw, request):
    result = request.getfixturevalue(draw)
    render = render_page if draw == "result" else render_overview
    coming = render(result, standing=Standing("Running: 1 of 2 <b>", NOW, Renewal(10.0, 90.0)))
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in coming
    assert f'data-next="{1000 * int(NOW.timestamp()) + 10_000}"' in coming
    assert "<strong>Running: 1 of 2 &lt;b&gt;.</strong> Written 2026-01-01 12:00:05; this page renews itself." in coming
    left = render(result, standing=Standing("Stopped: 1 of 2", NOW, None))
    assert "<strong>Stopped: 1 of 2.</strong> Written 2026-01-01 12:00:05." in re.sub(r"\s+", " ", left)
    for page in (left, render(result, standing=None)):
        assert "data-next=" not in page
        assert 'http-equiv="refresh"' not in page
    assert "Written 2026" not in render(result, standing=None)

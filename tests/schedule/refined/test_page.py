"""What a reader is told of a refined schedule: sentences, figures, lines to copy."""

import io

import numpy as np
import pytest
from rich.console import Console

from trimtab.report.sections import print_sections, render_sections
from trimtab.schedule.refined.page import conclusion, norms, refinement_page, schedules
from trimtab.schedule.refined.polynomial import polynomial
from trimtab.schedule.refined.refinement import refine_run


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("\n".join(map(str, 1 + 9 * np.exp(-np.arange(400) / 20))))
    return path


def test_figures_show_the_norms_and_both_schedules(run):
    made = refine_run(run)
    recorded, median = norms(made).lines
    np.testing.assert_allclose(recorded.y, made.run.norms)
    np.testing.assert_allclose(median.y, made.smooth)
    refined, linear = schedules(made).lines
    np.testing.assert_allclose(refined.y, made.schedule)
    np.testing.assert_allclose(linear.y, 1 - np.arange(400) / 399)


def test_long_runs_are_drawn_with_as_many_points_as_can_be_seen(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("\n".join(["1.0"] * 10_000))
    made = refine_run(path)
    for line in (*norms(made).lines, *schedules(made).lines):
        assert len(line.x) == 2000
        assert (line.x[0], line.x[-1]) == (0, 9999)


def test_what_has_no_logarithm_is_left_out(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("2\n1\ninf\n0\n1\n1")
    recorded, median = norms(refine_run(path, smoothing=0.0)).lines
    assert list(recorded.y) == [2, 1, None, None, 1, 1]
    assert list(median.y) == [2, 1, None, 1, 1, 1]


def test_the_words_say_where_the_peak_is_and_whether_two_numbers_do(run):
    made = refine_run(run)
    peak, shape = conclusion(made)
    assert peak == f"The learning rate peaks at {made.peak:.0%} of the run, step {made.schedule.argmax()}."
    assert shape.startswith("Two numbers do not describe it")
    run.write_text("\n".join(map(str, 1 + 0.1 * np.exp(-np.arange(400) / 20))))
    made = refine_run(run)
    assert conclusion(made)[1].startswith("In two numbers: ")
    difference = polynomial(400, made.fit.warmup, made.fit.power) - made.schedule
    assert np.sqrt(np.mean(difference**2)) == pytest.approx(made.fit.error)
    run.write_text("\n".join(["1"] * 50))
    assert "no warm-up, then a fall with power 1.00" in conclusion(refine_run(run))[1]


def test_a_peak_at_the_very_end_is_remarked_on(run):
    run.write_text("\n".join(map(str, np.concatenate([np.ones(95), np.full(5, 1e-3)]))))
    assert "try --cap 0.9" in conclusion(refine_run(run, smoothing=0.0))[2]
    assert len(conclusion(refine_run(run, smoothing=0.0, cap=0.9))) == 2


def test_the_page_needs_nothing_but_itself_and_shows_what_it_was_made_from(run):
    text = render_sections(refinement_page(refine_run(run, cap=0.9), run.with_name("next<b>.json")))
    assert "The next run after <em>run.csv</em>" in text
    assert "next&lt;b&gt;.json" in text
    assert "quantile 0.9" in text
    assert "default-src 'none'" in text
    assert 'data-figure="schedules"' in text
    assert 'data-figure="norms"' in text


def test_it_is_printed(run):
    run.write_text("2\n1\ninf\n1\n1\n")
    made = refine_run(run, smoothing=0.0)
    output = io.StringIO()
    schedule = run.with_name("run.schedule.json")
    print_sections(Console(file=output, width=200), refinement_page(made, schedule), {"schedule": schedule})
    text = output.getvalue()
    assert "peaks at 25% of the run" in text
    assert "note: 1 of 5 norms are infinite, and are left out" in text
    assert f"read_schedule({str(schedule)!r})" in text
    assert f"schedule {schedule}" in text

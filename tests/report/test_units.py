"""A report says the same whatever the unit of the losses is, in numbers that can be read."""

import dataclasses
import html
import io
import math
import re

import pytest
from rich.console import Console

from tests.report.synthetic import SHAPES, comparison
from trimtab.report import ReportPaths
from trimtab.report.console import print_summary
from trimtab.report.figures import figures_of
from trimtab.report.page import render_page
from trimtab.report.tables import ranking_table

UNITS = [1e-12, 1e6, 1e12]
NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?")


@pytest.fixture(scope="module", params=UNITS)
def pair(request):
    return comparison(), comparison(unit=request.param), request.param


def table_of(result):
    file = io.StringIO()
    Console(file=file, width=80).print(ranking_table(result))
    return file.getvalue()


def test_ranks_and_verdicts_are_the_same(pair):
    one, other, unit = pair
    for ours, theirs in zip(one.candidates, other.candidates, strict=True):
        assert (ours.label, ours.rank, ours.verdict, ours.note) == (
            theirs.label,
            theirs.rank,
            theirs.verdict,
            theirs.note,
        )
        if ours.loss is not None:
            assert theirs.loss.mean == pytest.approx(unit * ours.loss.mean)
    for ours, theirs in zip(one.pairs, other.pairs, strict=True):
        assert theirs.p_value == pytest.approx(ours.p_value)
        assert theirs.smallest_detectable == pytest.approx(unit * ours.smallest_detectable)


def test_the_terminals_table_has_the_same_digits(pair):
    one, other, unit = pair
    ours, theirs = table_of(one).splitlines(), table_of(other).splitlines()
    assert max(map(len, theirs)) <= 80
    assert re.search(r"adabelief +0\.0845 ±0\.0030", ours[1])
    shown = {1e-12: r"\(8\.45 ±0\.30\)e-14", 1e6: "84504 ±2959", 1e12: r"\(8\.45 ±0\.30\)e\+10"}
    assert re.search(rf"adabelief +{shown[unit]}", theirs[1])
    said = [[re.findall(r"^ +[\d-] (?=\w)|helps|hurts|no diff", line) for line in lines] for lines in (ours, theirs)]
    assert [words for words in said[0] if words] == [words for words in said[1] if words]


def test_sentences_say_the_same_numbers(pair):
    one, other, unit = pair
    for ours, theirs in zip(one.conclusion, other.conclusion, strict=True):
        assert NUMBER.sub("N", ours) == NUMBER.sub("N", theirs)
        for small, large in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
            assert float(large) == pytest.approx(unit * float(small), rel=0.05) or large == small


def cells_of(result):
    """The text of the ranking's cells, and of what figures say to those who cannot see them."""
    page = render_page(result)
    table = page[page.index('id="ranking"') : page.index('id="figures"')]
    cells = [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell)).strip() for cell in re.findall(r"<td.*?</td>", table, re.S)
    ]
    return list(map(html.unescape, [*cells, *re.findall(r'aria-label="([^"]*)"', page)]))


def test_the_page_has_the_same_digits(pair):
    one, other, unit = pair
    ours, theirs = cells_of(one), cells_of(other)
    assert len(ours) == len(theirs) > 50
    in_units = 0
    for small, large in zip(ours, theirs, strict=True):
        assert NUMBER.sub("N", small) == NUMBER.sub("N", large)
        for first, second in zip(NUMBER.findall(small), NUMBER.findall(large), strict=True):
            if first == second:
                continue
            in_units += 1
            assert len(second) <= 12
            before, after = (float(text.replace("−", "-").replace(",", "")) for text in (first, second))
            last = 10.0 ** -len(first.partition("e")[0].partition(".")[2])  # both are rounded, at other places
            assert math.isclose(after / unit, before, rel_tol=0.06, abs_tol=2 * last)
    assert in_units > 40


def test_figures_draw_the_same(pair):
    one, other, _ = pair
    for name, figure in figures_of(one).items():
        scaled = figures_of(other)[name]
        assert scaled.layout.yaxis.type == figure.layout.yaxis.type
        for axis in ("xaxis", "yaxis"):
            ours, theirs = (getattr(each.layout, axis) for each in (figure, scaled))
            assert (ours.range is None) == (theirs.range is None)
            assert ours.tickformat == theirs.tickformat
        choices = [[option["label"] for option in control["options"]] for control in figure.layout.meta["controls"]]
        assert choices == [[o["label"] for o in control["options"]] for control in scaled.layout.meta["controls"]]
        for ours, theirs in zip(figure.data, scaled.data, strict=True):
            assert ours.name == theirs.name
            assert "symbol" not in ours.marker or ours.marker.symbol == theirs.marker.symbol


def test_the_summary_prints(pair):
    file = io.StringIO()
    print_summary(Console(file=file, width=80), pair[1], ReportPaths(None, None, None))
    assert "±" in file.getvalue()


def test_tight_intervals_of_giant_losses_fit_the_terminal():
    shapes = [dataclasses.replace(shape, loss=4.07 + shape.loss / 100, noise=1e-5) for shape in SHAPES]
    lines = table_of(comparison(tuple(shapes), unit=1e10, drift=1e-5)).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"ms/step +state", line) for line in lines)
    assert sum(bool(re.search(r" 4\.07\d\de\+10 ±\de\+0\d ", line)) for line in lines) == len(SHAPES)


def test_a_candidate_that_explodes_leaves_the_others_their_digits():
    shapes = (*SHAPES[:4], dataclasses.replace(SHAPES[4], loss=1e30, noise=1e29))
    lines = table_of(comparison(shapes, broken=())).splitlines()
    assert max(map(len, lines)) <= 80
    assert re.search(r"adabelief +0\.0\d{3} ±0\.00\d\d", lines[1])
    assert re.search(r"sgd +\(9\.\d\d ±0\.\d\d\)e\+29 .*hurts by 9\.\d\de\+29", lines[5])

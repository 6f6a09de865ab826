from dataclasses import replace

import pytest

from tests.report.synthetic import SHAPES, comparison
from trimtab.compare.result import Pair, RaceResult
from trimtab.report import pair_table, words
from trimtab.report.numbers import MISSING
from trimtab.report.page import render_page


@pytest.fixture(scope="module")
def result():
    return comparison()


def pair(**changes):
    return replace(Pair("a", "b", 0.5, 0.1, 0.9, -12.5, 1e-5, 0.031, 0.2, 0.3, 5, 4.0, 1.0), **changes)


def test_each_pair_has_a_row_with_the_better_first(result):
    rows = pair_table.pair_rows(result)
    assert len(rows) == len(result.pairs) == 10
    order = [candidate.label for candidate in result.candidates]
    assert [order.index(row[0]) for row in rows] == sorted(order.index(row[0]) for row in rows)
    means = {candidate.label: candidate.loss.mean for candidate in result.candidates if candidate.loss}
    assert all(means[row[0]] <= means[row[1]] for row in rows)
    assert all(not row[2].startswith("-") for row in rows)


def test_numbers_are_those_of_the_pair(result):
    found = replace(result, pairs=(pair(first=result.candidates[0].label, second=result.candidates[1].label),))
    (row,) = pair_table.pair_rows(found)
    assert row[2:] == ["0.500", "−12.5 to 1.00e-05", "0.031", "0.300", "4.00", "1.0 ×"]


def test_what_is_borrowed_is_said():
    assert pair_table.borrowing([pair()]) == ""
    assert pair_table.borrowing([pair(freedom=9.25)]) == "9.25 degrees of freedom instead of 4"
    both = [pair(freedom=9.25), pair(freedom=7.0)]
    assert pair_table.borrowing(both) == "7.00 to 9.25 degrees of freedom instead of 4"


def test_the_page_has_the_table_and_says_how_to_read_it(result):
    page = render_page(result)
    assert '<details class="pairs" id="pairs">' in page
    assert "10 pairs, tested each against each" in page
    assert "What shared seeds are worth" in page
    against = replace(result, protocol=replace(result.protocol, against_reference=True))
    assert "10 pairs, tested against adamw" in render_page(against)
    assert "10 pairs with adamw, and none with another" in dict(words.protocol(against))["Statistics"]


def test_a_page_without_pairs_has_no_table():
    assert 'id="pairs"' not in render_page(comparison(SHAPES[:1]))


def test_more_pairs_than_anybody_reads_are_left_to_programs(result, monkeypatch):
    monkeypatch.setattr(pair_table, "SHOWN", 4)
    monkeypatch.setattr(words, "SHOWN", 4)
    assert len(pair_table.pair_rows(result)) == 4
    assert "6 more pairs are in results.json" in words.pairs(result)


def test_what_is_detectable_in_a_race_is_said_where_it_was_run_for(result):
    raced = replace(result, race=RaceResult((2, 3, 5, 10), (), over=True))
    for row in pair_table.pair_rows(raced):
        assert (row[5] == MISSING) == (result.reference not in row[:2])


def test_seeds_are_those_that_were_run(result):
    pairs = [pair(seeds=2, freedom=1.5), pair(seeds=4, freedom=9.0)]
    assert pair_table.borrowing(pairs) == "1.50 to 9.00 degrees of freedom instead of 1 to 3"
    raced = replace(result, pairs=tuple(pairs), race=RaceResult((2, 3, 5, 10), (), over=True))
    text = dict(words.protocol(raced))["Statistics"]
    assert "counts as no more than 4 coins that fall alike (p is at least 0.12)" in text

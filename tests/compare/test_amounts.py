"""What a candidate's runs come to."""

import pytest

from trimtab.compare.amounts import interval, median_reached, rate_decades, winners_curse
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point


def test_the_winners_curse_is_in_standard_deviations_of_fresh_seeds():
    fresh = (2.0, 4.0, 2.0, 4.0, 3.0)
    assert winners_curse(1.0, fresh) == pytest.approx(2.0)
    assert winners_curse(4.0, fresh) == pytest.approx(-1.0)  # it looked worse
    for tuned, final in [(None, fresh), (1.0, (2.0,) * 5), (1.0, (*fresh, None)), (1.0, ())]:
        assert winners_curse(tuned, final) is None


def test_few_fresh_seeds_say_nothing_of_the_winners_curse():
    # two lie as close together as one likes: of 0.3 it made 34 in one case of a hundred
    for final in [(1.0,), (1.0, 2.0), (1.0, 2.0, 3.0, 4.0)]:
        assert winners_curse(0.5, final) is None


def test_seeds_that_differ_by_rounding_alone_say_nothing_of_the_winners_curse():
    for first, other in [(0.3, 0.30000000000000004), (0.3, 0.3 * (1 + 2**-22)), (0.0, 0.0), (1e-300, 1e-300)]:
        assert winners_curse(0.2, (first, other, first, other, first)) is None
    assert winners_curse(0.2, (0.3, 0.3001, 0.3, 0.3001, 0.30005)) == pytest.approx(2001, rel=0.01)
    assert winners_curse(0.0, (1e-300, 2e-300, 1e-300, 2e-300, 1.5e-300)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("costs", "runs", "median"),
    [([3.0, 1.0, 2.0], 3, 2.0), ([1.0, 2.0], 3, 2.0), ([1.0], 3, None), ([1.0, 2.0], 4, None), ([], 0, None)],
)
def test_runs_that_never_get_there_count_as_later_than_any(costs, runs, median):
    assert median_reached(costs, runs) == median


def test_an_interval_of_everything_that_is_possible_is_none():
    alone = interval([0.5, None], (0.0, 1.0))
    assert (alone.mean, alone.low, alone.high) == (0.5, None, None)
    assert interval([None], (None, None)) is None
    two = interval([0.4, 0.6], (0.0, 1.0))
    assert two.mean == pytest.approx(0.5)
    assert 0 <= two.low < two.mean < two.high <= 1


def tried(*pairs):
    return [
        (Point("p", "tune", "adamw", i, {"lr": lr}, 0), Outcome("complete", loss=loss))
        for i, (lr, loss) in enumerate(pairs)
    ]


def test_good_rates_span_powers_of_ten():
    # from the second on the loss rises in a straight line over the power of ten, and is 1 % higher a hundredth on
    ends = [(1e-5, 5.0), (1e-4, 3.0)]
    rates = [*ends, (1e-3, 1.0), (1e-2, 1.0), (1e-1, 2.0), (1.0, None)]
    assert rate_decades(tried(*rates), "lr") == pytest.approx(1.01, abs=0.006)
    assert rate_decades(tried(*((rate, None) for rate, _ in rates)), "lr") is None
    assert rate_decades(tried(*rates), None) is None
    assert rate_decades(tried((0.0, 1.0), *rates), "lr") is None


def test_few_settings_tell_no_powers_of_ten():
    assert rate_decades(tried((1e-3, 1.0), (1e-2, 1.0), (1e-1, 2.0), (1.0, None), (1e-4, 2.0)), "lr") is None

import numpy as np
import pytest
import torch

from trimtab.lab.tables.columns import Categories, Columns, Numbers
from trimtab.lab.tables.preparation import FAR, MISSING, Preparation

TRAIN = np.array([0, 1, 2, 3, 4, 5])


def fitted(*columns):
    numbers = [column for column in columns if isinstance(column, Numbers)]
    found = Columns(numbers, [column for column in columns if isinstance(column, Categories)])
    return found, Preparation.fitted(found, TRAIN)


def inputs(*columns):
    found, preparation = fitted(*columns)
    rows = len(found.numbers[0].values if found.numbers else found.categories[0].values)
    return preparation.inputs(found, np.arange(rows))


def numbers(*values, name="x"):
    return Numbers(name, np.array(values, dtype=float))


def test_numbers_are_standardised_by_the_training_rows_alone():
    values = np.array([1, 2, 3, 4, 5, 6, 7.5, -2])
    floats, places = inputs(numbers(*values))
    expected = (values - values[:6].mean()) / values[:6].std()
    torch.testing.assert_close(floats[:, 0], torch.tensor(expected, dtype=torch.float32))
    assert (floats.shape, places.shape) == ((8, 1), (8, 0))


def test_the_median_stands_for_missing_numbers_and_a_flag_says_where():
    floats, _ = inputs(numbers(1, 2, np.nan, 4, 50, np.nan, np.nan, 3), numbers(*range(8), name="whole"))
    filled = np.array([1, 2, 3, 4, 50, 3])
    expected = (np.array([*filled, 3, 3]) - filled.mean()) / filled.std()
    torch.testing.assert_close(floats[:, 0], torch.tensor(expected, dtype=torch.float32))
    assert floats[:, 2].tolist() == [0, 0, 1, 0, 0, 1, 1, 0]  # of the first column; the other has no gaps
    assert floats.shape == (8, 3)


def test_a_gap_outside_the_training_rows_alone_has_no_flag():
    floats, _ = inputs(numbers(1, 2, 3, 4, 5, 6, np.nan))
    assert floats.shape == (7, 1)
    assert floats[6] == 0  # the median of these is their mean


def test_what_is_far_away_is_not_farther_than_that():
    floats, _ = inputs(numbers(1, 2, 1, 2, 1, 2, 1e300, -1e9))
    assert floats[6:, 0].tolist() == [FAR, -FAR]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-300, 1e200, 1e308])
def test_numbers_of_any_size_are_standardised(size):
    floats, _ = inputs(numbers(*(size * np.array([1, -1, 0.5, -0.5, 0.25, 1, -1.7]))))
    assert torch.isfinite(floats).all()
    assert float(floats[:6].std(correction=0)) == pytest.approx(1, rel=1e-5)


def test_names_have_places_and_seldom_ones_share_one():
    values = ("b", "a", "b", "a", "b", "a", "c", None, "b")
    _, places = inputs(Categories("x", values))
    assert places[:, 0].tolist() == [2, 1, 2, 1, 2, 1, 0, 0, 2]


def test_nothing_is_a_name_where_training_rows_have_it_often():
    _, preparation = fitted(Categories("x", (None, "a", None, "a", None, "a", "b")))
    assert preparation.levels[0].places == {MISSING: 1, "a": 2}
    assert preparation.levels[0].size == 3


def test_one_name_and_seldom_others_are_told_apart():
    _, preparation = fitted(Categories("x", ("a", "a", "a", "a", "a", "b")))
    assert preparation.levels[0].size == 2


@pytest.mark.parametrize(
    "column",
    [
        Categories("x", ("a", "a", "a", "a", "a", "a", "b")),
        Categories("x", ("a", "b", "c", "d", "e", "f", "f")),
        numbers(*[np.nan] * 6, 3),
        numbers(*[2] * 6, 3),
    ],
)
def test_what_training_rows_do_not_show_is_left_out(column):
    _, preparation = fitted(column)
    assert (preparation.scales, preparation.levels) == ((), ())
    assert [each.name for each in preparation.useless] == ["x"]


def test_a_constant_with_gaps_in_the_training_rows_is_its_flag():
    floats, _ = inputs(numbers(2, np.nan, 2, 2, np.nan, 2, 3))
    assert floats[:6, 0].tolist() == [0] * 6
    assert floats[:, 1].tolist() == [0, 1, 0, 0, 1, 0, 0]

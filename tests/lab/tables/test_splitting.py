import numpy as np
import pytest

from trimtab.lab.tables.splitting import split
from trimtab.lab.tables.target import Target


def numbers(rows):
    values = np.random.default_rng(0).lognormal(size=rows)
    return Target("y", np.arange(rows), values)


@pytest.mark.parametrize("rows", [50, 51, 442, 5000])
def test_parts_are_three_fifths_and_two_fifths_and_hold_every_row_once(rows):
    parts = split(numbers(rows), 0)
    assert [len(part) / rows for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=0.02)
    assert sorted(np.concatenate(parts)) == list(range(rows))
    assert all((np.diff(part) > 0).all() for part in parts)


def test_fifths_of_numbers_are_in_every_part_alike():
    target = numbers(500)
    bounds = np.quantile(target.values, [0.2, 0.4, 0.6, 0.8])
    for part in split(target, 0):
        shares = np.bincount(np.digitize(target.values[part], bounds), minlength=5) / len(part)
        assert shares == pytest.approx([0.2] * 5, abs=0.011)


@pytest.mark.parametrize("rare", [5, 6, 7, 11])
@pytest.mark.parametrize("rows", [50, 53, 58, 200])
def test_the_rarest_class_that_is_allowed_is_in_every_part(rows, rare):
    values = np.where(np.arange(rows) < rare, 1, 0)
    for part in split(Target("y", np.arange(rows), values, ("a", "b")), 0):
        assert set(values[part]) == {0, 1}


def test_as_many_classes_as_can_be():
    values = np.arange(60) % 12
    assert all(len(part) >= 12 for part in split(Target("y", np.arange(60), values, tuple("abcdefghijkl")), 0))


def test_ties_make_no_fifth_empty():
    values = np.where(np.arange(100) < 90, 0.0, np.arange(100.0))
    parts = split(Target("y", np.arange(100), values), 0)
    assert [sum(values[part] > 0) for part in parts] == pytest.approx([6, 2, 2], abs=2)


def test_a_seed_makes_a_split():
    first, again, other = (split(numbers(100), seed).test.tolist() for seed in (0, 0, 1))
    assert first == again != other

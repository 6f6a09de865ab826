import math
from dataclasses import replace

import pytest
import torch

from trimtab.primitives.gradient_statistics import GradientStatistics, of_means
from trimtab.schedule import (
    NoiseTest,
    augmented_test,
    coordinate_test,
    inner_product_test,
    norm_test,
    orthogonality_test,
)
from trimtab.schedule.adadagrad.adadagrad import FLOOR


def of(rows):
    return of_means([{"w": torch.tensor(row, dtype=torch.float64)} for row in rows], 1)


BY_HAND = of(((1.0, 0.0), (3.0, 0.0), (1.0, 2.0), (3.0, 2.0)))


def drawn(seed, count=9, size=40):
    generator = torch.Generator().manual_seed(seed)
    return of((0.3 + torch.randn(count, size, generator=generator, dtype=torch.float64)).tolist())


def test_the_norm_test_by_hand():
    assert norm_test(BY_HAND, 0.5) == pytest.approx(8 / 3 / 1.25)
    assert math.ceil(norm_test(BY_HAND, 0.5)) == 3
    assert norm_test(BY_HAND, 0.3) == pytest.approx(5.926, abs=1e-3)


def test_the_inner_product_test_by_hand():
    assert inner_product_test(BY_HAND, 0.2) == pytest.approx(20 / 3 / (0.04 * 25))
    assert math.ceil(inner_product_test(BY_HAND, 0.2)) == 7


def test_the_orthogonality_test_by_hand():
    assert orthogonality_test(BY_HAND, 0.2) == pytest.approx(4 / 3 / 0.2)
    assert math.ceil(orthogonality_test(BY_HAND, 0.2)) == 7


def test_the_coordinate_test_by_hand():
    assert coordinate_test(BY_HAND, 0.5) == pytest.approx(16 / 3)
    assert math.ceil(coordinate_test(BY_HAND, 0.5)) == 6
    assert coordinate_test(BY_HAND, 0.5, quantile=0.5) == pytest.approx(4 / 3)
    assert coordinate_test(BY_HAND, 0.5, by_tensor=True) == pytest.approx(norm_test(BY_HAND, 0.5))


def test_the_augmented_test_is_the_larger_of_two():
    assert augmented_test(BY_HAND, 0.2, 1.0) == inner_product_test(BY_HAND, 0.2)
    assert augmented_test(BY_HAND, 1.0, 0.2) == orthogonality_test(BY_HAND, 0.2)


@pytest.mark.parametrize("seed", range(5))
def test_the_tests_are_ordered(seed):
    found = drawn(seed)
    for share in (0.1, 0.5, 1.0):
        assert inner_product_test(found, share) <= norm_test(found, share)
        assert orthogonality_test(found, share) <= norm_test(found, share)
        assert coordinate_test(found, share) >= norm_test(found, share)


def test_the_bias_of_the_squared_norm_is_taken_away():
    expected = 8 / 3 / (0.25 * (5 - 8 / 3 / 4))
    assert norm_test(BY_HAND, 0.5, debias=True) == pytest.approx(expected)
    assert inner_product_test(BY_HAND, 0.2, debias=True) == pytest.approx(20 / 3 / (0.04 * (5 - 2 / 3) ** 2))
    assert orthogonality_test(BY_HAND, 0.2, debias=True) == pytest.approx(4 / 3 / (0.04 * (5 - 2 / 3)))
    assert coordinate_test(BY_HAND, 0.5, debias=True) == pytest.approx(4 / 3 / (0.25 * (1 - 1 / 3)))
    noise = of(((1.0, 0.0), (-1.0, 0.1)))
    assert norm_test(noise, 0.5) < math.inf
    assert norm_test(noise, 0.5, debias=True) == math.inf


def test_on_average_the_debiased_norm_is_right():
    generator = torch.Generator().manual_seed(0)
    truth = torch.full((20,), 0.5, dtype=torch.float64)
    plain, debiased = [], []
    for _ in range(400):
        found = of((truth + torch.randn(4, 20, generator=generator, dtype=torch.float64)).tolist())
        plain.append(found.squared_norm)
        debiased.append(found.squared_norm - found.variance / 4)
    assert sum(debiased) / 400 == pytest.approx(5, rel=0.1)
    assert sum(plain) / 400 == pytest.approx(10, rel=0.1)


EVERY = [NoiseTest(test) for test in ("norm", "inner_product", "orthogonality", "augmented", "coordinate")]


@pytest.mark.parametrize("test", EVERY, ids=lambda test: test.test)
def test_gradients_that_are_all_the_same_pass_in_any_batch(test):
    assert test(of([(1.0, 2.0)] * 4)) == 0
    assert test(of([(0.0, 0.0)] * 4)) == 0


@pytest.mark.parametrize("test", EVERY, ids=lambda test: test.test)
def test_gradients_that_are_not_finite_say_nothing(test):
    assert math.isnan(test(of([(1.0, math.nan), (0.0, 1.0)])))


def test_without_signal_there_is_no_batch_that_passes():
    nothing = of(((1.0, 0.0), (-1.0, 0.0)))
    assert norm_test(nothing, 0.5) == math.inf
    assert orthogonality_test(nothing, 0.5) == math.inf
    assert coordinate_test(nothing, 0.5) == math.inf
    # along a mean that is zero nothing varies
    assert inner_product_test(nothing, 0.5) == 0


def test_a_coordinate_without_signal_asks_for_as_much_as_the_floor_allows():
    found = of(((2.0, 1.0), (2.0, -1.0)))
    assert coordinate_test(found, 1.0) == pytest.approx(2 / (FLOOR * 4))
    assert coordinate_test(found, 1.0, quantile=0.5) == 0


@pytest.mark.parametrize("debias", [False, True])
@pytest.mark.parametrize("test", EVERY, ids=lambda test: test.test)
def test_the_unit_of_the_loss_does_not_matter(test, debias):
    test = replace(test, debias=debias)
    generator = torch.Generator().manual_seed(0)
    rows = 0.3 + torch.randn(9, 40, generator=generator)
    rows[:, 0] -= rows[:, 0].mean() - 1e-9  # nearly no signal: the floor decides

    def of_unit(exponent):
        return test(of_means([{"w": torch.ldexp(row, torch.tensor(exponent))} for row in rows], 1))

    one = of_unit(0)
    assert 0 < one < math.inf
    for exponent in (40, -40):
        assert of_unit(exponent) == one


def test_a_quantile_is_one_of_the_coordinates():
    found = drawn(0)
    quotients = (found.variances()["w"] / found.mean["w"].square()).sort().values
    for quantile, index in ((1.0, 39), (0.9, 35), (0.5, 19), (0.001, 0)):
        assert coordinate_test(found, 1.0, quantile=quantile) == pytest.approx(quotients[index].item())


def test_named_tests_are_the_functions():
    found = drawn(1)
    settings = {"eta": 0.3, "theta": 0.4, "nu": 0.6, "quantile": 0.8}
    for debias in (False, True):
        named = {test.test: NoiseTest(test.test, **settings, debias=debias)(found) for test in EVERY}
        assert named == {
            "norm": norm_test(found, 0.3, debias=debias),
            "inner_product": inner_product_test(found, 0.4, debias=debias),
            "orthogonality": orthogonality_test(found, 0.6, debias=debias),
            "augmented": augmented_test(found, 0.4, 0.6, debias=debias),
            "coordinate": coordinate_test(found, 0.3, quantile=0.8, debias=debias),
        }
    assert [test.needs_inner_products for test in EVERY] == [False, True, True, True, False]


def test_inner_products_are_asked_for():
    bare = GradientStatistics(4, BY_HAND.mean, BY_HAND.squared_deviations)
    assert norm_test(bare, 0.5) == norm_test(BY_HAND, 0.5)
    for test in EVERY:
        if test.needs_inner_products:
            with pytest.raises(ValueError, match="inner_products=True"):
                test(bare)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"test": "ip"}, ValueError, "test='ip' must be 'norm' or 'inner_product'"),
        ({"eta": 0.0}, ValueError, r"eta=0.0 must lie in \(0, inf\)"),
        ({"theta": -1.0}, ValueError, r"theta=-1.0 must lie in \(0, inf\)"),
        ({"nu": math.nan}, ValueError, r"nu=nan must lie in \(0, inf\)"),
        ({"quantile": 0}, ValueError, r"quantile=0 must lie in \(0, 1\]"),
        ({"quantile": 1.1}, ValueError, r"quantile=1.1 must lie in \(0, 1\]"),
        ({"debias": 1}, TypeError, "debias=1 must be True or False"),
        ({"eta": "0.1"}, TypeError, "eta='0.1' must be a number"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        NoiseTest(**settings)

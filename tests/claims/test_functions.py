"""Functions that claims on searches are about, by hand and by their known maxima."""

import math

import pytest
import torch

from trimtab.claims import functions


def unit(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_branins_and_hartmanns_maxima_are_where_they_are_known_to_be():
    branin, hartmann = functions.branin(2, 0), functions.hartmann(6, 0)
    minima = unit((math.pi, 2.275), (-math.pi, 12.275), (9.42478, 2.475))
    assert branin((minima - unit((-5, 0))) / 15).tolist() == pytest.approx([-0.397887] * 3, abs=1e-5)
    assert branin(unit((1 / 3, 0))).item() == pytest.approx(-(36 + 10 * (1 - 1 / (8 * math.pi)) + 10))  # at (0, 0)
    best = unit((0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573))
    assert hartmann(best).item() == pytest.approx(3.32237, abs=1e-5)


def test_a_polynomial_is_the_sum_of_products_of_settings_a_quarter_apart():
    function = functions.polynomial(8, 3)
    center = torch.randn(8, generator=torch.Generator().manual_seed(functions.derived(3, 0)), dtype=torch.float64)
    at = torch.linspace(0, 1, 8, dtype=torch.float64)
    x, c = at.tolist(), center.tolist()
    by_hand = sum(math.prod(x[2 * r + j] - c[2 * r + j] for r in range(4)) for j in range(2))
    assert function(at[None]).tolist() == pytest.approx([by_hand])
    assert function(center[None]).item() == 0
    assert not torch.equal(functions.polynomial(8, 4)(at[None]), function(at[None]))


def test_a_random_network_has_the_variance_of_its_prior():
    draws = torch.stack([functions.network(100, seed)(torch.full((2, 100), 0.5).double()) for seed in range(200)])
    # the second layer's units have a variance of nearly 257 before tanh, so that its squares are nearly 1
    assert draws[:, 0].var().item() == pytest.approx(1 + 256 * 0.95, rel=0.2)
    assert torch.equal(draws[:, 0], draws[:, 1])
    assert functions.network(3, 0)(torch.zeros(5, 3).double()).shape == (5,)


def test_a_function_is_not_made_of_the_numbers_that_scramble_the_first_points():
    assert len({1000, functions.derived(1000, 0), functions.derived(1000, 10), functions.derived(1001, 0)}) == 4


def test_quasi_random_points_are_the_same_however_many_are_asked_for():
    points = functions.quasi_random(3, 80, 1)
    assert torch.equal(functions.quasi_random(3, 40, 1), points[:40])
    assert points.dtype == torch.float64
    assert not torch.equal(functions.quasi_random(3, 80, 2), points)

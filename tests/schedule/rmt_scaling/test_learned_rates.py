"""What is learned of a spectrum, by hand and by running it."""

import math

import pytest
import torch

from trimtab.primitives.lanczos import Spectrum, lanczos
from trimtab.schedule.rmt_scaling.batch_curvature import product_rounding
from trimtab.schedule.rmt_scaling.learned_rates import learned_from

HUNDRED = torch.arange(1, 101, dtype=torch.float64)


def spectrum(*pairs):
    ritz, weights = (torch.tensor(each, dtype=torch.float64) for each in zip(*pairs, strict=True))
    return Spectrum(ritz, weights, 100)


def whole():
    start = torch.ones(100, dtype=torch.float64)
    return lanczos(lambda v: [HUNDRED * v[0]], [start], 100)


def test_heavy_ball_by_hand():
    found = learned_from(whole(), "heavy_ball")
    assert (found.largest, found.smallest) == (pytest.approx(100), pytest.approx(1))
    assert found.lr == pytest.approx(4 / 121)
    assert found.momentum == pytest.approx((9 / 11) ** 2)


def test_nesterov_and_plain_steps_by_hand():
    nesterov = learned_from(whole(), "nesterov")
    assert (nesterov.lr, nesterov.momentum) == (pytest.approx(0.01), pytest.approx(9 / 11))
    plain = learned_from(whole(), "sgd", "minimum")
    assert (plain.lr, plain.momentum) == (pytest.approx(2 / 101), 0)
    assert learned_from(whole(), "sgd", "median").lr == pytest.approx(2 / (100 + 50.5))


def contraction(variant, steps):
    """The factor a step by which the error of the whole quadratic shrinks at last."""
    found = learned_from(whole(), variant, "minimum")
    param = torch.nn.Parameter(torch.ones(100, dtype=torch.float64))
    optimizer = torch.optim.SGD(
        [param], lr=found.lr, momentum=found.momentum, nesterov=variant == "nesterov" and found.momentum > 0
    )
    norms = []
    for _ in range(steps):
        param.grad = HUNDRED * param.detach()
        optimizer.step()
        norms.append(float(param.detach().norm()))
    return (norms[-1] / norms[-51]) ** (1 / 50)


def test_heavy_ball_contracts_at_its_rate():
    assert contraction("heavy_ball", 300) == pytest.approx(9 / 11, abs=0.02)


def test_plain_steps_contract_at_their_rate():
    assert contraction("sgd", 300) == pytest.approx(99 / 101, abs=0.002)


def test_the_bulk_at_the_origin_is_no_smallest_curvature():
    found = learned_from(spectrum((1e-9, 0.9), (1.0, 0.06), (100.0, 0.04)))
    assert found.smallest == 1
    kept = learned_from(spectrum((0.5, 0.45), (1.0, 0.45), (100.0, 0.1)))
    assert kept.smallest == 0.5  # no value has more than half of the weight
    assert learned_from(spectrum((0.5, 0.45), (1.0, 0.45), (100.0, 0.1)), bulk=0.4).smallest == 100


def test_negative_curvature_bounds_the_step_and_is_no_speed():
    found = learned_from(spectrum((-200.0, 0.2), (-0.5, 0.2), (4.0, 0.2), (100.0, 0.4)))
    assert (found.largest, found.smallest) == (200, 4)


def test_the_median_is_of_sizes():
    assert learned_from(spectrum((-2.0, 0.2), (1.0, 0.3), (9.0, 0.5)), smallest="median").smallest == 2


def test_one_ritz_value_is_the_whole_curvature():
    for variant in ("sgd", "heavy_ball", "nesterov"):
        found = learned_from(spectrum((8.0, 1.0)), variant)
        assert (found.lr, found.momentum, found.largest, found.smallest) == (1 / 8, 0, 8, 8)


def test_another_batch_has_another_largest_curvature():
    found = learned_from(whole(), "nesterov", correction=lambda s: 2 * float(s.ritz[-1]))
    assert found.lr == pytest.approx(1 / 200)


@pytest.mark.parametrize("ritz", [-1.0, 0.0, 1e-310])
def test_there_may_be_nothing_to_learn(ritz):
    assert learned_from(spectrum((-3.0 if ritz < 0 else 0.0, 0.5), (ritz, 0.5))) is None


@pytest.mark.parametrize("variant", ["sgd", "heavy_ball", "nesterov"])
@pytest.mark.parametrize("exponent", [40, -40, 400, -400])
def test_the_unit_of_curvature_does_not_matter(variant, exponent):
    pairs = ((-3.0, 0.2), (0.01, 0.6), (2.0, 0.1), (8.0, 0.1))
    one = learned_from(spectrum(*pairs), variant)
    other = learned_from(spectrum(*((math.ldexp(ritz, exponent), weight) for ritz, weight in pairs)), variant)
    assert other.momentum == one.momentum
    assert other.lr == math.ldexp(one.lr, -exponent)


def test_positive_curvature_of_rounding_is_none():
    assert learned_from(spectrum((-3e5, 0.5), (1e-9, 0.5))) is None
    assert learned_from(spectrum((-3e5, 0.5), (1e-4, 0.5))) is not None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rounding_is_no_smallest_curvature_whatever_its_sign(sign):
    pairs = ((sign * 2e-5, 0.4), (1.0, 0.4), (100.0, 0.2))
    assert learned_from(spectrum(*pairs), rounding=1e-6).smallest == 1
    assert learned_from(spectrum((sign * 2e-14, 0.4), *pairs[1:])).smallest == 1
    assert learned_from(spectrum((-100.0, 0.5), (2e-5, 0.5)), rounding=1e-6) is None
    assert learned_from(spectrum((2e-5, 0.4), *pairs[1:]), rounding=1e-8).smallest == 2e-5


@pytest.mark.parametrize("seed", range(6))
def test_a_null_space_is_no_smallest_curvature(seed):
    eigenvalues = torch.cat([torch.zeros(30), torch.ones(40), 100 * torch.ones(30)]).double()
    turned, _ = torch.linalg.qr(torch.randn(100, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    matrix = (turned * eigenvalues) @ turned.T
    start = torch.randn(100, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for dtype in (torch.float64, torch.float32):
        own = matrix.to(dtype)
        found = lanczos(lambda v, own=own: [own @ v[0].to(own)], [start], 20)
        learned = learned_from(found, rounding=product_rounding([own]))
        assert learned.smallest == pytest.approx(1, rel=1e-4)


def test_smallest_may_not_exceed_a_corrected_largest():
    found = learned_from(spectrum((5.0, 0.5), (10.0, 0.5)), correction=lambda _: 2.0)
    assert (found.lr, found.momentum) == (pytest.approx(0.5), 0)
    assert math.isfinite(found.lr)

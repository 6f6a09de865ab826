"""The expected maximum of lines against quadrature, arithmetic of many digits, and a scan with a stack."""

import math

import mpmath
import numpy as np
import pytest
import torch

from trimtab.primitives.envelope import expected_gain


def lines(rows, count, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(scale * torch.randn(rows, count, generator=generator, dtype=torch.float64) for _ in range(2))


def row(*values):
    return torch.tensor(values, dtype=torch.float64)


def quadrature(a, b, points=400_001):
    z = np.linspace(-12, 12, points)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    highest = np.full(points, -np.inf)
    for intercept, slope in zip(a.tolist(), b.tolist(), strict=True):
        highest = np.maximum(highest, intercept + slope * z)
    return float(np.trapezoid((highest - a.max().item()) * density, z))


def by_stack(a, b):
    """The gain in 60 digits, by sorting lines by slope and popping what is nowhere highest."""
    with mpmath.workdps(60):
        order = sorted(
            {(mpmath.mpf(slope), mpmath.mpf(height)) for height, slope in zip(a.tolist(), b.tolist(), strict=True)}
        )
        stack, points = [], []
        for slope, height in order:
            if stack and stack[-1][0] == slope:
                stack.pop()
                points = points[: max(len(stack) - 1, 0)]
            while stack:
                point = (stack[-1][1] - height) / (slope - stack[-1][0])
                if points and point <= points[-1]:
                    stack.pop()
                    points.pop()
                else:
                    points.append(point)
                    break
            stack.append((slope, height))
        gain = mpmath.mpf(0)
        for (before, _), (after, _), point in zip(stack[:-1], stack[1:], points, strict=True):
            t = abs(point)
            gain += (after - before) * (mpmath.npdf(t) - t * mpmath.erfc(t / mpmath.sqrt(2)) / 2)
        return gain


@pytest.mark.parametrize("count", [2, 3, 7, 40])
def test_it_is_what_quadrature_finds(count):
    a, b = lines(3, count, seed=count)
    expected = [quadrature(*each) for each in zip(a, b, strict=True)]
    assert expected_gain(a, b).tolist() == pytest.approx(expected, rel=1e-7)
    assert expected_gain(a, b, log=True).exp().tolist() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1.0, 1e9, 1e150])
def test_it_scales_with_the_lines(scale):
    a, b = lines(20, 30)
    assert torch.allclose(expected_gain(scale * a, scale * b) / scale, expected_gain(a, b), rtol=1e-12, atol=0)
    logarithm = expected_gain(scale * a, scale * b, log=True) - math.log(scale)
    assert torch.allclose(logarithm, expected_gain(a, b, log=True), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("slopes", [1.0, 0.05, 1e-3, 1e-7])  # gains down to exp(-1e14)
def test_the_logarithm_agrees_with_sixty_digits(slopes):
    a, b = lines(8, 12, seed=3)
    b = b * slopes
    expected = [float(mpmath.log(by_stack(*each))) for each in zip(a, b, strict=True)]
    assert expected_gain(a, b, log=True).tolist() == pytest.approx(expected, rel=1e-13, abs=1e-13)
    assert expected_gain(a, b).tolist() == pytest.approx([math.exp(each) for each in expected], rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("distance", [0.0, 1e-9, 0.5, 5.0, 19.9, 20.1, 37.0, 1e3, 1e6, 1e100])
def test_two_lines_have_a_closed_form(distance):
    with mpmath.workdps(450):
        t = mpmath.mpf(distance)
        expected = mpmath.log(mpmath.npdf(t) - t * mpmath.erfc(t / mpmath.sqrt(2)) / 2)
    found = expected_gain(row(0.0, -distance), row(0.0, 1.0), log=True)
    assert float(found) == pytest.approx(float(expected), rel=1e-13)


def test_the_gradient_outlives_the_value():
    slope = row(1e-3).requires_grad_()
    lowest = row(-1.0)
    value = expected_gain(torch.cat([row(0.0), lowest]), torch.cat([row(0.0), slope]), log=True)
    (gradient,) = torch.autograd.grad(value, slope)
    assert expected_gain(torch.cat([row(0.0), lowest]), torch.cat([row(0.0), slope])) == 0
    with mpmath.workdps(60):
        loss = mpmath.npdf(1000) - 1000 * mpmath.erfc(1000 / mpmath.sqrt(2)) / 2
        by_hand = 1000 * mpmath.npdf(1000) / loss  # d/ds (s h(-1 / s)) = phi(1 / s)
    assert float(gradient) == pytest.approx(float(by_hand), rel=1e-11)


@pytest.mark.parametrize("log", [False, True])
def test_gradients_are_those_of_differences(log):
    a, b = (each.requires_grad_() for each in lines(2, 6, seed=5))
    function = lambda a, b: expected_gain(a, b, log=log)  # noqa: E731
    assert torch.autograd.gradcheck(function, (a, b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (row(0.7), row(2.0)),
        (row(0.7, 0.7, 0.7), row(2.0, 2.0, 2.0)),
        (row(0.7, 0.1), row(-2.0, -2.0)),
        (row(1e300, 0.0), row(0.0, 1e-10)),
    ],
    ids=["one line", "the same line", "parallel lines", "lines that meet nowhere"],
)
def test_where_nothing_can_be_gained(a, b):
    a.requires_grad_()
    assert expected_gain(a, b) == 0
    assert expected_gain(a, b, log=True) == -torch.inf
    for log in (False, True):
        (gradient,) = torch.autograd.grad(expected_gain(a, b, log=log), a)
        assert (gradient == 0).all()


def test_lines_that_coincide_or_are_parallel_and_lower_change_nothing():
    a, b = lines(6, 10)
    for log in (False, True):
        alone = expected_gain(a, b, log=log)
        assert torch.equal(expected_gain(torch.cat([a, a], -1), torch.cat([b, b], -1), log=log), alone)
        assert torch.equal(expected_gain(torch.cat([a - 1, a], -1), torch.cat([b, b], -1), log=log), alone)


def test_the_order_of_lines_does_not_matter():
    a, b = lines(6, 10)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(expected_gain(a[:, order], b[:, order]), expected_gain(a, b), rtol=1e-14, atol=0)


def test_lines_through_one_point_leave_the_outer_two():
    slopes = row(-2.0, -1.0, 0.5, 1.0, 3.0)
    gain = expected_gain(-1.5 * slopes, slopes)  # all are 0 at Z = 1.5: E max(-2 (Z - 1.5), 3 (Z - 1.5)) - 3
    assert float(gain) == pytest.approx(5 * float(mpmath.npdf(1.5) - 1.5 * mpmath.ncdf(-1.5)), rel=1e-14)


def test_lines_that_differ_by_rounding_errors_do_no_harm():
    a, b = lines(50, 6, seed=8)
    a, b = (
        torch.cat([a, 1 + a.amax(-1, keepdim=True)], -1),
        b * 0.1,
    )  # the last is highest, and gains go down to 1e-100 and less
    b = torch.cat([b, 0 * b[:, :1]], -1)
    a.requires_grad_()
    several = [torch.cat([each, each[:, :6], each[:, :6]], -1) for each in (a, b)]
    several[1] = several[1] * (1 + 1e-15 * torch.randn(19, generator=torch.Generator().manual_seed(2)).double())
    alone, together = expected_gain(a, b, log=True), expected_gain(*several, log=True)
    assert alone.min() < -230
    assert torch.allclose(together, alone, rtol=1e-11, atol=1e-11)
    gradients = [torch.autograd.grad(each.sum(), a)[0] for each in (alone, together)]
    assert torch.allclose(*gradients, rtol=1e-9, atol=1e-9)


def test_batches_are_broadcast_and_kept():
    a, b = lines(6, 4)
    assert expected_gain(a[0], b.reshape(2, 3, 4)).shape == (2, 3)
    assert torch.equal(
        expected_gain(a[0], b.reshape(2, 3, 4)).flatten(), torch.stack([expected_gain(a[0], each) for each in b])
    )
    assert expected_gain(a[:0], b[:0], log=True).shape == (0,)


def test_float32_stays_float32():
    a, b = (each.float() for each in lines(20, 30))
    found = expected_gain(a, b, log=True)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), expected_gain(a.double(), b.double(), log=True), atol=2e-5)


def test_what_is_not_finite_makes_its_row_nan_and_no_other():
    a, b = lines(3, 4)
    a[1, 2], b[2, 0] = torch.nan, torch.inf
    for log in (False, True):
        assert expected_gain(a, b, log=log).isnan().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (torch.zeros(2, dtype=torch.int64), torch.zeros(2), TypeError, r"intercepts is of type torch.int64"),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64), TypeError, "one type is needed"),
        (torch.zeros(2), torch.zeros(3), ValueError, "2 lines and slopes has 3"),
        (torch.zeros(4, 0), torch.zeros(4, 0), ValueError, "at least one line"),
        (torch.tensor(1.0), torch.zeros(1), ValueError, "at least one line"),
    ],
)
def test_bad_input_is_named(a, b, error, message):
    with pytest.raises(error, match=message):
        expected_gain(a, b)

"""A schedule in two numbers."""

import numpy as np
import pytest

from trimtab.schedule import fit_polynomial, refine_schedule
from trimtab.schedule.refined.polynomial import polynomial


@pytest.mark.parametrize(
    ("warmup", "power"), [(0.0, 1.0), (0.2, 0.9), (0.28, 1.0), (0.45, 0.8), (0.0, 1.5), (0.01, 3.0)]
)
@pytest.mark.parametrize("steps", [200, 3000])
def test_the_shapes_of_the_paper_are_found_again(warmup, power, steps):
    found = fit_polynomial(polynomial(steps, warmup, power))
    assert found.warmup == pytest.approx(warmup, abs=0.005)
    assert found.power == pytest.approx(power, rel=0.02)
    assert found.error < 0.01


def test_constant_norms_need_no_warm_up_and_the_first_power():
    found = fit_polynomial(refine_schedule(np.ones(300)))
    assert (found.warmup, found.power) == pytest.approx((0.0, 1.0), abs=1e-3)
    assert found.error < 1e-4


def test_what_no_polynomial_describes_has_a_large_error():
    wavy = np.abs(np.sin(np.linspace(0.01, 20, 400)))
    assert fit_polynomial(wavy / wavy.max()).error > 0.2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"schedule\[0\]=-1.0"):
        fit_polynomial([-1.0, 0.0])
    with pytest.raises(ValueError, match=r"schedule has shape \(1,\)"):
        fit_polynomial([1.0])

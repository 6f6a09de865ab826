import math

import pytest
import torch

from trimtab.primitives.norms import norm_of, norms


def test_norms_of_several_types():
    assert norm_of([]) == 0
    assert norm_of([torch.tensor([3.0]), torch.tensor([[4.0]])]) == 5
    assert norm_of([torch.tensor([1e-3], dtype=torch.float64), torch.tensor([1.0])]) == pytest.approx(
        math.sqrt(1 + 1e-6), rel=1e-15
    )
    assert norm_of([torch.full((4,), 200.0, dtype=torch.float16)]) == 400  # its square is beyond float16


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        (torch.float32, 1e20),  # its square is beyond float32
        (torch.float32, 1e-30),
        (torch.bfloat16, 1e38),
        (torch.float64, 1e200),
        (torch.float64, 1e-200),
    ],
)
def test_sizes_whose_squares_the_format_does_not_hold(dtype, size):
    values = torch.tensor([3.0, -4.0], dtype=torch.float64).mul(size / 5).to(dtype)
    exact = 5 * math.hypot(*(values.double() / 5).tolist())
    assert norm_of([values]) == pytest.approx(exact, rel=1e-6)
    assert exact == pytest.approx(size, rel=1e-2)


def test_what_has_no_size_and_what_is_not_finite():
    assert norms([torch.zeros(3), torch.zeros(0), torch.tensor([math.inf, 1.0])]).tolist() == [0.0, 0.0, math.inf]
    assert math.isnan(norm_of([torch.tensor([math.nan, 1e30])]))

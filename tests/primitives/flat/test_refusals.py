import math

import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief
from trimtab.primitives.flat.chunks import SMALL

pytestmark = pytest.mark.usefixtures("each_mode")


def model(dtype=torch.float32):
    shapes = {"table": (SMALL, 2), "bias": (3,), "gain": (), "kernel": (4, 5)}
    params = {name: nn.Parameter(torch.ones(shape, dtype=dtype)) for name, shape in shapes.items()}
    for param in params.values():
        param.grad = torch.full_like(param, 3e38 if dtype is not torch.float16 else 6e4)
    return params


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["table", "bias", "gain"])
def test_a_non_finite_gradient_is_named_and_nothing_is_written(name, value):
    params = model()
    groups = [
        {"params": [(key, params[key]) for key in ("kernel", "table")]},
        {"params": [(key, params[key]) for key in ("bias", "gain")]},
    ]
    optimizer = AdaBelief(groups, lr=0.1, check_finite=True)
    params[name].grad.view(-1)[-1] = value
    with pytest.raises(RuntimeError, match=f"the gradient of parameter '{name}' is not finite; nothing was written"):
        optimizer.step()
    assert all((param == 1).all() for param in params.values())
    assert not optimizer.state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_large_gradients_are_finite(dtype):
    params = model(dtype)
    AdaBelief(params.values(), check_finite=True).step()


def test_without_the_check_the_step_is_taken():
    params = model()
    params["bias"].grad[0] = math.nan
    optimizer = AdaBelief(params.values())
    optimizer.step()
    assert params["bias"][0].isnan()


def test_a_frozen_parameter_of_another_type_is_refused_when_it_moves():
    real, turning = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, dtype=torch.complex64), requires_grad=False)
    whole = nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False)
    optimizer = AdaBelief([{"params": [("real", real)]}, {"params": [("turning", turning), ("whole", whole)]}], lr=0.1)
    real.grad = torch.ones(3)
    optimizer.step()
    assert (real < 1).all()
    before = real.detach().clone()
    turning.requires_grad_(True)
    turning.grad = torch.ones_like(turning)
    with pytest.raises(TypeError, match=r"AdaBelief moves real .*, and parameter 'turning' is torch.complex64"):
        optimizer.step()
    assert torch.equal(real, before)
    assert turning.eq(1).all()
    with pytest.raises(TypeError, match=r"parameter 'turning' is torch.complex64"):
        AdaBelief([("turning", turning)])

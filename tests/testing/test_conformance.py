"""The suite for third parties: run on all of our own optimizers, and on two of torch's to say where those differ."""

from typing import ClassVar

import pytest
import torch

from trimtab.catalog.entries import of_slot
from trimtab.optim import AdaBelief, AdaHessian, Lamb, Muon
from trimtab.primitives.wrapping import lent_gradients
from trimtab.testing import OptimizerConformance

# What these are shown is not what they need, or they have settings to be tried: their suites are below, and in their
# own test files.
APART = ("adagradnorm", "adahessian", "clipped_adam", "sso")

EXACT = sorted(key for key, each in of_slot("optimizer").items() if each.kind == "method" and key not in APART)


@pytest.mark.parametrize("key", EXACT)
def test_of_ours_a_tensor_as_rate_does_the_same_to_the_last_bit(key):
    ends = []
    for rate in (2.0**-7, torch.tensor(2.0**-7)):
        generator = torch.Generator().manual_seed(0)
        params = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (5,))]
        optimizer = of_slot("optimizer")[key].load()(params, lr=rate)
        for _ in range(3):
            for param in params:
                param.grad = torch.randn(param.shape, generator=generator)
            optimizer.step()
        ends.append(params)
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


LONG_FIRST_STEP = {"first_momentum[betas]": "each moment corrects the other, and the gradient is added to the momentum"}

for entry in of_slot("optimizer").values():
    if entry.kind == "method" and entry.key not in APART:
        name = f"Test{entry.public[1]}"
        excepted = {"exceptions": LONG_FIRST_STEP} if entry.key == "exadam" else {}
        globals()[name] = type(name, (OptimizerConformance,), {"optimizer": entry.load(), **excepted})


class GraphedAdaHessian(AdaHessian):
    """Takes gradients, which the suite gives without a graph, for those of a parabola with curvature 2."""

    def read_beside_gradients(self, grads):
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        curvature = 2 * (getattr(self, "grad_scale", None) or 1)  # of the loss as it was scaled
        with torch.enable_grad():
            graphed = [p.grad.detach() + curvature * (p - p.detach()) for p in params]
        with lent_gradients(params, graphed):
            return super().read_beside_gradients(grads)


CURVATURE_FIRST = {
    "numbers": "of a parabola, whose curvature is the same everywhere, one sample tells as much as another",
    "grad_scaler[unscaled_and_clipped]": "accumulate_curvature() has to be called before unscale_",
}


class TestAdaHessian(OptimizerConformance):
    optimizer = GraphedAdaHessian
    exceptions = CURVATURE_FIRST


class TestAdaHessianNowAndThen(OptimizerConformance):
    optimizer = GraphedAdaHessian
    settings: ClassVar = {"every": 2}
    exceptions = CURVATURE_FIRST


class TestCompiled(OptimizerConformance):
    optimizer = AdaBelief
    settings: ClassVar = {"compile": True}
    test_flags = test_numbers = None  # a rule is compiled for each setting, which takes seconds


class TestCompiledNorms(OptimizerConformance):
    optimizer = Lamb
    settings: ClassVar = {"compile": True}
    test_flags = test_numbers = None


class TestMuon(OptimizerConformance):
    optimizer = Muon
    shapes = ((3, 4), (5, 2), (2, 3))
    exceptions: ClassVar = dict.fromkeys(
        ("shape[0-d]", "shape[length-1]", "shape[empty]", "layout", "sparse_gradients"),
        "shows parameters that are no matrices, and does not say so",
    ) | {"numbers": "eps is AdamW's, for parameters that are no matrices"}


# Exceptions are strict: these are all that torch's own optimizers fail, and they do fail every one.
OF_TORCH = {
    "tensor_lr_not_aliased": "groups, defaults and the caller share one tensor",
    "callers_groups_not_aliased": "defaults are written to the caller's dict",
    "saved_state_not_aliased": "state_dict() returns the tensors that the next step writes to",
    "loaded_state_not_aliased": "loaded tensors of the right type are not copied",
    # Ranges are checked in __init__, of the defaults only.
    "refuses_in_group": "settings of groups are not checked",
    "refuses_later": "settings of groups are not checked",
}


class TestSGD(OptimizerConformance):
    optimizer = torch.optim.SGD
    settings: ClassVar = {"momentum": 0.9}
    exceptions: ClassVar = {
        **OF_TORCH,
        "refuses[lr=nan]": "compared by < 0, which NaN is not",
        "refuses[momentum=nan]": "compared by < 0, which NaN is not",
        "refuses[weight_decay=nan]": "compared by < 0, which NaN is not",
    }
    test_new_process = None  # a new process takes seconds, and torch has tests of its own


class TestAdamW(OptimizerConformance):
    optimizer = torch.optim.AdamW
    exceptions: ClassVar = {
        **OF_TORCH,
        "distributed_state[flattened-unused]": "what had no state is loaded as empty dictionaries",
    }
    test_new_process = None

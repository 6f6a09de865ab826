"""Checks of parameters and gradients that are not what most are: of any size, frozen, lazy, without values, twice."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    REFUSALS,
    Suite,
    give,
    gradients,
    parameters,
    require_close,
    require_moved,
    require_same,
    values,
)

SIZES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "1e20": lambda grad: grad * 1e20,
    "1e30": lambda grad: grad * 1e30,
    "1e-30": lambda grad: grad * 1e-30,
    "zero": torch.zeros_like,
    "mixed": lambda grad: grad * torch.logspace(-30, 30, max(grad.numel(), 1))[: grad.numel()].view(grad.shape),
    "once": lambda grad: grad * 1e30,
}


def rounded_otherwise(grad: Tensor) -> Tensor:
    """Returns a gradient whose elements are off by as little as another order of sums would make them."""
    return grad * (1 + torch.finfo(grad.dtype).eps * torch.arange(grad.numel()).remainder(3).view(grad.shape))


def by_name(error: Exception, *words: str) -> bool:
    """Returns whether an error is about one of some words, and not torch's of what cannot be read of a tensor."""
    said = str(error).lower()
    return any(word in said for word in words) and not said.startswith(("can't access", "tensor.item()"))


class ExtremeChecks(Suite):
    """What is unusual works as with ``torch.optim``, or is refused by name."""

    @pytest.mark.parametrize("size", SIZES)
    def test_gradient_size(self, size: str) -> None:
        """Finite gradients of any size leave finite parameters, or are refused by name with nothing written."""
        params = parameters(self.shapes)
        optimizer = self.make(params, **self.decay())
        for step in range(4):
            for param, grad in zip(params, give(params, step), strict=True):
                param.grad = grad if size == "once" and step != 1 else SIZES[size](grad)
            before = values(params)
            try:
                optimizer.step()
            except REFUSALS as error:
                require("finite" in str(error), f"gradients of size {size} are refused without saying so: {error}")
                require_same(params, before, "a refused step wrote to a parameter")
            finite = all(bool(param.isfinite().all()) for param in params)
            require(finite, f"finite gradients of size {size} made a parameter infinite or NaN at step {step + 1}")

    def test_zero_gradients(self) -> None:
        """The first step with zero gradients and without weight decay moves nothing."""
        params = parameters(self.shapes)
        before = values(params)
        optimizer = self.make(params, **self.no_decay())
        for grad in give(params):
            grad.zero_()
        optimizer.step()
        require_same(params, before, "a step with zero gradients moved a parameter")

    def test_expanded_gradients(self) -> None:
        """A gradient whose elements share memory, as that of a sum, counts like one of its own."""
        ends = []
        for form in (torch.Tensor.clone, rounded_otherwise, lambda grad: grad):
            params = parameters(self.shapes)
            optimizer = self.make(params)
            for step in range(3):
                for param in params:
                    param.grad = form(torch.tensor(0.5 + step).expand(param.shape))
                optimizer.step()
            ends.append(params)
            if len(ends) == 2 and not all(torch.allclose(a, b, rtol=1e-4) for a, b in zip(*ends, strict=True)):
                pytest.skip("where all elements of a gradient are the same, rounding alone decides where a step goes")
        require_close(ends[2], ends[0], "an expanded gradient moves a parameter differently")

    def test_expanded_parameter(self) -> None:
        """A parameter whose elements share memory is refused, and nothing is written."""
        param, steps = nn.Parameter(torch.ones(4, 1).expand(4, 3)), 1 + self.resting()
        try:
            optimizer = self.make([param])
            param.grad = torch.ones(4, 3)
            for _ in range(steps):
                optimizer.step()
        except REFUSALS as error:
            require("memory" in str(error), f"an expanded parameter is refused without saying so: {error}")
            require(bool((param == 1).all()), "a refused step wrote to a parameter")
        else:
            require(False, "a parameter whose elements share memory was accepted")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.uint8, torch.bool, torch.complex64], ids=str)
    def test_frozen_parameters(self, dtype: torch.dtype) -> None:
        """Frozen parameters of any type stay as they are beside others, and are saved with them."""
        params = parameters(self.shapes)
        frozen = nn.Parameter(torch.ones(4, 3).to(dtype), requires_grad=False)
        optimizer = self.make([*params, frozen], **self.decay())
        follow(optimizer, params, gradients(params, 2))
        optimizer.load_state_dict(optimizer.state_dict())
        follow(optimizer, params, gradients(params, 1, 2))
        require_same(params, self.run(self.decay()), f"a frozen {dtype} parameter changed the others' steps")
        require(bool((frozen == 1).all()), f"a frozen {dtype} parameter was moved")
        if dtype == torch.float32:
            frozen.requires_grad_()
            frozen.grad = torch.ones_like(frozen)
            for _ in range(1 + self.resting()):
                optimizer.step()
            require_moved([frozen], [torch.ones_like(frozen)], "a step after it was unfrozen")

    def test_lazy_parameters(self) -> None:
        """A parameter that its layer makes at the first batch moves after that, or is refused by name."""
        params = parameters(self.shapes)
        lazy = nn.UninitializedParameter()
        try:
            optimizer = self.make([*params, lazy])
        except REFUSALS as error:
            require(by_name(error, "lazy", "uninitialized"), f"a lazy parameter is refused without saying so: {error}")
            return
        lazy.materialize((4, 3))
        with torch.no_grad():
            lazy.fill_(0.5)
        every = [*params, lazy]
        before = values(every)
        follow(optimizer, every, gradients(every, 2 + self.resting()))
        require_moved(every, before, "beside a lazy parameter")

    def test_meta_parameters(self) -> None:
        """On the meta device, which holds no values, a step does nothing, or is refused by name."""
        params = [nn.Parameter(torch.empty(shape, device="meta")) for shape in self.shapes]
        try:
            optimizer = self.make(params)
            for param in params:
                param.grad = torch.empty_like(param)
            optimizer.step()
        except REFUSALS as error:
            require(by_name(error, "meta"), f"on the meta device a step fails, and is not refused: {error}")

    def test_duplicate_in_a_group(self) -> None:
        """A parameter that a group has twice is warned of, as torch does, and moves; or it is refused."""
        params = parameters(self.shapes)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                optimizer = self.make([*params, params[0]])
            except ValueError as error:
                require("param" in str(error), f"a parameter twice in a group is refused without saying so: {error}")
                return
        require(any("duplicate" in str(each.message) for each in caught), "a parameter was accepted twice in silence")
        before = values(params)
        follow(optimizer, params, gradients(params, 2 + self.resting()))
        require_moved(params, before, "a step with a parameter that a group has twice")

    def test_group_without_parameters(self) -> None:
        """A group without parameters, also the first one, changes nothing for the others, saving included."""
        params = parameters(self.shapes)
        groups: list[dict[str, Any]] = [{"params": []}, {"params": params}, {"params": []}]
        optimizer = self.make(groups)
        follow(optimizer, params, gradients(params, 2))
        other = self.make([dict(group) for group in groups])
        other.load_state_dict(deepcopy(optimizer.state_dict()))
        follow(other, params, gradients(params, 1, 2))
        require_same(params, self.run(), "a group without parameters changed the others' steps")

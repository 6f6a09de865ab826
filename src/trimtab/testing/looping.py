"""Checks of what a loop does between ``backward`` and ``step``: a step applies what is made of the gradients there."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import Suite, gradients, parameters, require_same, values

Backward: TypeAlias = Callable[[int], None]
"""Adds the gradients of one micro-batch, which it is given the number of."""


def _clip_by_norm(params: Sequence[Tensor], backward: Backward) -> None:
    backward(0)
    norm = torch.linalg.vector_norm(torch.cat([param.grad.flatten() for param in params if param.grad is not None]))
    told = clip_grad_norm_(params, 0.5)
    require(torch.isclose(told, norm), f"clip_grad_norm_ found a norm of {told.item()} instead of {norm.item()}")


def _clip_by_value(params: Sequence[Tensor], backward: Backward) -> None:
    backward(0)
    clip_grad_value_(params, 0.5)


def _clip_with_norm(params: Sequence[Tensor], backward: Backward) -> None:
    backward(0)
    clip_grads_with_norm_(params, 0.5, get_total_norm([param.grad for param in params if param.grad is not None]))


def _scale_in_place(params: Sequence[Tensor], backward: Backward) -> None:
    backward(0)
    for param in params:
        if param.grad is not None:
            param.grad.mul_(0.5)


def _replace(params: Sequence[Tensor], backward: Backward) -> None:
    backward(0)
    for param in params:
        param.grad = None if param.grad is None else param.grad * 0.5


def _drop(params: Sequence[Tensor], backward: Backward) -> None:
    backward(0)
    params[0].grad = None


def _hook(params: Sequence[Tensor], backward: Backward) -> None:
    untyped: Sequence[Any] = params  # torch has no types for hooks
    handles = [param.register_hook(lambda grad: grad * 0.5) for param in untyped]
    backward(0)
    for handle in handles:
        handle.remove()


def _hook_afterwards(params: Sequence[Tensor], backward: Backward) -> None:
    def halve(param: Tensor) -> None:
        if param.grad is not None:
            param.grad.mul_(0.5)

    untyped: Sequence[Any] = params
    handles = [param.register_post_accumulate_grad_hook(halve) for param in untyped]
    backward(0)
    for handle in handles:
        handle.remove()


def _accumulate(_: Sequence[Tensor], backward: Backward) -> None:
    for batch in range(3):
        backward(batch)


LOOPS: dict[str, Callable[[Sequence[Tensor], Backward], None]] = {
    "clip_grad_norm": _clip_by_norm,
    "clip_grad_value": _clip_by_value,
    "clip_grads_with_norm": _clip_with_norm,
    "in_place": _scale_in_place,
    "replaced": _replace,
    "dropped": _drop,
    "hook": _hook,
    "post_accumulate_hook": _hook_afterwards,
    "accumulation": _accumulate,
}


def _add_gradients(params: Sequence[Tensor], step: int, batch: int) -> None:
    """Runs a backward pass whose gradients are known."""
    grads = gradients(params, 1, 10 * step + batch)[0]
    with torch.enable_grad():
        products = [(param * grad).sum() for param, grad in zip(params, grads, strict=True) if grad is not None]
        torch.stack(products).sum().backward()  # type: ignore[no-untyped-call]  # torch has no types


class LoopChecks(Suite):
    """Whatever a loop does with gradients is seen by the loop itself, and by the step."""

    @pytest.mark.parametrize("name", LOOPS)
    def test_between_backward_and_step(self, name: str) -> None:
        """A step applies gradients as clipping, hooks or accumulation leave them, and they are there after it."""
        params, plainly = parameters(self.shapes), parameters(self.shapes)
        optimizer, other = self.make(params), self.make(plainly)
        for step in range(3):
            # The same loop with parameters that no optimizer knows
            free = [nn.Parameter(value) for value in values(params)]
            LOOPS[name](free, partial(_add_gradients, free, step))
            expected = [param.grad for param in free]
            optimizer.zero_grad(set_to_none=step % 2 == 0)
            LOOPS[name](params, partial(_add_gradients, params, step))
            for when in ("before", "after"):
                for param, grad in zip(params, expected, strict=True):
                    found = param.grad
                    same = found is None if grad is None else found is not None and torch.equal(found, grad)
                    if not same:  # tensors take longer to be written than to be compared
                        require(False, f"{when} the step a gradient is {found} instead of {grad}")
                if when == "before":
                    optimizer.step()
            follow(other, plainly, [expected])
        require_same(params, plainly, f"{name}: a step differs from one with the gradients that the loop left")

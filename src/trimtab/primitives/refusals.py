"""What an update rule refuses to step with, in words that name the parameter."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch._utils import _flatten_dense_tensors

from trimtab.primitives.chunks import SMALL
from trimtab.primitives.hyperparameters import FLOATING_DTYPES
from trimtab.primitives.kernel import compiled_alone
from trimtab.primitives.layout import flat, is_dense

Group: TypeAlias = Mapping[str, Any]
Finite: TypeAlias = Callable[[Tensor], Tensor]


def refuse_other_types(group: Group, owner: str) -> None:
    """Checks that the parameters are real floating-point numbers.

    Raises:
        TypeError: one is not.
    """
    for index, param in enumerate(group["params"]):
        if param.dtype not in FLOATING_DTYPES:
            name = parameter_name(group, index)
            raise TypeError(f"{owner} moves real floating-point parameters, and {name} is {param.dtype}")


def refuse_sparse_gradients(group: Group, owner: str) -> None:
    """Checks that the gradients are dense.

    Raises:
        RuntimeError: one is not.
    """
    for index, param in enumerate(group["params"]):
        grad = param.grad
        if grad is not None and grad.layout is not torch.strided:
            name = parameter_name(group, index)
            raise RuntimeError(
                f"{owner} needs dense gradients, and that of {name} is sparse: make the layer with sparse=False"
            )


def refuse_non_finite_gradients(groups: Sequence[Group]) -> None:
    """Checks that no gradient holds an infinity or a NaN.

    Raises:
        RuntimeError: one does.
    """
    # One answer for all of them, for on an accelerator each question costs a wait.
    answers = [_finite(group["compile"], grads.dtype)(grads) for group in groups for grads in _gathered(group)]
    if all(bool(torch.stack(each).all()) for each in _by_device(answers)):
        return
    for group in groups:
        for index, param in enumerate(group["params"]):
            if param.grad is not None and not param.grad.isfinite().all():
                raise RuntimeError(f"the gradient of {parameter_name(group, index)} is not finite; nothing was written")


def parameter_name(group: Group, index: int) -> str:
    """Returns what to call a parameter in a message."""
    names = group.get("param_names")
    return f"parameter {names[index]!r}" if names else f"parameter {index} of its group"


def _gathered(group: Group) -> Iterator[Float[Tensor, " n"]]:
    """Yields the gradients as flat memory, small ones side by side."""
    small: dict[object, list[Tensor]] = defaultdict(list)
    for param in group["params"]:
        if param.grad is None:
            continue
        if param.grad.numel() >= SMALL and is_dense(param.grad):
            yield flat(param.grad.detach())
        else:
            small[param.grad.device, param.grad.dtype].append(param.grad.detach())
    for alike in small.values():
        yield _flatten_dense_tensors(alike)  # type: ignore[no-untyped-call]  # torch has no types


def _by_device(answers: Sequence[Tensor]) -> list[list[Tensor]]:
    devices: dict[torch.device, list[Tensor]] = defaultdict(list)
    for answer in answers:
        devices[answer.device].append(answer)
    return list(devices.values())


def all_finite(values: Float[Tensor, " n"]) -> Bool[Tensor, ""]:
    """Returns whether there is neither an infinity nor a NaN; compiled, this is one pass."""
    return values.isfinite().all()


def all_finite_eagerly(values: Float[Tensor, " n"]) -> Bool[Tensor, ""]:
    """Returns the same several times as fast where operations run one by one."""
    # The difference of two infinities is NaN, and so is every sum with a NaN in it; a sum of zeros is zero.
    return (values - values).sum() == 0


@cache
def _finite(compiled: bool, _dtype: torch.dtype) -> Finite:
    if not compiled:
        return all_finite_eagerly
    function: Finite = compiled_alone(all_finite)
    # The length 1 would be a graph of its own.
    return lambda values: function(values) if len(values) > 1 else all_finite_eagerly(values)

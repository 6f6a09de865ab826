"""What an update rule refuses to step with, in words that name the parameter."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch._utils import _flatten_dense_tensors
from torch.nn.parameter import is_lazy

from trimtab.primitives.flat.chunks import SMALL
from trimtab.primitives.flat.compiling import EXAMPLE_LENGTH, compiled_flat
from trimtab.primitives.hyperparameters import FLOATING_DTYPES
from trimtab.primitives.layout import flat, is_dense
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.sharding import Shards, local, shards_of

Group: TypeAlias = Mapping[str, Any]
Finite: TypeAlias = Callable[[Tensor], Tensor]

REMEDY_FOR_COMPLEX = (
    "hold it as real numbers, of which the model takes torch.view_as_complex, or give it an optimizer of its own, such "
    "as torch.optim.AdamW"
)


def moves(param: Tensor) -> bool:
    """Returns whether a step may move a parameter; a frozen one stays, until it is unfrozen."""
    return param.requires_grad or param.grad is not None


def refuse_other_types(group: Group, owner: str) -> None:
    """Checks that the parameters which move are real floating-point numbers.

    Frozen ones of other types, such as a quantised layer's whole numbers, stay where they are.

    Raises:
        TypeError: one is not.
    """
    for index, param in enumerate(group["params"]):
        if moves(param) and param.dtype not in FLOATING_DTYPES:
            name = parameter_name(group, index)
            remedy = f"; {REMEDY_FOR_COMPLEX}" if param.is_complex() else ""
            raise TypeError(f"{owner} moves real floating-point parameters, and {name} is {param.dtype}{remedy}")


def refuse_shared_elements(group: Group, owner: str) -> None:
    """Checks that no two elements of a parameter are one number in memory, as in what ``expand`` returns.

    Raises:
        ValueError: some are.
    """
    for index, param in enumerate(group["params"]):
        if is_lazy(param) or param.layout is not torch.strided:
            continue
        if any(size > 1 and not step for size, step in zip(param.shape, param.stride(), strict=True)):
            raise ValueError(
                f"{owner} moves every element by itself, and those of {parameter_name(group, index)} share memory: its "
                f"shape {tuple(param.shape)} comes of expand(); make the parameter of a clone() of it"
            )


def refuse_sparse_gradients(group: Group, grads: Sequence[Tensor | None], owner: str) -> None:
    """Checks that the gradients are dense.

    Raises:
        RuntimeError: one is not.
    """
    # At every step, for hundreds of parameters: most of the time this is all.
    if {grad.layout for grad in grads if grad is not None} <= {torch.strided}:
        return
    for index, grad in enumerate(grads):
        if grad is not None and grad.layout is not torch.strided:
            name = parameter_name(group, index)
            raise RuntimeError(
                f"{owner} needs dense gradients, and that of {name} is sparse: make the layer with sparse=False"
            )


def refuse_unreadable_gradients(groups: Sequence[Group], owner: str) -> None:
    """Checks that the gradients of all groups are dense, real, and there to be looked at.

    Raises:
        RuntimeError: one is sparse, or on the meta device.
        TypeError: one is complex.
    """
    for group in groups:
        grads = [param.grad for param in group["params"]]
        refuse_sparse_gradients(group, grads, owner)
        refuse_gradients_without_values(group, grads, owner)
        for index, grad in enumerate(grads):
            if grad is not None and grad.is_complex():
                name = parameter_name(group, index)
                raise TypeError(
                    f"{owner} needs real gradients, and that of {name} is {grad.dtype}; {REMEDY_FOR_COMPLEX}"
                )


def refuse_gradients_without_values(group: Group, grads: Sequence[Tensor | None], owner: str) -> None:
    """Checks that there are numbers to look at.

    Raises:
        RuntimeError: a gradient is on the meta device.
    """
    for index, grad in enumerate(grads):
        if grad is not None and grad.is_meta:
            raise RuntimeError(
                f"{owner} looks at the values of gradients, and {parameter_name(group, index)} is on the meta device, "
                "which holds none: move the model to a real one by to_empty() before the first step"
            )


def refuse_non_finite_gradients(groups: Sequence[Group]) -> None:
    """Checks that no gradient holds an infinity or a NaN, on this process or on any that shares a parameter.

    Raises:
        RuntimeError: one does.
    """
    flags: dict[tuple[torch.device, Shards | None], list[Tensor]] = defaultdict(list)
    for group in groups:
        for shards, grads in _gathered(group):
            flags[grads.device, shards].append(_finite(group["compile"], grads.device, grads.dtype)(grads))
    # One answer for all of them, for on an accelerator each question costs a wait.
    wrong = [_wrong(torch.stack(each), shards).any() for (_, shards), each in flags.items()]
    if not any(wrong):
        return
    for group in groups:
        for index, param in enumerate(group["params"]):
            if param.grad is None:
                continue
            finite = local(param.grad).isfinite().all().reshape(1)
            if _wrong(finite, shards_of(param.grad)).any():
                raise RuntimeError(f"the gradient of {parameter_name(group, index)} is not finite; nothing was written")


def _gathered(group: Group) -> Iterator[tuple[Shards | None, Float[Tensor, " n"]]]:
    """Yields the gradients as flat memory, small ones side by side."""
    small: dict[Any, list[Tensor]] = defaultdict(list)
    for param in group["params"]:
        if param.grad is None:
            continue
        shards, grad = shards_of(param.grad), local(param.grad.detach())
        if param.numel() >= SMALL and is_dense(grad):
            yield shards, flat(grad)
        else:
            small[shards, grad.device, grad.dtype].append(grad)
    for (shards, *_), alike in small.items():
        yield shards, _flatten_dense_tensors(alike)  # type: ignore[no-untyped-call]  # torch has no types


def _wrong(finite: Bool[Tensor, " n"], shards: Shards | None) -> Float[Tensor, " n"]:
    """Returns how many processes found something that is not finite."""
    wrong = (~finite).float()
    return wrong if shards is None else shards.total(wrong)


def all_finite(values: Float[Tensor, " n"]) -> Bool[Tensor, ""]:
    """Returns whether there is neither an infinity nor a NaN; compiled, this is one pass."""
    return values.isfinite().all()


def all_finite_eagerly(values: Float[Tensor, " n"]) -> Bool[Tensor, ""]:
    """Returns the same several times as fast where operations run one by one."""
    # The difference of two infinities is NaN, and so is every sum with a NaN in it; a sum of zeros is zero.
    return (values - values).sum() == 0


@cache
def _finite(compiled: bool, device: torch.device, dtype: torch.dtype) -> Finite:
    if not compiled:
        return all_finite_eagerly
    artifact = compiled_flat(
        lambda values: (all_finite(values),), [torch.ones(EXAMPLE_LENGTH, dtype=dtype, device=device)]
    )
    return lambda values: artifact(values)[0] if len(values) > 1 else all_finite_eagerly(values)

"""An update rule as a function of flat memory, compiled once for memory of any length.

The function works in place on one-dimensional tensors. It reads a parameter, its gradient and its state once and
writes what changes once, whatever the rule computes in between: a step costs what its bytes cost.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import unwrap
from types import FunctionType
from typing import Any, Literal, Protocol, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.layout import working_dtype
from trimtab.primitives.watching import Sums

WeightDecay: TypeAlias = Literal["decoupled", "fixed", "coupled", "direction"]
Numbers: TypeAlias = "Sequence[float] | Sequence[Float[Tensor, '']]"
Flat: TypeAlias = Float[Tensor, " n"]
Scalar: TypeAlias = Float[Tensor, ""]
Factor: TypeAlias = "Float[Tensor, ' n'] | Float[Tensor, ''] | None"

ENGINE_NUMBERS = ("lr", "shrink", "decay")
"""What the engine itself needs to know, ahead of the rule's own scalars."""

_serial = itertools.count()


class Kernel(Protocol):
    """A function of flat memory that returns the sums it was asked for."""

    def __call__(self, *args: Any) -> Sums:
        """Reads and writes flat memory."""


@dataclass(frozen=True)
class Recipe:
    """All that shapes the code of a rule's kernels, as opposed to the numbers that are passed to them.

    Args:
        direction: the rule.
        scalar_names: what the rule takes besides tensors, in the order in which the numbers are passed.
        weight_decay: how weights decay.
        maximize: climb instead of descend.
        watched: return the squared norms of gradient, weight and update.
        compiled: by ``torch.compile``, or run operation by operation.
    """

    direction: Callable[..., tuple[Tensor, ...]]
    scalar_names: tuple[str, ...]
    weight_decay: WeightDecay
    maximize: bool
    watched: bool
    compiled: bool

    def numbers(self, own: Mapping[str, float], scalars: Mapping[str, float], device: torch.device) -> Numbers:
        """Returns all numbers of a step, as the kernels take them.

        A compiled kernel gets them as tensors, so that a schedule changes no code; in float64, because in float32
        ``1 - beta`` has lost four digits before it is used; each alone, because the length of a vector would be taken
        to mean that of the memory where the two happen to be equal.
        """
        values = [own[name] for name in ENGINE_NUMBERS] + [scalars[name] for name in self.scalar_names]
        if not self.compiled:
            return values
        return [torch.tensor(value, dtype=torch.float64, device=device) for value in values]

    def update(self, param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, factor: Factor) -> Sums:
        """Moves a parameter and renews its states, with the gradient times ``factor``."""
        return self._kernel(updating, param, grad, states, factor)(param, grad, states, numbers, factor)

    def propose(self, param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, out: Flat) -> Sums:
        """Renews the states, writes the direction to ``out``, and returns the norms of parameter and direction."""
        return self._kernel(proposing, param, grad, states, None)(param, grad, states, numbers, out)

    def apply(self, param: Flat, direction: Flat, numbers: Numbers, factor: Factor) -> Sums:
        """Moves a parameter in a direction times ``factor``."""
        return self._kernel(applying, param, direction, (), factor)(param, direction, numbers, factor)

    def _kernel(
        self, build: Callable[["Recipe"], Kernel], param: Flat, other: Flat, states: Sequence[Flat], factor: Factor
    ) -> Kernel:
        compiled = self.compiled and param.numel() > 1  # the length 1 would be a graph of its own
        signature = (
            param.dtype,
            other.dtype,
            *(state.dtype for state in states),
            None if factor is None else factor.ndim,
        )
        return _built(build, self, signature if compiled else None)


def updating(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.update`."""

    def update(param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, factor: Factor) -> Sums:
        own, scalars = _named(recipe, numbers)
        value = param.to(working_dtype(param.dtype))
        direction, *renewed = _followed(recipe, value, grad, states, factor=factor, decay=own["decay"], scalars=scalars)
        moved = _moved(value, direction, own)
        # Before anything is written, for the value may be the parameter's own memory.
        sums = (_square(grad.to(value.dtype)), _square(value), _square(moved - value)) if recipe.watched else ()
        # The parameter first: a rule may return a state as its direction.
        param.copy_(moved)
        _store(states, renewed)
        return sums

    return cast(Kernel, update)


def proposing(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.propose`."""

    def propose(param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, out: Flat) -> Sums:
        own, scalars = _named(recipe, numbers)
        value = param.to(working_dtype(param.dtype))
        direction, *renewed = _followed(recipe, value, grad, states, factor=None, decay=own["decay"], scalars=scalars)
        out.copy_(direction)
        _store(states, renewed)
        return _square(value).sqrt(), _square(direction).sqrt()

    return cast(Kernel, propose)


def applying(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.apply`."""

    def apply(param: Flat, direction: Flat, numbers: Numbers, factor: Tensor) -> Sums:
        own, _ = _named(recipe, numbers)
        value = param.to(working_dtype(param.dtype))
        moved = _moved(value, direction * factor, own)
        sums = (_square(value), _square(moved - value)) if recipe.watched else ()
        param.copy_(moved)
        return sums

    return cast(Kernel, apply)


def _named(recipe: Recipe, numbers: Numbers) -> tuple[dict[str, Any], dict[str, Any]]:
    own = len(ENGINE_NUMBERS)
    named = dict(zip(recipe.scalar_names, numbers[own:], strict=True))
    return dict(zip(ENGINE_NUMBERS, numbers[:own], strict=True)), named


def _followed(
    recipe: Recipe,
    value: Flat,
    grad: Flat,
    states: Sequence[Flat],
    *,
    factor: Factor,
    decay: Any,
    scalars: dict[str, Any],
) -> tuple[Flat, ...]:
    grad = grad.to(value.dtype)
    if recipe.maximize:
        grad = -grad
    if recipe.weight_decay == "coupled":
        grad = grad + decay * value
    if factor is not None:
        grad = grad * factor
    direction, *renewed = recipe.direction(grad, *(state.to(value.dtype) for state in states), **scalars)
    if recipe.weight_decay == "direction":
        direction = direction + decay * value
    return direction, *renewed


def _moved(value: Flat, direction: Flat, own: dict[str, Any]) -> Flat:
    moved: Tensor = value * own["shrink"] - own["lr"] * direction
    return moved


def _store(states: Sequence[Flat], renewed: Sequence[Flat]) -> None:
    for state, new in zip(states, renewed, strict=True):
        state.copy_(new)


def _square(values: Flat) -> Scalar:
    return values.square().sum()


@cache
def _built(build: Callable[[Recipe], Kernel], recipe: Recipe, signature: tuple[object, ...] | None) -> Kernel:
    function = build(recipe)
    return function if signature is None else compiled_alone(cast(FunctionType, function))


def compiled_alone(function: FunctionType | Callable[..., Any]) -> Any:
    """Compiles a function of flat memory so that its graphs count for nobody else.

    Dynamo allows eight graphs for each code object, and falls back to slow execution, or fails, at the ninth. All
    functions that one ``def`` makes share their code object; so each gets a copy.
    """
    plain = cast(FunctionType, function)
    code = plain.__code__.replace(co_name=f"{plain.__name__}_{next(_serial)}")
    own = FunctionType(code, plain.__globals__, code.co_name, plain.__defaults__, plain.__closure__)
    return torch.compile(own, dynamic=True, fullgraph=True)


def rule_of(optimizer: type) -> Callable[..., tuple[Tensor, ...]]:
    """Returns a rule's direction as it was written; a checker of shapes around it could not be compiled."""
    return cast("Callable[..., tuple[Tensor, ...]]", unwrap(optimizer.direction))  # type: ignore[attr-defined]

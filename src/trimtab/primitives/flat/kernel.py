"""An update rule as a function of flat memory, compiled once for memory of any length.

The function works in place on one-dimensional tensors. It reads a parameter, its gradient and its state once and
writes what changes once, whatever the rule computes in between: a step costs what its bytes cost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import unwrap
from typing import Any, Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.flat.compiling import EXAMPLE_LENGTH, compiled_flat
from trimtab.primitives.flat.watching import Sums
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.rounding import stochastically_rounded

WeightDecay: TypeAlias = Literal["decoupled", "fixed", "coupled", "direction"]
Numbers: TypeAlias = "Sequence[float] | Float[Tensor, ' numbers']"
Flat: TypeAlias = Float[Tensor, " n"]
Scalar: TypeAlias = Float[Tensor, ""]
Factor: TypeAlias = "Float[Tensor, ' n'] | Float[Tensor, '']"

Kernel: TypeAlias = Callable[..., Sums]
"""Called with a parameter, a second memory, the states, the numbers, and at most one thing more."""

ENGINE_NUMBERS = ("lr", "shrink", "decay", "noise")
"""What the engine itself needs to know, ahead of the rule's own scalars."""


@dataclass(frozen=True)
class Recipe:
    """All that shapes the code of a rule's kernels, as opposed to the numbers that are passed to them.

    Args:
        direction: the rule.
        scalar_names: what the rule takes besides tensors, in the order in which the numbers are passed.
        weight_decay: how weights decay.
        maximize: climb instead of descend.
        watched: return the squared norms of gradient, weight and update.
        rounded: what is stored in bfloat16 is rounded stochastically.
        compiled: made into one kernel, or run operation by operation.
        read_only: how many of the states the rule reads and does not renew; they are the last.
    """

    direction: Callable[..., tuple[Tensor, ...]]
    scalar_names: tuple[str, ...]
    weight_decay: WeightDecay
    maximize: bool
    watched: bool
    rounded: bool
    compiled: bool
    read_only: int = 0

    def numbers(self, own: Mapping[str, float], scalars: Mapping[str, float], device: torch.device) -> Numbers:
        """Returns all numbers of a step, as the kernels take them.

        A compiled kernel gets them as a tensor, so that a schedule changes no code; in float64, because in float32
        ``1 - beta`` has lost four digits before it is used.
        """
        values = [own[name] for name in ENGINE_NUMBERS] + [scalars[name] for name in self.scalar_names]
        return torch.tensor(values, dtype=torch.float64, device=device) if self.compiled else values

    def update(self, param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, *factor: Factor) -> Sums:
        """Moves a parameter and renews its states, with the gradient times ``factor`` if there is one."""
        return self._kernel(updating, param, grad, states, factor)(param, grad, states, numbers, *factor)

    def measure_decayed(self, param: Flat, grad: Flat, numbers: Numbers) -> Sums:
        """Returns the squared norms of a parameter and of its gradient with weight decay."""
        return self._kernel(measuring_decayed, param, grad, (), ())(param, grad, (), numbers)

    def propose(self, param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, out: Flat) -> Sums:
        """Renews the states, writes the direction to ``out``, and returns the squares of parameter and direction."""
        return self._kernel(proposing, param, grad, states, (out,))(param, grad, states, numbers, out)

    def apply(self, param: Flat, direction: Flat, numbers: Numbers, factor: Factor) -> Sums:
        """Moves a parameter in a direction times ``factor``."""
        return self._kernel(applying, param, direction, (), (factor,))(param, direction, (), numbers, factor)

    def _kernel(
        self,
        build: Callable[["Recipe"], Kernel],
        param: Flat,
        other: Flat,
        states: Sequence[Flat],
        more: Sequence[Tensor],
    ) -> Kernel:
        if not self.compiled or len(param) < 2:  # a compiler takes the lengths 0 and 1 for special cases
            return _eager(build, self)
        kinds = (param.device, param.dtype, other.dtype, *(state.dtype for state in states))
        return _compiled(build, self, kinds, tuple((each.dtype, each.ndim) for each in more))


def updating(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.update`."""

    def update(param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, *factor: Factor) -> Sums:
        own = _own(numbers)
        value = param.to(working_dtype(param.dtype))
        signed = _signed(recipe, value, grad, own)
        direction, *renewed = _followed(recipe, value, signed * factor[0] if factor else signed, states, numbers)
        moved = _moved(value, direction, own)
        # Before anything is written, for the value may be the parameter's own memory.
        sums = (_square(grad.to(value.dtype)), _square(value), _square(moved - value)) if recipe.watched else ()
        # The parameter first: a rule may return a state as its direction.
        _write(recipe, [param, *_renewable(recipe, states)], [moved, *renewed], own)
        return sums

    return update


def measuring_decayed(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.measure_decayed`."""

    def measure(param: Flat, grad: Flat, _states: Sequence[Flat], numbers: Numbers, *_: Any) -> Sums:
        value = param.to(working_dtype(param.dtype))
        return _square(value), _square(_signed(recipe, value, grad, _own(numbers)))

    return measure


def proposing(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.propose`."""

    def propose(param: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers, *out: Flat) -> Sums:
        own = _own(numbers)
        value = param.to(working_dtype(param.dtype))
        signed = _signed(recipe, value, grad, own)
        direction, *renewed = _followed(recipe, value, signed, states, numbers)
        sums = _square(value), _square(direction)
        out[0].copy_(direction)
        _write(recipe, _renewable(recipe, states), renewed, own, first=1)
        return sums

    return propose


def applying(recipe: Recipe) -> Kernel:
    """Returns the kernel of :meth:`Recipe.apply`."""

    def apply(param: Flat, direction: Flat, _states: Sequence[Flat], numbers: Numbers, *factor: Factor) -> Sums:
        own = _own(numbers)
        value = param.to(working_dtype(param.dtype))
        moved = _moved(value, direction * factor[0], own)
        sums = (_square(value), _square(moved - value)) if recipe.watched else ()
        _write(recipe, [param], [moved], own)
        return sums

    return apply


def _own(numbers: Numbers) -> dict[str, Any]:
    return {name: numbers[index] for index, name in enumerate(ENGINE_NUMBERS)}


def _signed(recipe: Recipe, value: Flat, grad: Flat, own: Mapping[str, Any]) -> Flat:
    """Returns the gradient that a rule sees: of a minimisation, and with coupled weight decay."""
    grad = grad.to(value.dtype)
    if recipe.maximize:
        grad = -grad
    return grad + own["decay"] * value if recipe.weight_decay == "coupled" else grad


def _followed(recipe: Recipe, value: Flat, grad: Flat, states: Sequence[Flat], numbers: Numbers) -> tuple[Flat, ...]:
    scalars = {name: numbers[index] for index, name in enumerate(recipe.scalar_names, start=len(ENGINE_NUMBERS))}
    direction, *renewed = recipe.direction(grad, *(state.to(value.dtype) for state in states), **scalars)
    if recipe.weight_decay == "direction":
        direction = direction + _own(numbers)["decay"] * value
    return direction, *renewed


def _moved(value: Flat, direction: Flat, own: Mapping[str, Any]) -> Flat:
    moved: Tensor = value * own["shrink"] - own["lr"] * direction
    return moved


def _renewable(recipe: Recipe, states: Sequence[Flat]) -> Sequence[Flat]:
    return states[: len(states) - recipe.read_only]


def _write(
    recipe: Recipe, stored: Sequence[Flat], values: Sequence[Flat], own: Mapping[str, Any], *, first: int = 0
) -> None:
    for stream, (memory, value) in enumerate(zip(stored, values, strict=True), start=first):
        stochastic = recipe.rounded and memory.dtype == torch.bfloat16
        memory.copy_(stochastically_rounded(value, own["noise"], stream) if stochastic else value)


def _square(values: Flat) -> Scalar:
    return values.square().sum()


@cache
def _eager(build: Callable[[Recipe], Kernel], recipe: Recipe) -> Kernel:
    return build(recipe)


@cache
def _compiled(
    build: Callable[[Recipe], Kernel],
    recipe: Recipe,
    kinds: tuple[Any, ...],
    more: tuple[tuple[torch.dtype, int], ...],
) -> Kernel:
    device, *dtypes = kinds
    kernel, after_states = build(recipe), len(dtypes)

    def memory(dtype: torch.dtype, ndim: int = 1) -> Tensor:
        return torch.ones((EXAMPLE_LENGTH,) * ndim, dtype=dtype, device=device)

    def flat(*args: Tensor) -> Sums:
        return kernel(args[0], args[1], args[2:after_states], args[after_states], *args[after_states + 1 :])

    numbers = torch.ones(len(ENGINE_NUMBERS) + len(recipe.scalar_names), dtype=torch.float64, device=device)
    artifact = compiled_flat(flat, [*map(memory, dtypes), numbers, *(memory(dtype, ndim) for dtype, ndim in more)])

    def call(param: Flat, other: Flat, states: Sequence[Flat], numbers: Numbers, *more: Any) -> Sums:
        return cast(Sums, artifact(param, other, *states, numbers, *more))

    return call


def rule_of(direction: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    """Returns a rule's direction as it was written; a checker of shapes around it could not be compiled."""
    return cast("Callable[..., tuple[Tensor, ...]]", unwrap(direction))

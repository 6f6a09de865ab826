"""One step of one chunk: memory in, norms where a rule asks for them, the rule's kernels, memory out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.flat.chunks import Chunk, Flat
from trimtab.primitives.flat.kernel import Numbers, Recipe
from trimtab.primitives.flat.watching import Sums
from trimtab.primitives.layout import working_dtype

Norms: TypeAlias = Float[Tensor, "..."]
Norm = TypeVar("Norm", Norms, float)
"""Of several parameters, or of one on a CPU, where arithmetic with tensors of one element costs more than it says."""
Memory: TypeAlias = tuple[Flat, Flat, Sequence[Flat]]


@dataclass(frozen=True)
class NormScaling:
    """Scales the step of each parameter by a function of two of its norms.

    Args:
        of: what is scaled, and whose norm counts beside the weight's: the ``"gradient"`` or the ``"decayed gradient"``
            before the rule sees it, or the rule's ``"direction"``. The gradient is scaled together with its coupled
            weight decay, whichever of the two is measured.
        factor: called with the norm of the weight and the other norm, and by keyword with ``weight_decay`` and the
            rule's scalars; returns the factor. Norms are tensors with an element for each parameter, or numbers of one
            parameter.
        applies: says for a parameter whether it is scaled.
    """

    of: Literal["gradient", "decayed gradient", "direction"]
    factor: Callable[..., Any]
    applies: Callable[[Tensor], bool]


def norm_ratio(weight_norm: Norm, other_norm: Norm) -> Norm:
    """Returns the quotient of two norms, and one where either of them is zero."""
    if isinstance(weight_norm, float):
        return weight_norm / other_norm if weight_norm > 0 and other_norm > 0 else 1.0
    ratio = weight_norm / other_norm
    return torch.where((weight_norm > 0) & (other_norm > 0), ratio, torch.ones_like(ratio))


class Scratch:
    """Memory that chunks use one after the other, and that is kept: new memory costs as much as a pass over it."""

    def __init__(self) -> None:
        self._memory: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, values: Flat, dtype: torch.dtype) -> Flat:
        """Returns memory of the same length, with anything in it."""
        key = values.device, dtype
        if key not in self._memory or len(self._memory[key]) < len(values):
            self._memory[key] = torch.empty(len(values), dtype=dtype, device=values.device)
        return self._memory[key][: len(values)]


@dataclass(frozen=True)
class Walk:
    """How the chunks of a group take the step of a certain number.

    Args:
        recipe: the rule.
        own: the engine's numbers.
        scalars: the rule's numbers.
        scaling: by norms, or None.
        scratch: for directions that wait for their norm.
    """

    recipe: Recipe
    own: Mapping[str, float]
    scalars: Mapping[str, float]
    scaling: NormScaling | None
    scratch: Scratch
    _numbers: dict[tuple[torch.device, float], Numbers] = field(default_factory=dict)

    def __call__(
        self, chunk: Chunk, grads: Sequence[Tensor], inputs: Sequence[Sequence[Tensor]] = (), noise: float = 0.0
    ) -> Sums:
        """Takes a step with the parameters of a chunk; returns the sums of squares of a watched one.

        Args:
            chunk: the parameters.
            grads: the gradients of all parameters of the plan.
            inputs: what the rule reads beside gradients and states, each for all parameters of the plan.
            noise: key of the noise of stochastic rounding.
        """
        param, grad, states = chunk.load(grads)
        memory = param, grad, [*states, *map(chunk.gathered, inputs)]
        scaled = self._scaled(chunk)
        # A process whose pieces are empty still takes part in the others' sums.
        if not (len(memory[0]) or (chunk.shards is not None and (scaled or self.recipe.watched))):
            return ()
        numbers = self._numbers_on(memory[0].device, noise)
        if scaled is None:
            sums = self.recipe.update(*memory, numbers)
        elif scaled.of == "direction":
            sums = self._scale_direction(chunk, memory, numbers, scaled)
        else:
            sums = self._scale_gradient(chunk, memory, numbers, scaled)
        chunk.store()
        return tuple(chunk.total(torch.stack(sums)).unbind()) if sums else ()

    def _numbers_on(self, device: torch.device, noise: float) -> Numbers:
        if (device, noise) not in self._numbers:
            self._numbers[device, noise] = self.recipe.numbers({**self.own, "noise": noise}, self.scalars, device)
        return self._numbers[device, noise]

    def _scaled(self, chunk: Chunk) -> NormScaling | None:
        return self.scaling if self.scaling is not None and chunk.chosen(self.scaling.applies).any else None

    def _scale_direction(self, chunk: Chunk, memory: Memory, numbers: Numbers, scaling: NormScaling) -> Sums:
        param, grad, states = memory
        direction = self.scratch.like(param, working_dtype(param.dtype))
        squares = self.recipe.propose(param, grad, states, numbers, direction)
        if len(chunk.params) > 1:
            squares = chunk.squares(param), chunk.squares(direction)
        sums = self.recipe.apply(param, direction, numbers, self._factor(chunk, squares, scaling))
        return (grad.to(direction.dtype).square().sum(), *sums) if self.recipe.watched else ()

    def _scale_gradient(self, chunk: Chunk, memory: Memory, numbers: Numbers, scaling: NormScaling) -> Sums:
        param, grad, states = memory
        if scaling.of == "gradient":  # torch's own norms are faster than a compiled sum, which guards against rounding
            squares: Sums = (chunk.squares(param), chunk.squares(grad))
        elif len(chunk.params) == 1:
            squares = self.recipe.measure_decayed(param, grad, numbers)
        else:
            squares = (chunk.squares(param), chunk.squares(self._decayed(param, grad)))
        return self.recipe.update(param, grad, states, numbers, self._factor(chunk, squares, scaling))

    def _factor(self, chunk: Chunk, squares: Sums, scaling: NormScaling) -> Norms:
        total = chunk.total(torch.stack(squares))
        if total.ndim == 1 and total.device.type == "cpu":
            weight_norm, other_norm = map(math.sqrt, total.tolist())
            factor = scaling.factor(weight_norm, other_norm, weight_decay=self.own["decay"], **self.scalars)
            return torch.tensor(factor, dtype=total.dtype)
        factor = scaling.factor(*total.sqrt().unbind(), weight_decay=self.own["decay"], **self.scalars)
        chosen = chunk.chosen(scaling.applies)
        if not chosen.all:
            factor = torch.where(chosen.each, factor, torch.ones_like(factor))
        return chunk.spread(factor)

    def _decayed(self, param: Flat, grad: Flat) -> Flat:
        value = param.to(working_dtype(param.dtype))
        return (-grad if self.recipe.maximize else grad) + self.own["decay"] * value

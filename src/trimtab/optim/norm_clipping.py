"""Clipping of gradients by their norms: of all together (Pascanu et al., 2013), or unit by unit (Brock et al., 2021).

Adapts   the length of the gradient.
Signal   its norm, or that of each unit's weights.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from trimtab.primitives.flat.refusals import refuse_unreadable_gradients
from trimtab.primitives.hyperparameters import POSITIVE, optional
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.norms import norms
from trimtab.primitives.sharding import shards_of
from trimtab.primitives.wrapping import OptimizerWrapper, evaluated, lent_gradients, step_inside
from trimtab.study.tunable import Tunables

Clipped = list[tuple[Tensor, Tensor]]
"""Parameters, and the gradients that the step is to see."""


class _Clip(OptimizerWrapper):
    """A wrapper that shows the optimizer inside other gradients; those in ``.grad`` stay as they are."""

    tunables: ClassVar[Tunables] = {}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes one step of the inner optimizer with clipped gradients.

        Args:
            closure: computes the loss and its gradients; called once, with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse, has no values, or is divided over processes. Nothing was written.
            TypeError: a gradient is complex. Nothing was written.
        """
        loss = evaluated(closure)
        own = [self._own(group) for group in self.param_groups]
        refuse_unreadable_gradients(self.param_groups, type(self).__name__)
        with torch.no_grad():
            pairs = self._clipped(own)
            with lent_gradients([param for param, _ in pairs], [grad for _, grad in pairs]):
                step_inside(self.inner)
        return loss

    def _clipped(self, own: Sequence[dict[str, Any]]) -> Clipped:
        """Returns what the optimizer inside is shown, where that is not the gradient; a subclass says how."""
        raise NotImplementedError

    def _with_gradients(self) -> list[list[tuple[Tensor, Tensor]]]:
        """Returns for each group the parameters that have gradients, and these."""
        found = [[(p, p.grad) for p in group["params"] if p.grad is not None] for group in self.param_groups]
        if any(shards_of(param) is not None for each in found for param, _ in each):
            raise RuntimeError(
                f"{type(self).__name__} needs whole gradients, and parameters are divided over processes (FSDP2): call "
                "torch.nn.utils.clip_grad_norm_ before the step instead"
            )
        return found


class NormClip(_Clip):
    r"""Clips the norm of all gradients together, as ``torch.nn.utils.clip_grad_norm_`` does.

    .. math:: g \leftarrow g \min\!\Big(1, \frac{c}{\lVert g\rVert + 10^{-6}}\Big)

    Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063. The direction stays.

    Differences: the gradient that other code sees in ``.grad`` stays unclipped.

    Warning:
        Around an optimizer whose steps do not depend on the gradient's length (Lion, Signum, Muon, LARS), no step is
        shortened; it only changes how much one gradient weighs against the momentum. Around Adam, one long gradient
        weighs less in both averages.

    Args:
        optimizer: the optimizer.
        max_norm: :math:`c > 0`. Where groups differ, each has its own, and the norm is that of all.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``max_norm`` is outside its range.
    """

    prefix = "clip_norm"
    hyperparameters: ClassVar = {"max_norm": POSITIVE}

    def __init__(self, optimizer: Optimizer, max_norm: float = 1.0) -> None:
        super().__init__(optimizer, max_norm=max_norm)

    def _clipped(self, own: Sequence[dict[str, Any]]) -> Clipped:
        found = self._with_gradients()
        grads = [grad for each in found for _, grad in each]
        total = math.hypot(*norms(grads).tolist()) if grads else 0.0
        pairs: Clipped = []
        for settings, each in zip(own, found, strict=True):
            factor = settings["max_norm"] / (total + 1e-6)
            if factor < 1 or math.isnan(factor):
                pairs += [(param, grad * factor) for param, grad in each]
        return pairs


class AdaptiveClip(_Clip):
    r"""Clips the gradient of each unit by the norm of the unit's weights.

    .. math:: G_i \leftarrow G_i \min\!\Big(1, \lambda\,
        \frac{\max(\lVert W_i\rVert, \epsilon)}{\lVert G_i\rVert}\Big)

    Adaptive gradient clipping, Brock, De, Smith & Simonyan (2021), arXiv:2102.06171. A unit is what an output of a
    layer is computed with: a row of a matrix, the kernels of an output channel; a vector is one as a whole.

    Differences:
        * The weights of a transposed convolution lie the other way, which tensors do not tell: a unit of them is the
          kernels of an input channel.
        * The paper leaves the last layer alone; a list of parameters does not tell which it is: give its group
          ``agc_clipping=None``.
        * The gradient that other code sees in ``.grad`` stays unclipped.

    Args:
        optimizer: the optimizer.
        clipping: :math:`\lambda > 0`; None leaves a group alone. The default is the paper's for batches of 4,096; small
            batches bear more.
        eps: :math:`\epsilon > 0`, so that weights that are zero can move.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """

    prefix = "agc"
    hyperparameters: ClassVar = {"clipping": optional(POSITIVE), "eps": POSITIVE}

    def __init__(self, optimizer: Optimizer, clipping: float | None = 0.01, *, eps: float = 1e-3) -> None:
        super().__init__(optimizer, clipping=clipping, eps=eps)

    def _clipped(self, own: Sequence[dict[str, Any]]) -> Clipped:
        return [
            (param, _clipped_by_unit(param, grad, settings["clipping"], settings["eps"]))
            for settings, each in zip(own, self._with_gradients(), strict=True)
            for param, grad in each
            if settings["clipping"] is not None
        ]


def _clipped_by_unit(param: Tensor, grad: Tensor, clipping: float, eps: float) -> Tensor:
    dtype = working_dtype(grad.dtype)
    most, norm = clipping * unit_norms(param.to(dtype)).clamp(min=eps), unit_norms(grad.to(dtype))
    factor = torch.where(norm > most, most / norm, torch.ones_like(norm))
    return grad * factor.to(grad.dtype)


def unit_norms(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Returns the norm of each unit, in a shape that multiplies the values: over all axes but the first, if there are.

    The first axis is that of a layer's outputs, except in transposed convolutions, where it is that of its inputs.

    Args:
        values: weights or gradients.
    """
    found: Tensor = torch.linalg.vector_norm(values)
    if values.ndim > 1:
        found = torch.linalg.vector_norm(values, dim=tuple(range(1, values.ndim)), keepdim=True)
    return found

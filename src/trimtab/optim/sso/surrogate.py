"""The quadratic in a model's outputs that SSO minimises in the loss's place, and how it does so."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from trimtab.optim.sso.armijo import ArmijoGradientDescent
from trimtab.optim.sso.target_loss import Answer, Forward, NonFiniteError, Outputs
from trimtab.primitives.flat.refusals import refuse_sparse_gradients
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.norms import norm_of
from trimtab.primitives.wrapping import step_inside


class Surrogate:
    r"""The quadratic that is minimised in the loss's place, as a closure for optimizers of the parameters.

    .. math:: \frac{1}{n} \sum_i \Big[ \langle G_i, f_i(\theta) - z_i\rangle
        + \frac{1}{2\eta} \lVert f_i(\theta) - z_i\rVert^2 \Big]

    It is zero at the parameters that gave :math:`z`, where its gradient is the mean loss's.

    Args:
        forward: computes the outputs.
        params: what it is differentiated by.
        outputs: of the parameters as they are, with their graph, which the first evaluation uses up.
        answer: the gradient at them.
        eta: the target step.

    Attributes:
        passes: how often outputs were computed, the ones given included.
        value: what :meth:`look` saw last.
        norm: of the gradient, likewise.
    """

    value: float
    norm: float

    def __init__(
        self, forward: Forward, params: Sequence[Tensor], outputs: Outputs, answer: Answer, eta: float
    ) -> None:
        self._forward, self._params, self._eta = forward, params, eta
        self._fresh: Outputs | None = outputs
        self._squared = answer.squared
        self._precision = working_dtype(outputs.dtype)
        self._target = answer.outputs.to(self._precision, copy=True)  # a model may return its parameters
        self._gradient = answer.gradient.to(self._precision)
        self._known: Tensor | None = None
        self.passes = 1

    def __call__(self, backward: bool = True) -> Float[Tensor, ""]:
        """Returns the surrogate, and with ``backward`` sets the gradients of the parameters."""
        if backward and self._known is not None:  # just evaluated, and nothing has moved
            value, self._known = self._known, None
            return value
        return self._evaluated(backward)

    def look(self) -> None:
        """Evaluates the surrogate and sets the gradients; the next call, which is an optimizer's first, knows them.

        Raises:
            RuntimeError: a gradient is sparse.
        """
        self._known = self._evaluated(backward=True)
        self.value = float(self._known)
        grads = [param.grad for param in self._params]
        refuse_sparse_gradients({"params": self._params}, grads, "SSO")
        self.norm = norm_of([grad for grad in grads if grad is not None])

    def longest_step(self, sufficient_decrease: float) -> float:
        r"""Returns the longest step along the gradient that could pass Armijo's test, of which the first is looked for.

        The surrogate is nowhere below :math:`-\frac{\eta}{2n} \sum_i \lVert G_i \rVert^2`, so that no step lowers it by
        more. The bound goes with the unit of the loss, as a step along its gradient does.

        Args:
            sufficient_decrease: :math:`c`, which share of the decrease of a linear function is asked for.
        """
        if self.norm == 0:
            return 0.0
        return self._eta * self._squared / (2 * len(self._target)) / (sufficient_decrease * self.norm**2)

    def _evaluated(self, backward: bool) -> Float[Tensor, ""]:
        with torch.set_grad_enabled(backward):
            outputs = self._outputs()
        moved = outputs.detach().to(self._precision) - self._target
        curvature = 1 / (self._eta * len(moved))
        if backward:
            for param in self._params:
                param.grad = None
            slope = (self._gradient + curvature * moved).to(outputs.dtype)
            outputs.backward(slope, inputs=self._params)  # type: ignore[no-untyped-call]  # torch has no types
        return (self._gradient * moved).sum() + (curvature / 2) * moved.square().sum()

    def _outputs(self) -> Outputs:
        if self._fresh is not None:
            outputs, self._fresh = self._fresh, None
            return outputs
        self.passes += 1
        outputs = self._forward()
        if outputs.shape != self._target.shape:
            raise ValueError(
                f"forward returned shape {tuple(outputs.shape)}, and {tuple(self._target.shape)} before: it must "
                "compute the outputs of the same batch at every call"
            )
        return outputs


def minimised(surrogate: Surrogate, inner: Optimizer, *, steps: int, tolerance: float) -> tuple[int, tuple[float, ...]]:
    """Lets an optimizer take steps on a surrogate.

    Args:
        surrogate: to be minimised, which was looked at.
        inner: the optimizer of its parameters.
        steps: how many, at most.
        tolerance: no further step is taken where the norm of the gradient is at most this share of what it was.

    Returns:
        How many were taken, and the values of the surrogate before each of them, and after the last one where the
        optimizer knows it.

    Raises:
        NonFiniteError: a value is not finite.
        RuntimeError: a gradient is sparse.
    """
    values: list[float] = []
    least = tolerance * surrogate.norm
    for taken in range(steps):
        if taken:
            surrogate.look()
        values.append(surrogate.value)
        if not math.isfinite(values[-1]):
            raise NonFiniteError(f"the surrogate after {taken} inner steps", values[-1])
        if taken and surrogate.norm <= least:
            return taken, tuple(values)
        step_inside(inner, surrogate)
        if isinstance(inner, ArmijoGradientDescent) and inner.last is not None:
            if inner.last.step == 0:  # to the precision of the surrogate, this is its minimum
                return taken, tuple(values)
            if taken == steps - 1:
                values.append(inner.last.value)
    return steps, tuple(values)


def computed(forward: Any) -> Outputs:
    """Calls a step's forward, and refuses what is not one tensor of outputs.

    Raises:
        TypeError: it is no function, or returned something else than a floating tensor.
        ValueError: it returned a scalar, nothing, or something that has no values or cannot be differentiated.
    """
    if not callable(forward):
        raise TypeError(
            f"step(forward, loss=...) needs a function that computes the model's outputs, e.g. lambda: model(inputs), "
            f"and not {forward!r}"
        )
    outputs = forward()
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        found = f"a tensor of {outputs.dtype}" if isinstance(outputs, Tensor) else type(outputs).__name__
        raise TypeError(f"forward returned {found}, and must return the outputs as one floating-point tensor")
    if outputs.is_meta:
        raise ValueError(
            "forward's outputs are on the meta device, which holds no values: move the model to a real one by "
            "to_empty() before the first step"
        )
    if outputs.ndim == 0 or outputs.numel() == 0:
        raise ValueError(
            f"forward returned shape {tuple(outputs.shape)}, and must return outputs whose first dimension is the "
            "samples; a loss belongs in loss=, which is given the outputs"
        )
    if not outputs.requires_grad:
        raise ValueError("forward's outputs do not depend on parameters: was the graph cut (no_grad, detach)?")
    return outputs


def refuse_random(forward: Forward, outputs: Outputs) -> None:
    """Computes outputs again, and checks that they are the same but for rounding.

    Raises:
        RuntimeError: they are not.
    """
    with torch.no_grad():
        again = forward().detach()
    if again.shape == outputs.shape:
        away = float((again - outputs.detach()).abs().max())
        if not away > math.sqrt(torch.finfo(outputs.dtype).eps) * float(outputs.detach().abs().max()):
            return
    raise RuntimeError(
        "forward returned other outputs when it was called again with the same parameters: freeze what is random in "
        "it, e.g. dropout by model.eval(), and take the batch and its augmentation out of it; nothing was written"
    )

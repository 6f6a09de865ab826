"""What SSO asks of a loss, in the space of a model's outputs: a gradient, and how far along it the loss falls."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.primitives.hyperparameters import POSITIVE, Interval, whole_number
from trimtab.primitives.norms import norm_of

Outputs: TypeAlias = Float[Tensor, "samples ..."]
Forward: TypeAlias = Callable[[], Outputs]
Loss: TypeAlias = Callable[[Outputs], Float[Tensor, " samples"] | Float[Tensor, ""]]
Oracle: TypeAlias = Callable[[Outputs], Outputs]
Reduction: TypeAlias = Literal["none", "sum", "mean"]

OPEN_FRACTION = Interval(0.0, 1.0, open=True)


class NonFiniteError(RuntimeError):
    """A loss, a gradient or a surrogate stopped being finite; the parameters are what they were before the step.

    Args:
        what: is not finite.
        value: what it is.
    """

    def __init__(self, what: str, value: float) -> None:
        super().__init__(
            f"{what} is {value}; the parameters are what they were before the step, which needs finite numbers"
        )
        self.value = value


@dataclass(frozen=True)
class LineSearch:
    r"""How the target step is searched for, at the cost of losses of given outputs, without the model.

    A search begins with ``expand`` times the step before, and shrinks it until

    .. math:: \textstyle\sum_i \ell_i(z_i - \eta G_i) \le \sum_i \ell_i(z_i) - c\,\eta \sum_i \lVert G_i\rVert^2.

    Args:
        sufficient_decrease: :math:`c`, in (0, 1).
        shrink: factor from one trial to the next, in (0, 1).
        expand: factor from one step to the first trial of the next, > 1.
        minimum: the step is cut to be no smaller than this times the ``lr`` that a schedule began with, > 0.
        maximum: nor larger than this times it.
        trials: how many are made; the last one stands.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is outside its range.
    """

    sufficient_decrease: float = 0.5
    shrink: float = 0.9
    expand: float = 1.8
    minimum: float = 1e-4
    maximum: float = 1e4
    trials: int = 100

    def __post_init__(self) -> None:
        OPEN_FRACTION("sufficient_decrease", self.sufficient_decrease)
        OPEN_FRACTION("shrink", self.shrink)
        Interval(1.0, open=True)("expand", self.expand)
        POSITIVE("minimum", self.minimum)
        POSITIVE("maximum", self.maximum)
        whole_number(1)("trials", self.trials)
        if self.minimum > self.maximum:
            raise ValueError(f"minimum={self.minimum} must not exceed maximum={self.maximum}")


@dataclass(frozen=True)
class Answer:
    """What was asked of the loss at some outputs.

    Args:
        outputs: where, as a constant.
        gradient: of the mean loss with respect to them, a constant of their shape.
        loss: the mean loss, or ``None`` where only the gradient is known.
        squared: the sum over samples of the squared norms of their losses' gradients.
    """

    outputs: Outputs
    gradient: Outputs
    loss: Float[Tensor, ""] | None
    squared: float


def asked(outputs: Outputs, loss: Loss | None, oracle: Oracle | None, reduction: Reduction) -> Answer:
    """Asks for the gradient of the loss with respect to the outputs, once.

    Raises:
        NonFiniteError: the loss or its gradient is not finite.
        TypeError: an answer is not a tensor.
        ValueError: an answer has the wrong shape.
    """
    samples, value = len(outputs), None
    if loss is not None:
        at = outputs.detach().requires_grad_()
        value = mean_loss(loss, at, reduction)
        if not value.requires_grad:
            raise ValueError("loss does not depend on the outputs that it is given: was the graph cut (detach, numpy)?")
        (gradient,) = torch.autograd.grad(value, at)
    else:
        given = cast("Oracle", oracle)(outputs.detach())
        if not isinstance(given, Tensor):
            raise TypeError(f"oracle returned {type(given).__name__}, and must return a tensor of the outputs' shape")
        if given.shape != outputs.shape:
            raise ValueError(
                f"oracle returned shape {tuple(given.shape)}, and the outputs that it was given have "
                f"{tuple(outputs.shape)}: one gradient for each output is needed"
            )
        gradient = given.detach().to(outputs) / samples
    norm = samples * norm_of([gradient])
    value = None if value is None else value.detach()
    if value is not None and not math.isfinite(float(value)):
        raise NonFiniteError("the loss", float(value))
    if not math.isfinite(norm):
        raise NonFiniteError("the norm of the loss's gradient with respect to the outputs", norm)
    return Answer(outputs.detach(), gradient, value, norm * norm)  # infinite where a power would raise


def mean_loss(loss: Loss, outputs: Outputs, reduction: Reduction) -> Float[Tensor, ""]:
    """Returns the mean over samples of what ``loss`` says.

    Raises:
        TypeError: it returned no tensor.
        ValueError: it returned another shape than its reduction has.
    """
    value = loss(outputs)
    if not isinstance(value, Tensor):
        raise TypeError(f"loss returned {type(value).__name__}, and must return a tensor")
    shape = (len(outputs),) if reduction == "none" else ()
    if value.shape != shape:
        remedy = (
            "one loss a sample, as reduction='none' gives and summed over all other dimensions; of a loss that is "
            "reduced already, step(..., reduction='mean' or 'sum') says how; any other shape may come from outputs and "
            "targets that do not have the same"
            if reduction == "none"
            else "a scalar"
        )
        raise ValueError(
            f"loss returned shape {tuple(value.shape)} for outputs of shape {tuple(outputs.shape)} with "
            f"reduction={reduction!r}, and {shape} is needed: {remedy}"
        )
    return value.mean() if reduction == "none" else value / (len(outputs) if reduction == "sum" else 1)


def searched(
    answer: Answer, loss: Loss, reduction: Reduction, begin: float, search: LineSearch, *, unit: float
) -> tuple[float, int]:
    """Searches for the target step.

    Args:
        answer: outputs, gradient and loss where the search begins.
        loss: of outputs.
        reduction: of the loss.
        begin: the first trial.
        search: how.
        unit: of the bounds of the step.

    Returns:
        The step, and how often the loss was evaluated.
    """
    samples = len(answer.outputs)
    here, slope = float(cast("Tensor", answer.loss)), search.sufficient_decrease * answer.squared / samples
    eta = begin
    with torch.no_grad():
        for trial in range(1, search.trials + 1):
            there = float(mean_loss(loss, answer.outputs - eta * samples * answer.gradient, reduction))
            if there <= here - eta * slope or trial == search.trials:  # false for a NaN
                break
            eta *= search.shrink
    return min(max(eta, unit * search.minimum), unit * search.maximum), trial

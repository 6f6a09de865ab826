"""Gradient descent whose step is searched along the gradient (Armijo, 1966; Vaswani et al., 2019, arXiv:1905.09997).

Adapts   the length of the step.
Signal   the loss at trial points along the gradient.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.flat.refusals import refuse_unreadable_gradients
from trimtab.primitives.hyperparameters import NON_NEGATIVE, Interval, learning_rate, whole_number
from trimtab.primitives.idle import is_idle
from trimtab.primitives.joint import JointOptimizer, put_back, undone_if_it_fails
from trimtab.primitives.loss_scaling import refuse_scaler
from trimtab.primitives.norms import norm_of
from trimtab.study.tunable import LogUniform, Tunables

if TYPE_CHECKING:
    from trimtab.lab.session import Session

OPEN_FRACTION = Interval(0.0, 1.0, open=True)
EXPANSION = Interval(1.0)
SUFFICIENT_DECREASE = 0.5


class Closure(Protocol):
    """Computes the loss and, unless told otherwise, its gradients; the same function of the parameters each time."""

    def __call__(self, backward: bool = True) -> Tensor:
        """Returns the loss; with ``backward`` it also sets the gradients."""
        ...


@dataclass(frozen=True)
class Search:
    """What a line search found.

    Args:
        step: the step taken, 0 where none was.
        value: the loss after it.
        trials: how many points were tried.
    """

    step: float
    value: float
    trials: int


class ArmijoGradientDescent(JointOptimizer):
    r"""Gradient descent with backtracking.

    .. math::
        \theta_{t+1} = \theta_t - a_t \nabla h(\theta_t), \qquad
        h(\theta_{t+1}) \le h(\theta_t) - c\, a_t \lVert\nabla h(\theta_t)\rVert^2

    The first trial of a step is ``expand`` times the last step that was taken, and each trial is ``shrink`` times the
    one before. The closure takes the argument ``backward``:

        def closure(backward=True):
            loss = criterion(model(inputs), targets)
            if backward:
                optimizer.zero_grad()
                loss.backward()
            return loss

    It has to be the same function of the parameters at every call: no dropout, or the same masks. A loss that is not
    finite is no descent, so a trial may go anywhere.

    A schedule scales every step that was found as it scales ``lr``. Without one, ``lr`` is only where the first search
    begins.

    Ten times the loss asks for a tenth of the step. Where the ``trials`` of a search are used up, the next one goes on
    from there, so that steps are found in any unit of the loss.

    Differences: the code that comes with the paper on target surrogates takes the last trial even if no trial
    descends; here the parameters then stay where they are, and ``last.step`` is 0. Its first trial is ``expand * lr``,
    and it tries no step below :math:`10^{-6}`, whatever the unit of the loss.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: the first step to try, >= 0; 0 moves nothing.
        sufficient_decrease: :math:`c`, in (0, 1).
        shrink: factor from one trial to the next, in (0, 1).
        expand: factor from a step to the first trial of the next, >= 1. Over mini-batches the usual choice is
            ``1.8 ** (1 / batches)``.
        trials: how many points are tried, >= 1.
        minimum: no shorter step is tried, >= 0. A search that comes down to it ends, and the next one begins at ``lr``.

    Attributes:
        last: what the last step's search found; ``None`` before.

    Raises:
        TypeError: a setting has the wrong type.
        ValueError: a setting is outside its range, or differs between groups.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-3, 1e1)}

    hyperparameters: ClassVar = {
        "lr": learning_rate,
        "sufficient_decrease": OPEN_FRACTION,
        "shrink": OPEN_FRACTION,
        "expand": EXPANSION,
        "trials": whole_number(1),
        "minimum": NON_NEGATIVE,
    }
    joint_names = ("step_size",)

    last: Search | None = None
    _step_supports_amp_scaling = True  # so that it is stepped, and can say that it has no use for a scaler

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 10.0,
        *,
        sufficient_decrease: float = SUFFICIENT_DECREASE,
        shrink: float = 0.9,
        expand: float = 1.8,
        trials: int = 100,
        minimum: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            sufficient_decrease=sufficient_decrease,
            shrink=shrink,
            expand=expand,
            trials=trials,
            minimum=minimum,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "last": self.last}

    @overload  # type: ignore[override]  # torch's closure takes no argument
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Closure) -> Tensor: ...

    def step(self, closure: Closure | None = None) -> Tensor | None:
        """Takes one step.

        Args:
            closure: computes the loss, and its gradients unless it is called with ``backward=False``.

        Returns:
            The loss before the step; ``None`` for the step without a closure by which distributed checkpointing makes
            the state.

        Raises:
            RuntimeError: the loss or its gradient is not finite, a gradient is sparse or has no values, or a gradient
                scaler takes the step. Nothing was written.
            TypeError: there is no closure, or one that takes no ``backward``. Nothing was written.
        """
        refuse_scaler(
            self,
            "its closure computes loss and gradients, which have to be of one scale: leave the scaler out, call step() "
            "itself, and use bfloat16, which needs no scaling",
        )
        settings = self.settings()
        if closure is None and is_idle(self):
            self.keep(step_size=0.0)
            return None
        searched = _refuse_plain(closure)
        with torch.enable_grad():
            loss = searched()
        refuse_unreadable_gradients(self.param_groups, type(self).__name__)
        params, grads = _with_gradients(self.trained())
        value, norm = float(loss.detach()), norm_of(grads)
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise RuntimeError(
                f"the loss is {value} and the norm of its gradient {norm}: there is no line to search along; nothing "
                "was written"
            )
        first, factor = self.scheduled(settings)
        kept = self.joint_state().get("step_size", 0.0)  # zero: the next search begins anew
        begin = settings["expand"] * kept or first
        self.last = Search(0.0, value, 0)
        if norm > 0 and factor > 0:
            with undone_if_it_fails(params) as start:
                self.last, found = self._search(searched, start, value, begin)
            kept = found or 0.0
            move(params, grads, self.last.step * (1 - factor))
        self.keep(step_size=kept)
        return loss.detach()

    def step_on(self, session: "Session") -> Tensor:
        """Takes one step on the session's batch, with random numbers held fixed along the line.

        Args:
            session: pays for a gradient, and for a third of one at each trial.

        Returns:
            The mean loss of the batch before the step.
        """
        outputs = session.outputs()

        def closure(backward: bool = True) -> Tensor:
            with torch.set_grad_enabled(backward):
                loss = session.losses(outputs()).mean()
            if backward:
                self.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch has no types
            return loss

        return self.step(closure)

    def _search(self, closure: Closure, start: list[Tensor], value: float, begin: float) -> tuple[Search, float | None]:
        """Moves the parameters to the first trial point that descends enough, or not at all.

        Returns:
            What it found, and the step of which the next search expands the first trial, if it is not to begin anew.
        """
        settings, (params, grads) = self.settings(), _with_gradients(self.trained())
        norm, step, trials = norm_of(grads), begin, 0
        slope = settings["sufficient_decrease"] * norm * norm  # infinite where a power would raise
        while trials < settings["trials"] and step >= settings["minimum"]:
            put_back(params, start)
            move(params, grads, -step)
            trials += 1
            with torch.no_grad():
                after = float(closure(backward=False))
            if after <= value - step * slope:  # false for a NaN
                return Search(step, after, trials), step
            step *= settings["shrink"]
        put_back(params, start)
        used_up = step >= settings["minimum"]
        return Search(0.0, value, trials), step / settings["expand"] if used_up else None


def _with_gradients(params: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    pairs = [(param, param.grad.detach()) for param in params if param.grad is not None]
    return [param for param, _ in pairs], [grad for _, grad in pairs]


def move(params: list[Tensor], directions: list[Tensor], step: float) -> None:
    """Adds ``step`` times a direction to the parameters, in place."""
    with torch.no_grad():
        for param, direction in zip(params, directions, strict=True):
            param.add_(direction, alpha=step)


def _refuse_plain(closure: Callable[..., Any] | None) -> Closure:
    remedy = "give step() a closure with the argument backward=True, which skips the gradients where it is False"
    if not callable(closure):
        raise TypeError(f"a line search needs the loss at other points: {remedy}")
    try:
        inspect.signature(closure).bind(backward=False)
    except TypeError:
        raise TypeError(f"the closure takes no argument 'backward': {remedy}") from None
    return closure

"""SSO: many steps of the model for one gradient of an expensive loss (Lavington et al., 2023, arXiv:2302.02607).

Adapts   how far the parameters move for one gradient of the loss.
Signal   that gradient, with respect to the model's outputs.
"""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from trimtab.optim.sso.armijo import SUFFICIENT_DECREASE, ArmijoGradientDescent
from trimtab.optim.sso.surrogate import Surrogate, computed, minimised, refuse_random
from trimtab.optim.sso.target_loss import (
    Answer,
    Forward,
    LineSearch,
    Loss,
    NonFiniteError,
    Oracle,
    Reduction,
    asked,
    searched,
)
from trimtab.primitives.hyperparameters import NON_NEGATIVE, flag, learning_rate, one_of, optional, whole_number
from trimtab.primitives.idle import is_idle, step_idly
from trimtab.primitives.joint import JointOptimizer, undone_if_it_fails
from trimtab.primitives.loss_scaling import refuse_scaler
from trimtab.primitives.wrapping import lent_gradients
from trimtab.study.tunable import Choice, LogUniform, Tunables

if TYPE_CHECKING:
    from trimtab.lab.session import Session

Factory: TypeAlias = Callable[[list[Tensor]], Optimizer]

REDUCTION = one_of("none", "sum", "mean")
KEPT = "inner."
"""Begins the names of what is kept of the inner optimizer's state."""


@dataclass(frozen=True)
class TargetStep:
    """What one step of SSO did.

    Args:
        eta: the target step; 0 where the parameters were to stay.
        inner_steps: how many steps the parameters took.
        surrogate: its values, relative to the loss at the start: before each inner step, and after the last one where
            the inner optimizer computes it.
        oracle_calls: how often a gradient of the loss was asked for.
        passes: how often the model's outputs were computed.
        loss_evaluations: how often the line search asked for a loss.
    """

    eta: float
    inner_steps: int
    surrogate: tuple[float, ...]
    oracle_calls: int
    passes: int
    loss_evaluations: int


class SSO(JointOptimizer):
    r"""Target-based surrogate optimisation.

    With outputs :math:`z_t = f(\theta_t)` of the batch's :math:`n` samples and the gradients
    :math:`G_i = \nabla_{z_i} \ell_i(z_t)`, which are asked for once,

    .. math::
        \theta_{t+1} \approx \operatorname{argmin}_\theta
            \frac{1}{n} \sum_i \Big[ \langle G_i, f_i(\theta) - z_{t,i} \rangle
            + \frac{1}{2\eta_t} \lVert f_i(\theta) - z_{t,i} \rVert^2 \Big]

    by ``inner_steps`` steps of an optimizer of the parameters, each a forward and a backward pass through the model and
    none through the loss. On the whole data, and with :math:`\eta \le 1/L` for a loss that is :math:`L`-smooth in the
    outputs, the surrogate lies above the loss and touches it at :math:`\theta_t`: whatever lowers it, lowers the loss.
    :math:`1/L` is 1 for :math:`\frac12 (z - y)^2`, 4 for the logistic loss and 2 for the cross-entropy of a softmax.

    The loss is given apart from the model:

        optimizer.step(lambda: model(inputs), loss=lambda outputs: cross_entropy(outputs, targets, reduction="none"))

    or, where only its gradient can be had, as ``oracle=``, from outputs to :math:`G`. The paper's schedules are
    ``LambdaLR(optimizer, lambda t: (t + 1) ** -0.5)`` and ``ExponentialLR(optimizer, T ** (-1 / T))``. ``lr = 0``, with
    which they may begin or end, moves nothing.

    Differences:
        * With a line search, a schedule scales the step that was found as it scales ``lr``, as in the official code.
        * The official code's ``eta`` is :math:`1/(2\eta)`, with gradients of the summed loss; here :math:`\eta` is the
          paper's, and the surrogate is a mean over samples like the loss.
        * A loss that is reduced already says how, because a mean taken for a sum would shrink :math:`\eta` by the
          batch size without a word.
        * Where the official code has numbers in units of the loss, ours go with it: multiply the loss by a number and
          divide ``lr`` by it, and the parameters go the same way. The inner line search begins at the longest step
          that could pass its test, which is as good as to begin at any longer one, instead of at 10; the gradient of
          the surrogate has vanished beside what it was, and not below :math:`10^{-6}`; the bounds of the line search
          for :math:`\eta` are in units of ``lr``; and AdaGrad's root is without :math:`10^{-8}`.

    Warning:
        * If the loss is cheap, this is slower than SGD: a step costs ``inner_steps`` steps of the model, and with
          ``inner="armijo"`` the trials of its searches, a factor of 0.9 apart:
          ``partial(ArmijoGradientDescent, lr=1.0, shrink=0.5)`` makes fewer.
        * ``forward`` must be the same function within a step. Two calls are compared at the first step, and dropout is
          refused. Batch normalisation in training mode passes, but counts every call in its running statistics: put it
          into evaluation mode, or give it ``momentum=0``. In a :class:`~trimtab.lab.session.Session` both are seen to.
        * Many inner steps on a small batch fit its targets, and what the other samples' outputs do is anybody's guess.
        * One process: losses and norms are not summed over several.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``; the groups share all settings.
        lr: the target step :math:`\eta \ge 0`; with a line search, where the first one begins.
        inner_steps: :math:`m \ge 1`. One step of SGD is SGD, whatever ``lr``.
        inner: ``"armijo"``, :class:`~trimtab.optim.sso.armijo.ArmijoGradientDescent`, or a function that makes an
            optimizer of a list of parameters. It is made anew at every step, so that its averages start from zero.
        line_search: a :class:`~trimtab.optim.sso.target_loss.LineSearch` for :math:`\eta`; needs ``loss``.
        adaptive: ``"adagrad"`` divides ``lr`` by :math:`\sqrt{\sum_{s \le t} \lVert G_s \rVert^2}`.
        gradient_tolerance: no further inner step where the surrogate's gradient has a norm of at most this share of
            what it had before the first, >= 0.
        keep_inner_state: whether the inner optimizer goes on with its state, which is then saved with this one's.

    Attributes:
        last: what the last step did; ``None`` before.

    Raises:
        TypeError: a setting has the wrong type.
        ValueError: a setting is outside its range or differs between groups, or both ``line_search`` and ``adaptive``
            are given.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(1e-2, 3.3e1), "inner_steps": Choice((1, 5, 20))}

    hyperparameters: ClassVar = {
        "lr": learning_rate,
        "inner_steps": whole_number(1),
        "adaptive": optional(one_of("adagrad")),
        "gradient_tolerance": NON_NEGATIVE,
        "keep_inner_state": flag,
    }
    joint_names = ("step", "squared_gradients", "eta")

    own_gradients = True
    last: TargetStep | None = None
    _step_supports_amp_scaling = True  # so that it is stepped, and can say that it has no use for a scaler

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        *,
        inner_steps: int = 10,
        inner: Literal["armijo"] | Factory = "armijo",
        line_search: LineSearch | None = None,
        adaptive: Literal["adagrad"] | None = None,
        gradient_tolerance: float = 1e-6,
        keep_inner_state: bool = False,
    ) -> None:
        if not callable(inner) and inner != "armijo":
            raise TypeError(f"inner={inner!r} must be 'armijo' or a function that makes an optimizer of parameters")
        if line_search is not None and not isinstance(line_search, LineSearch):
            raise TypeError(f"line_search={line_search!r} must be a LineSearch or None")
        if line_search is not None and adaptive is not None:
            raise ValueError(f"line_search and adaptive={adaptive!r} both set the target step: give one of them")
        self._inner: Factory = inner if callable(inner) else ArmijoGradientDescent
        self._line_search = line_search
        super().__init__(
            params,
            lr=lr,
            inner_steps=inner_steps,
            adaptive=adaptive,
            gradient_tolerance=gradient_tolerance,
            keep_inner_state=keep_inner_state,
        )

    def __getstate__(self) -> dict[str, Any]:
        own = {"_inner": self._inner, "_line_search": self._line_search, "last": self.last}
        return {**super().__getstate__(), **own}

    def step(  # type: ignore[override]  # torch's closure hides the outputs
        self,
        forward: Forward | None = None,
        *,
        loss: Loss | None = None,
        oracle: Oracle | None = None,
        reduction: Reduction = "none",
        closure: None = None,
    ) -> Float[Tensor, ""] | None:
        """Asks for one gradient of the loss, and moves the parameters by several steps on its surrogate.

        Args:
            forward: computes the outputs of the batch, samples first; called several times, with gradients enabled or
                not.
            loss: from outputs to one loss a sample.
            oracle: from outputs to the gradients of their samples' losses, instead of ``loss``.
            reduction: what ``loss`` returns instead: the ``"sum"`` or the ``"mean"`` over samples.
            closure: nothing; distributed checkpointing passes it by this name, to a step that makes the state.

        Returns:
            The mean loss before the step, or ``None`` with an oracle.

        Raises:
            NonFiniteError: the loss, its gradient or the surrogate is not finite. The parameters are as before.
            RuntimeError: ``forward`` is random, a gradient is sparse, or a gradient scaler takes the step. The
                parameters are as before.
            TypeError: an argument has the wrong type or returned it; above all, an ordinary closure was given.
            ValueError: not exactly one of ``loss`` and ``oracle`` was given, or something has the wrong shape.
        """
        refuse_scaler(
            self,
            "it computes its gradients itself: leave the scaler out, call step(forward, loss=...) itself, and use "
            "bfloat16, which needs no scaling",
        )
        settings = self.settings()
        if (forward, loss, oracle, closure) == (None,) * 4 and is_idle(self):
            self._begin(settings)
            return None
        self._refuse_request(closure if forward is None else forward, loss, oracle, reduction)
        new = not self.joint_state().get("step", 0)
        with torch.enable_grad():
            outputs = computed(forward)
            if new:
                refuse_random(cast("Forward", forward), outputs)
            answer = asked(outputs, loss, oracle, reduction)
        squared = self.joint_state().get("squared_gradients", 0.0) + answer.squared
        eta, found, evaluations = self._target_step(settings, answer, loss, reduction, squared)
        passes, taken = 1, 0
        values: tuple[float, ...] = (0.0,)
        if eta > 0 and answer.squared > 0:
            surrogate = Surrogate(cast("Forward", forward), self.trained(), outputs, answer, eta)
            taken, values = self._minimise(surrogate, settings)
            passes = surrogate.passes
        self.keep(step=self.joint_state().get("step", 0) + 1, squared_gradients=squared, eta=found)
        self.last = TargetStep(eta, taken, values, 1, passes + new, evaluations)
        return answer.loss

    def step_on(self, session: "Session") -> Tensor:
        """Takes one step on the session's batch.

        Args:
            session: pays for every pass through the model.

        Returns:
            The mean loss of the batch before the step; where it cannot be gone on with, what is not finite.
        """
        try:
            loss = self.step(session.outputs(), loss=session.losses)
        except NonFiniteError as error:
            return torch.tensor(error.value)
        assert loss is not None  # noqa: S101  # there was no oracle
        return loss

    def _begin(self, settings: Mapping[str, Any]) -> None:
        """Makes the state that there is after a step, where nothing has happened yet."""
        self.keep(step=0, squared_gradients=0.0, eta=0.0)
        if settings["keep_inner_state"]:
            inner = self._make_inner(self.trained(), None, kept=False)
            step_idly(inner)
            self._keep(inner)

    def _refuse_request(self, forward: Any, loss: Any, oracle: Any, reduction: Any) -> None:
        use = "step(forward, loss=...), with forward=lambda: model(inputs) and loss=lambda outputs: one loss a sample"
        if loss is None and oracle is None:
            given = "a closure alone hides the outputs" if forward is not None else "nothing was given"
            raise TypeError(f"SSO asks for the loss's gradient with respect to the outputs, and {given}: {use}")
        if loss is not None and oracle is not None:
            raise ValueError("loss and oracle both give the gradient with respect to the outputs: give one of them")
        if self._line_search is not None and loss is None:
            raise ValueError("the line search compares losses, and an oracle gives none: give loss, or no line_search")
        for name, function in (("loss", loss), ("oracle", oracle)):
            if function is not None and not callable(function):
                raise TypeError(f"{name}={function!r} must be a function of the outputs: {use}")
        REDUCTION("reduction", reduction)

    def _target_step(
        self, settings: Mapping[str, Any], answer: Answer, loss: Loss | None, reduction: Reduction, squared: float
    ) -> tuple[float, float, int]:
        """Returns the target step, what the next search begins with, and how many losses it took."""
        if self._line_search is None or loss is None:
            divisor = math.sqrt(squared) if settings["adaptive"] == "adagrad" and squared else 1.0
            eta = settings["lr"] / divisor
            return eta, eta, 0
        first, factor = self.scheduled(settings)
        before = self.joint_state().get("eta")
        if answer.squared == 0:
            return 0.0, before or first, 0
        begin = self._line_search.expand * before if before else first
        found, evaluations = searched(answer, loss, reduction, begin, self._line_search, unit=first)
        return factor * found, found, evaluations

    def _minimise(self, surrogate: Surrogate, settings: Mapping[str, Any]) -> tuple[int, tuple[float, ...]]:
        """Moves the parameters to smaller values of the surrogate, or not at all if something fails."""
        params = self.trained()
        with lent_gradients(params, [None] * len(params)), undone_if_it_fails(params):
            surrogate.look()
            inner = self._make_inner(params, surrogate, kept=settings["keep_inner_state"])
            taken, values = minimised(
                surrogate, inner, steps=settings["inner_steps"], tolerance=settings["gradient_tolerance"]
            )
        if settings["keep_inner_state"]:
            self._keep(inner)
        return taken, values

    def _make_inner(self, params: list[Tensor], surrogate: Surrogate | None, *, kept: bool) -> Optimizer:
        if self._inner is ArmijoGradientDescent and surrogate is not None:
            inner: Optimizer = ArmijoGradientDescent(params, surrogate.longest_step(SUFFICIENT_DECREASE))
        else:
            inner = self._inner(params)
        held = [param for group in inner.param_groups for param in group["params"]] if _is_optimizer(inner) else []
        if {*map(id, held)} != {*map(id, params)}:
            raise TypeError(f"inner must make a torch.optim.Optimizer of all the parameters it is given, not {inner!r}")
        if not kept:
            return inner
        for param in params:
            state = {name: value for name, value in self.state[param].items() if name.startswith(KEPT)}
            if state:
                inner.state[param] = {name.removeprefix(KEPT): _copy(value) for name, value in state.items()}
        for group, settings in zip(inner.param_groups, self.param_groups[0].get("inner_groups", ()), strict=False):
            group.update(deepcopy(settings))
        return inner

    def _keep(self, inner: Optimizer) -> None:
        for param in self.trained():
            self.state[param].update({f"{KEPT}{name}": value for name, value in inner.state[param].items()})
        groups = [{name: value for name, value in group.items() if name != "params"} for group in inner.param_groups]
        for own in self.param_groups:  # settings belong to settings: a state is to hold tensors and numbers only
            own["inner_groups"] = groups


def _is_optimizer(value: object) -> bool:
    return isinstance(value, Optimizer)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else deepcopy(value)

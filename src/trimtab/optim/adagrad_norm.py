r"""AdaGrad-Norm: one step size for everything, from all gradients so far (Ward, Wu & Bottou, 2018, arXiv:1806.01811).

Adapts   the length of the step.
Signal   the sum of the squared norms of the gradients so far.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import ClassVar, overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.flat.refusals import refuse_unreadable_gradients
from trimtab.primitives.hyperparameters import NON_NEGATIVE, POSITIVE, learning_rate
from trimtab.primitives.idle import is_idle
from trimtab.primitives.joint import Group, JointOptimizer
from trimtab.primitives.norms import norms
from trimtab.primitives.sharding import Shards, local, shards_of
from trimtab.primitives.wrapping import evaluated
from trimtab.study.tunable import LogUniform, Tunables


class AdaGradNorm(JointOptimizer):
    r"""AdaGrad with one accumulator for all parameters together.

    .. math::
        v_t = v_{t-1} + \lVert g_t \rVert^2, \qquad
        \theta_t = \theta_{t-1} - \frac{\alpha}{\sqrt{v_t}}\, g_t

    with the norm over all parameters of all groups, and :math:`v_0 > 0`. With one parameter of one element this is
    ``torch.optim.Adagrad``. The direction is the gradient's, and the first steps are about :math:`\alpha` long: coming
    from Adagrad, whose first steps are :math:`\alpha` long in each coordinate, multiply ``lr`` by the root of the
    number of parameters. One number is kept beside the parameters.

    Differences: the official code of AdAdaGrad (Lau et al., 2024) keeps an accumulator for each row of its outputs
    under this name; here it is the scalar of the papers. ``weight_decay`` is in neither; it belongs to the gradient, as
    in ``torch.optim.Adagrad``.

    Warning:
        The accumulator never forgets: early gradients that are large for a while shorten all later steps.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element.
        initial_accumulator_value: :math:`v_0 > 0`, the same in all groups. The default is that of AdAdaGrad's code.
        weight_decay: added to the gradient, times the parameter; >= 0.

    Raises:
        TypeError: a setting has the wrong type, or a parameter is not of a real floating type.
        ValueError: a setting is outside its range, or ``initial_accumulator_value`` differs between groups.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-3, 1e1), "weight_decay": LogUniform(1e-5, 1e-2)}

    hyperparameters: ClassVar = {
        "lr": learning_rate,
        "initial_accumulator_value": POSITIVE,
        "weight_decay": NON_NEGATIVE,
    }
    apart = ("lr", "weight_decay")
    joint_names = ("step", "accumulator")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-1,
        *,
        initial_accumulator_value: float = 1e-2,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, initial_accumulator_value=initial_accumulator_value, weight_decay=weight_decay)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Takes one step with every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients; called first, with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse or has no values. Nothing was written.
            TypeError: a setting was set to a value of the wrong type. Nothing was written.
            ValueError: a setting was set to a value outside its range, or differs between groups. Nothing was written.
        """
        loss: float | None = evaluated(closure)
        settings = self.settings()
        refuse_unreadable_gradients(self.param_groups, type(self).__name__)
        if closure is None and is_idle(self):
            self.keep(step=0, accumulator=settings["initial_accumulator_value"])
        else:
            self._move(settings["initial_accumulator_value"])
        return loss

    @torch.no_grad()
    def _move(self, initial: float) -> None:
        pieces = [_gradients(group) for group in self.param_groups]
        grads = [grad for _, own in pieces for grad in own]
        if not grads:
            return
        state = self.joint_state()
        accumulator = state.get("accumulator", initial) + squared_norm(grads)
        self.keep(step=state.get("step", 0) + 1, accumulator=accumulator)
        for group, (params, own) in zip(self.param_groups, pieces, strict=True):
            lr = float(group["lr"])
            if params and lr:
                torch._foreach_add_(list(map(local, params)), list(map(local, own)), alpha=-lr / math.sqrt(accumulator))


def _gradients(group: Group) -> tuple[list[Tensor], list[Tensor]]:
    """Returns the parameters that have gradients, and these, with weight decay."""
    params = [param for param in group["params"] if param.grad is not None]
    decay = group["weight_decay"]
    return params, [param.grad.add(param, alpha=decay) if decay else param.grad for param in params]


def squared_norm(tensors: Sequence[Tensor]) -> float:
    """Returns the squared norm of tensors taken together, each piece of a divided one counted once, as a double.

    Whatever the order of the tensors, the result is the same to the last bit.
    """
    alike: dict[Shards | None, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        alike[shards_of(tensor)].append(local(tensor))
    found: list[float] = []
    for shards, pieces in alike.items():
        squares = norms(pieces).square()
        found += (squares if shards is None else shards.total(squares)).tolist()
    try:
        return math.fsum(found)
    except OverflowError:  # the sum is beyond a double
        return math.inf

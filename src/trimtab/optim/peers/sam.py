"""Sharpness-aware minimisation of pytorch-optimizer in a comparison: around SGD, and two gradients a step."""

from typing import TYPE_CHECKING, Any

import pytorch_optimizer
import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.lab.repeated import repeatable_closure
from trimtab.primitives.wrapping import evaluated, step_inside, unhooked

if TYPE_CHECKING:
    from trimtab.lab.session import Session


class SAM(pytorch_optimizer.SAM):
    """``pytorch_optimizer.SAM`` around SGD with momentum, as in its paper, which steps on a session as well.

    The package has the first gradient computed before the step, and the closure compute the second; here the closure
    is called twice, as that of any optimizer may be. In a session both are of the same function: layers draw the same
    random numbers, and running statistics are updated by the first pass alone. Around another optimizer than SGD, take
    the package's own.

    Args:
        params: parameters or parameter groups, as in ``torch.optim``.
        lr: of SGD.
        momentum: of it.
        nesterov: of it.
        weight_decay: of it, part of the gradient.
        rho: how far away the gradient is taken.
        adaptive: whether distances are relative to each weight's size.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        *,
        momentum: float = 0.9,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        rho: float = 0.05,
        adaptive: bool = False,
    ) -> None:
        super().__init__(
            params,
            torch.optim.SGD,
            rho=rho,
            adaptive=adaptive,
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters, with SGD's settings.

        Args:
            param_group: parameters and settings of theirs.
        """
        if "base_optimizer" not in vars(self):  # it is made of the groups that are about to be made
            super().add_param_group(param_group)
            return
        self.base_optimizer.add_param_group({**self.defaults, **param_group})

    def step(self, closure: Any = None) -> Any:
        """Takes one step.

        Args:
            closure: zeroes the gradients, computes the loss and its gradients; called twice, and not before.

        Returns:
            The loss before the step.

        Raises:
            TypeError: there is no closure.
        """
        if closure is None:
            raise TypeError("SAM takes two gradients a step: give step() a closure that zeroes and computes them")
        loss = evaluated(closure)
        unhooked(pytorch_optimizer.SAM.step)(self, closure)
        return loss

    @torch.no_grad()
    def second_step(self, zero_grad: bool = False) -> None:
        """Goes back to where the weights were, and takes SGD's step there.

        Args:
            zero_grad: whether gradients are reset afterwards.
        """
        for param, state in self.state.items():
            if "old_p" in state:
                param.copy_(state.pop("old_p"))
        step_inside(self.base_optimizer)  # of which hooks of all optimizers know nothing: they see one step, SAM's
        if zero_grad:
            self.zero_grad()

    def step_on(self, session: "Session") -> Tensor:
        """Takes one step on the session's batch.

        Args:
            session: pays for both gradients.

        Returns:
            The mean loss of the batch before the step.
        """
        loss: Tensor = self.step(repeatable_closure(session))
        return loss

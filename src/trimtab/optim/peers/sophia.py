"""Sophia of pytorch-optimizer in a comparison: a graph of the gradients every tenth step, which is paid for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytorch_optimizer
import torch
from torch import Tensor

from trimtab.optim.adahessian.hessian_diagonal import NO_GRAPH
from trimtab.optim.peers.draws import device_of, draws_of
from trimtab.primitives.loss_scaling import refuse_scaler
from trimtab.primitives.wrapping import evaluated, unhooked

if TYPE_CHECKING:
    from trimtab.lab.session import Session


class SophiaH(pytorch_optimizer.SophiaH):
    """``pytorch_optimizer.SophiaH``, which steps on a session as well, and draws by ``seed`` and step alone.

    In a loop of one's own:

    .. code-block:: python

        loss.backward(create_graph=optimizer.needs_graph)
        optimizer.step()

    Attributes:
        seed: of its random directions; the package draws them from torch's global generator.
    """

    seed = 0
    _step_supports_amp_scaling = True  # so that it is stepped, and can say that it has no use for a scaler

    @property
    def needs_graph(self) -> bool:
        """Whether the next step estimates the curvature, for which gradients have to keep their graph."""
        steps: int = self.param_groups[0].get("step", 0)
        return steps % self.update_period == 0

    def step(self, closure: Any = None, hessian: Sequence[Tensor] | None = None) -> Any:
        """Takes one step with every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients, and keeps their graph if :attr:`needs_graph` says so; called
                first, with random numbers as they are outside.
            hessian: the diagonal where it is known, a tensor for each parameter.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient scaler takes the step, or the curvature is due and no gradient has kept its graph.
        """
        refuse_scaler(self, "it would take the scale of the loss for curvature; use bfloat16, which needs no scaling")
        loss = evaluated(closure)
        if hessian is None and self.needs_graph and self._graphs_are_lost():
            raise RuntimeError(NO_GRAPH)
        step = self.param_groups[0].get("step", 0)
        with torch.no_grad(), draws_of(self.seed, step, device_of(self)):
            unhooked(pytorch_optimizer.SophiaH.step)(self, None, hessian)
        return loss

    def _graphs_are_lost(self) -> bool:
        params = (param for group in self.param_groups for param in group["params"])
        gradients = [param.grad for param in params if param.grad is not None]
        return bool(gradients) and all(gradient.grad_fn is None for gradient in gradients)

    def step_on(self, session: "Session") -> Tensor:
        """Takes one step on the session's batch.

        Args:
            session: pays for the gradient, and for as much again for each product with the Hessian.

        Returns:
            The mean loss of the batch before the step.
        """
        products = self.num_samples if self.needs_graph else 0
        loss: Tensor = self.step(session.closure(create_graph=products > 0))
        session.meter.charge(products * session.samples)
        return loss

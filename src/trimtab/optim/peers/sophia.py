"""Sophia of pytorch-optimizer in a comparison: a graph of the gradients every tenth step, which is paid for."""

from typing import TYPE_CHECKING, Any

import pytorch_optimizer
from torch import Tensor

from trimtab.optim.peers.draws import draws_of

if TYPE_CHECKING:
    from trimtab.lab.session import Session


class SophiaH(pytorch_optimizer.SophiaH):  # type: ignore[misc]  # the package has no types
    """``pytorch_optimizer.SophiaH``, which steps on a session as well, and draws by ``seed`` and step alone.

    In a loop of one's own:

    .. code-block:: python

        loss.backward(create_graph=optimizer.needs_graph)
        optimizer.step()

    Attributes:
        seed: of its random directions; the package draws them from torch's global generator.
    """

    seed = 0

    @property
    def needs_graph(self) -> bool:
        """Whether the next step estimates the curvature, for which gradients have to keep their graph."""
        steps: int = self.param_groups[0].get("step", 0)
        return steps % self.update_period == 0

    def compute_hutchinson_hessian(self, *args: Any, **kwargs: Any) -> None:
        """Adds up estimates of the Hessian's diagonal, as the package does, with random numbers of its own."""
        group = self.param_groups[0]
        with draws_of(self.seed, group.get("step", 0), group["params"][0].device):
            super().compute_hutchinson_hessian(*args, **kwargs)

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

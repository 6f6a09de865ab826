"""PSGD-Kron of pytorch-optimizer with random numbers of its own."""

from typing import Any

import pytorch_optimizer
import torch

from trimtab.optim.peers.draws import device_of, draws_of
from trimtab.primitives.wrapping import evaluated, unhooked


class Kron(pytorch_optimizer.Kron):
    """``pytorch_optimizer.Kron``, which draws by ``seed`` and step alone.

    Attributes:
        seed: of its random directions; the package draws them, and when to balance its factors, from the global
            generators of torch and NumPy.
    """

    seed = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Takes one step with every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients; called first, with random numbers as they are outside.

        Returns:
            What the closure returned.
        """
        loss = evaluated(closure)
        with draws_of(self.seed, self.param_groups[0].get("step", 0), device_of(self)):
            unhooked(pytorch_optimizer.Kron.step)(self)
        return loss

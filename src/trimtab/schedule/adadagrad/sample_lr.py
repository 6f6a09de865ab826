"""A learning rate that goes by how many samples were seen, where the number of steps is not known beforehand."""

import math
from typing import Literal

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trimtab.primitives.hyperparameters import SHARE, one_of, whole_number


class SampleLRScheduler(LRScheduler):
    r"""Warm-up and decay as functions of the samples seen, :math:`s`, out of :math:`S` in all.

    .. math::
        \alpha(s) = \alpha_0 \cdot \begin{cases}
            q + (1 - q)\, s / (w S) & s < w S \\
            r + (1 - r)\,\tfrac12 (1 + \cos \pi u) & \text{cosine} \\
            r + (1 - r)(1 - u) & \text{linear}
        \end{cases} \qquad u = \min\Big(1, \frac{s - w S}{S - w S}\Big)

    A ``torch.optim`` scheduler, but for the argument of :meth:`step`. Steps with large batches move it further.

    Differences: in the paper's code the linear decay rises after the warm-up, its ratio being the wrong way round.

    Args:
        optimizer: the optimizer.
        samples: :math:`S`, how many samples the whole run sees.
        warm_up: :math:`w`, the share of them over which the rate rises, in [0, 1]. The paper's experiments with ResNets
            take 0.1.
        decay: ``"cosine"``, ``"linear"`` or ``"constant"``.
        final: :math:`r`, what of the rate is left at the end, in [0, 1]. The paper's experiments with ResNets take 0.1.
        start: :math:`q`, what of the rate the warm-up begins with, in [0, 1]; with 0 the first step moves nothing.
        last_epoch: as in torch's schedulers; -1 begins.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        samples: int,
        *,
        warm_up: float = 0.1,
        decay: Literal["cosine", "linear", "constant"] = "cosine",
        final: float = 0.1,
        start: float = 0.01,
        last_epoch: int = -1,
    ) -> None:
        self.total = whole_number(1)("samples", samples)
        self.warm_up = SHARE("warm_up", warm_up)
        self.decay = one_of("cosine", "linear", "constant")("decay", decay)
        self.final, self.start = SHARE("final", final), SHARE("start", start)
        self.seen = 0
        super().__init__(optimizer, last_epoch)

    def step(self, samples: int = 0) -> None:  # type: ignore[override]  # torch's argument is a deprecated one
        """Moves on by the samples of the step that was just taken.

        Args:
            samples: of its batch, over all workers.

        Raises:
            TypeError: it is not a whole number.
            ValueError: it is negative.
        """
        self.seen += whole_number(0)("samples", samples)
        super().step()

    def get_lr(self) -> list[float | Tensor]:
        """Returns the rate of each parameter group for the next step."""
        factor = self.factor(self.seen / self.total)
        return [rate * factor for rate in self.base_lrs]

    def factor(self, progress: float) -> float:
        """Returns what the initial rate is multiplied with.

        Args:
            progress: the share of all samples that was seen; beyond 1 it stays what it is at 1.
        """
        if progress < self.warm_up:
            return self.start + (1 - self.start) * progress / self.warm_up
        if self.decay == "constant" or self.warm_up == 1:
            return 1.0
        over = min(1.0, (progress - self.warm_up) / (1 - self.warm_up))
        left = 1 - over if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * over))
        return self.final + (1 - self.final) * left

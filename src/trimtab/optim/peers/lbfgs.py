"""L-BFGS of torch in a comparison: it gets one large batch for the whole run."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trimtab.lab.repeated import repeatable_closure
from trimtab.lab.task import samples_in

if TYPE_CHECKING:
    from trimtab.lab.session import Session

FEWEST_GRADIENTS = 10


class LBFGS(torch.optim.LBFGS):
    """``torch.optim.LBFGS``, which steps on a session as well.

    Its memory is of differences between gradients, which have to be of the same samples. The batch is all of the
    training data, or as much of it as leaves ten gradients in the budget, and stays for the whole run. Every evaluation
    is charged, those of the line search too.
    """

    def step_on(self, session: "Session") -> Tensor:
        """Takes one step of up to ``max_iter`` iterations, with no more evaluations than the budget has left.

        Args:
            session: pays for every evaluation.

        Returns:
            The mean loss of the batch before the step.
        """
        if session.batch_size:
            affordable = max(session.task.batch_size, session.meter.budget // FEWEST_GRADIENTS)
            session.next_batch(min(samples_in(session.task.train), affordable))
            session.batch_size = 0
        group = self.param_groups[0]
        own = {name: group[name] for name in ("max_iter", "max_eval")}
        left = (session.meter.budget - session.meter.used) // session.samples
        group["max_eval"] = min(own["max_eval"], max(left - 1, 1))  # a search makes one more than that
        if left < 2:  # what is left pays for no trial: the gradient ends the run, and nothing moves
            group["max_iter"] = 0
        try:
            loss: Tensor = self.step(repeatable_closure(session))  # type: ignore[no-untyped-call]  # torch has no types
        finally:
            group.update(own)
        return loss

"""The cost of a run, in sample-gradients."""

from dataclasses import dataclass

from trimtab.study.checks import check_whole


@dataclass
class CostMeter:
    """Counts sample-gradients: one is the gradient of one sample's loss, forward and backward.

    The meter *is* the budget. Whatever computes gradients charges it where it does so, so that a method which takes a
    second backward pass, explores or searches along a line pays for it.

    Args:
        budget: sample-gradients that may be used.
        used: sample-gradients used so far.
    """

    budget: int
    used: int = 0

    def __post_init__(self) -> None:
        check_whole("budget", self.budget, of="number of sample-gradients")
        check_whole("used", self.used, least=0, of="number of sample-gradients")

    def charge(self, samples: int) -> None:
        """Adds the gradients of ``samples`` samples, >= 0."""
        check_whole("samples", samples, least=0)
        self.used += samples

    def charge_forward(self, samples: int) -> None:
        """Adds forward passes of ``samples`` samples without backward passes: a third of their gradients, rounded up.

        For each matrix product of a layer the backward pass takes two, one for its inputs and one for its weights.
        """
        self.charge(-(-samples // 3))

    @property
    def exhausted(self) -> bool:
        """Whether the budget is spent."""
        return self.used >= self.budget

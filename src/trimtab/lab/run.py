"""A run: one attempt of a candidate at a problem, in steps that can be counted, paid for and watched."""

from collections.abc import Mapping
from typing import Protocol

from trimtab.lab.meter import CostMeter
from trimtab.study.metric import Evaluation, Split


class Run(Protocol):
    """One run in progress; :class:`~trimtab.lab.session.Session` is one.

    Attributes:
        meter: what was used of the budget.
        steps: steps taken.
    """

    meter: CostMeter
    steps: int

    def step(self) -> float:
        """Takes one step, charges for it, and returns the loss before it.

        Raises:
            DivergedError: the loss is not finite.
        """
        ...

    def evaluate(self, split: Split = "validation") -> Evaluation:
        """Scores what there is so far; not charged, and without effect on the run."""
        ...

    def measures(self) -> Mapping[str, float]:
        """Returns what was measured so far beside the loss, by name."""
        ...

    def watched(self) -> Mapping[str, float]:
        """Returns quantities whose changes over the run are worth keeping, by name."""
        ...

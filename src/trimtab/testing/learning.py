"""Checks that an optimizer optimises, each group by its own settings."""

import torch
from torch import Tensor

from trimtab.testing.exceptions import require
from trimtab.testing.support import Suite, give, parameters, require_moved, require_same, values


class LearningChecks(Suite):
    """Steps lead where they should."""

    def test_descends(self) -> None:
        """With gradients of a sum of squares, the sum falls."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        goals = [torch.ones_like(param) for param in params]

        def loss() -> Tensor:
            return torch.stack([(param - goal).square().sum() for param, goal in zip(params, goals, strict=True)]).sum()

        first = loss().item()
        for _ in range(10):
            optimizer.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        last = loss().item()
        require(last < first, f"ten steps took the sum of squares from {first} to {last}")

    def test_group_weight_decay(self) -> None:
        """Weights decay by what their group says: where the gradient is zero, nothing else moves them."""
        self.need("weight_decay")
        decayed, *others = parameters(self.shapes)
        optimizer = self.make([{"params": [decayed], "weight_decay": 0.5}, {"params": others, "weight_decay": 0.0}])
        before, kept = values([decayed]), values(others)
        for grad in give([decayed, *others]):
            grad.zero_()
        for _ in range(1 + self.resting()):
            optimizer.step()
        require_same(others, kept, "a parameter decayed whose group has no weight decay")
        require_moved([decayed], before, "a step with weight decay")
        require(bool(((decayed - before[0]) * before[0] <= 0).all()), "weight decay moved a weight away from zero")

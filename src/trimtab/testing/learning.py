"""Checks that an optimizer optimises, each group by its own settings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from trimtab.testing.exceptions import require
from trimtab.testing.global_randomness import same_draws
from trimtab.testing.resume import follow
from trimtab.testing.support import REFUSALS, Suite, give, parameters, require_moved, require_same, values
from trimtab.testing.updates import words

DECAYS: Final = ((2.0**-4, 2.0**-2), (2.0**-3, 2.0**-1))
"""Rates and weight decays with which steps are compared: what is twice as long with both is no accident."""


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

    def test_decays_once(self) -> None:
        """Weight decay counts once: a first step without a gradient is not the one that twice as much would make."""
        self.need_argument("weight_decay")
        self.default_lr()
        once = False
        for form in self.decay_forms():
            for way in self.ways():
                told = {**form, **way}
                tried = [{**told, "lr": lr, "weight_decay": decay} for lr, decay in DECAYS]
                times = {self.times_decayed(each) for each in tried}
                require(times != {2}, f"a first step without a gradient decays weights twice ({words(tried[0])})")
                once = once or times == {1}
        if not once:
            pytest.skip(
                "a first step without a gradient is no plain decay, once or twice, so that there is nothing to count"
            )

    def times_decayed(self, told: Mapping[str, Any]) -> int:
        """Returns how often weight decay counts at a first step without a gradient, or 0 where that cannot be told."""
        weights, decay = values(parameters(self.shapes, torch.float64)), told["weight_decay"]
        plainly, rate = {**told, "weight_decay": 0.0}, told["lr"] * decay
        try:
            seen = self.first_way(told, 0.0)
            by_gradient, by_more = (self.first_way(plainly, times * decay) for times in (1, 2))
        except REFUSALS:  # other checks' business
            return 0
        by_itself = [-rate * weight for weight in weights]
        if alike(seen, by_gradient, weights) or alike(seen, by_itself, weights):
            return 1
        twice = [by_more]
        for once in (by_gradient, by_itself):  # and by itself, of the weight as it was or as it is by then
            for left in (1, 1 - rate):
                twice.append([left * way + own for way, own in zip(once, by_itself, strict=True)])
        return 2 if any(alike(seen, way, weights) for way in twice) else 0

    def first_way(self, told: Mapping[str, Any], share: float) -> list[Tensor]:
        """Returns where a first step takes weights whose gradient is a share of themselves."""
        params = parameters(self.shapes, torch.float64)
        before = values(params)
        with same_draws():
            follow(self.make(params, **told), params, [[weight * share for weight in before]])
        return [param.detach() - weight for param, weight in zip(params, before, strict=True)]


def alike(seen: Sequence[Tensor], way: Sequence[Tensor], weights: Sequence[Tensor]) -> bool:
    """Returns whether ways that lead somewhere are the same but for rounding in single precision."""
    return all(
        bool(one.any()) and bool(((one - other).abs() <= 2.0**-20 * weight.abs()).all())
        for one, other, weight in zip(seen, way, weights, strict=True)
    )

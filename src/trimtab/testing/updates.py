"""Checks of properties that every update has, whatever its formula: no reference implementation is needed for them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn

from trimtab.testing.exceptions import require
from trimtab.testing.global_randomness import same_draws
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    REFUSALS,
    WARM,
    Gradients,
    Suite,
    gradients,
    parameters,
    require_close,
    require_moved,
    require_same,
    values,
)

LONGER: Final = 1.5
"""How much longer momentum may make a first step: NAdam's is 6 % longer, one that counts its gradient twice 90 %."""

STEADY: Final = 120
"""Steps against a gradient that stays the same."""

MANY: Final = 150
"""Steps through noise."""

GROWTH: Final = 30
"""How many times as long as the longest of the first steps through noise the later ones may be."""


class UpdateChecks(Suite):
    """What is true of a right update, and of hardly any wrong one."""

    @pytest.mark.parametrize("decay", [False, True], ids=["plain", "decay"])
    def test_alone(self, decay: bool) -> None:
        """Each parameter moves as it would in an optimizer of its own, with every form of weight decay.

        Each shape is there twice, as what is kept by shape is shared by those that have the same.
        """
        shapes = [*self.shapes, *self.shapes]
        given = gradients(parameters(shapes), 3)
        for form in self.decay_forms() if decay else [{}]:
            together = parameters(shapes)
            with same_draws():
                follow(self.make(together, **form), together, given)
            for index in range(len(shapes)):
                alone = parameters(shapes)[index : index + 1]
                steps = [[step[index]] for step in given]
                try:
                    optimizer = self.make(alone, **form)
                except REFUSALS:  # some want a matrix among them
                    continue
                follow(optimizer, alone, steps)
                require_close(
                    together[index : index + 1], alone, f"beside others a parameter moves differently ({words(form)})"
                )

    def test_zero_parameters(self) -> None:
        """Parameters that are zero at the beginning, as most biases are, move to finite values."""
        params = [nn.Parameter(torch.zeros(shape)) for shape in self.shapes]
        before = values(params)
        follow(self.make(params), params, gradients(params, WARM))
        require_moved(params, before, "from zero")

    def test_scaled_gradients(self) -> None:
        """Gradients 64 times as large never make a way shorter, nor more than 64 times as long."""
        ways = []
        for factor in (2.0**-6, 1.0, 2.0**6):
            params = parameters(self.shapes)
            before = values(params)
            follow(self.make(params, **self.no_decay()), params, scaled(gradients(params, 4), factor))
            ways.append(lengths(params, before))
        for index, (small, middle, large) in enumerate(zip(*ways, strict=True)):
            for less, more in ((small, middle), (middle, large)):
                require(
                    more >= 0.9 * less and more <= 1.1 * 64 * less + 1e-12,
                    f"gradients 64 times as large make the way of parameter {index} {more / max(less, 1e-38):.3g} "
                    "times as long",
                )

    def test_reused_gradients(self) -> None:
        """A backward pass may write to the memory of the last gradients: a step keeps what it needs of them."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        for param in params:
            param.grad = torch.zeros_like(param, requires_grad=False)
        for step in gradients(params, 4):
            for param, grad in zip(params, step, strict=True):
                if param.grad is None or grad is None:
                    require(False, "a step took a gradient away")
                    return
                param.grad.copy_(grad)
            optimizer.step()
        require_same(params, self.run(steps=4), "where gradients are written over, a step differs")

    def test_closure_gradients(self) -> None:
        """A step with a closure moves as one after the same backward pass; unless it needs several of them."""
        params, others = parameters(self.shapes), parameters(self.shapes)
        optimizer, other = self.make(params), self.make(others)
        for step in gradients(params, 3):
            calls: list[int] = []

            def closure(step: list[Tensor | None] = step, calls: list[int] = calls) -> Tensor:
                calls.append(1)
                for param, grad in zip(params, step, strict=True):
                    param.grad = None if grad is None else grad.clone()
                return torch.ones(())

            optimizer.zero_grad()
            optimizer.step(closure)  # type: ignore[arg-type]
            if not calls:
                pytest.skip("the closure is not called, which is a promise of its own")
            if len(calls) > 1:
                pytest.skip("a step takes several backward passes")
            follow(other, others, [step])
        require_same(params, others, "a step with a closure differs from one after the same backward pass")

    def test_constant_gradients(self) -> None:
        """Against a gradient that stays the same, parameters never end up uphill of where they began."""
        self.go_down({})

    def go_down(self, settings: Mapping[str, Any]) -> None:
        """Follows one gradient for some time, then one of zero, and looks whether that leads down to finite values."""
        params = parameters(self.shapes)
        before = values(params)
        optimizer = self.make(params, **{**self.no_decay(), **settings})
        (slope,) = gradients(params, 1)
        for step in range(STEADY):
            follow(optimizer, params, [slope])
            if step % 8 and step > 8:
                continue
            for index, (param, old, grad) in enumerate(zip(params, before, slope, strict=True)):
                down = torch.zeros(()) if grad is None else -((param.detach() - old) * grad).sum()
                told = f"after {step + 1} {'steps' if step else 'step'} against the same gradient parameter {index}"
                require(bool(torch.isfinite(param).all()), f"{told} is no longer finite ({words(settings)})")
                require(bool(down >= 0), f"{told} is uphill of where it began ({words(settings)})")
        follow(optimizer, params, scaled([slope], 0.0))
        require_moved(params, before, f"{STEADY} steps against the same gradient ({words(settings)})")

    def test_many_steps(self) -> None:
        """Gradients that are nothing but noise lead to finite values, and steps do not grow without end."""
        params = parameters(self.shapes)
        optimizer = self.make(params, **self.no_decay())
        ways = []
        for index, step in enumerate(gradients(params, MANY)):
            seen = min(index, MANY - index) <= MANY // 6
            before = values(params) if seen else []
            follow(optimizer, params, [step])
            if seen:
                ways.append(sum(lengths(params, before)))
        longest, later = max(ways[: len(ways) // 2]), max(ways[len(ways) // 2 :])
        require(
            later <= GROWTH * longest,
            f"of {MANY} steps through noise the last are {later / (longest or 1e-38):.3g} times as long as the first",
        )

    def test_step_counter(self) -> None:
        """What is called a step, in the state or the groups, counts one a step."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        seen = []
        for step in range(4):
            follow(optimizer, params, gradients(params, 1, step))
            held = [*optimizer.param_groups, *(optimizer.state.get(param, {}) for param in params)]
            seen.append([float(each["step"]) for each in held if "step" in each])
        if not seen[0]:
            pytest.skip("no steps are counted")
        counts = [*zip(*seen, strict=True)]
        right = all(later - earlier == 1 for count in counts for earlier, later in itertools.pairwise(count))
        require(right, f"in four steps a count of steps went {', '.join(f'{each:g}' for each in counts[0])}")

    @pytest.mark.parametrize("setting", ["momentum", "betas"])
    def test_first_momentum(self, setting: str) -> None:
        """At the first step there is no past: momentum makes it no longer."""
        ways = []
        for momentum in self.momenta(setting, 0.0, 0.9):
            params = parameters(self.shapes)
            before = values(params)
            plainly = {"nesterov": False} if self.takes("nesterov") else {}
            try:
                follow(self.make(params, **plainly, **momentum), params, gradients(params, 1))
            except REFUSALS as error:
                pytest.skip(f"{words(momentum)} is not possible: {error}")
            ways.append(sum(lengths(params, before)))
        times = ways[1] / (ways[0] or torch.inf)
        require(times <= LONGER, f"momentum makes the first step {times:.3g} times as long")

    @pytest.mark.parametrize("setting", ["momentum", "betas"])
    def test_momentum_memory(self, setting: str) -> None:
        """With momentum a step depends on the gradients before, and the more of it, the longer."""
        by_size, by_share, by_way = zip(*self.memories(setting, 1.0), strict=True)
        found = [*by_size, *(size for size, _, _ in self.memories(setting, 30.0))]
        require(any(found[1::2]), f"{setting} remembers nothing: gradients before the last make no difference")
        require(
            any(more >= less for less, more in (by_size, by_share, by_way)),
            f"more {setting} remembers less: two gradients move later steps by {by_size[0]:.2g} with 0.1, and by "
            f"{by_size[1]:.2g} with 0.9",
        )

    def memories(self, setting: str, factor: float) -> list[tuple[float, float, float]]:
        """Returns how far two gradients move later steps, with little and with much momentum.

        As it is, for the steps' length, and of the first of them the way alone, as a method may size its steps itself.
        """
        depends = []
        for momentum in self.momenta(setting, 0.1, 0.9):
            last, next_ways = [], []
            for sign in (1.0, -1.0):  # squares, which also remember, do not see it
                params = parameters(self.shapes)
                steps = gradients(params, WARM + 3)
                optimizer = self.make(params, **self.no_decay(), **momentum)
                follow(optimizer, params, [*steps[:WARM], *scaled(steps[WARM:-1], factor * sign), steps[-1]])
                before = values(params)
                follow(optimizer, params, gradients(params, 1, WARM + 3))
                way = torch.cat([(param.detach() - old).flatten() for param, old in zip(params, before, strict=True)])
                next_ways.append(nn.functional.normalize(way, dim=0))
                follow(optimizer, params, gradients(params, WARM - 1, WARM + 4))
                last.append([param.detach() - old for param, old in zip(params, before, strict=True)])
            require(all(torch.isfinite(way).all() for each in last for way in each), "a step led to no finite values")
            apart = sum(float((one - other).abs().sum()) for one, other in zip(*last, strict=True))
            share = apart / max(sum(float(way.abs().sum()) for each in last for way in each), 1e-38)
            depends.append((apart, share, float((next_ways[0] - next_ways[1]).norm())))
        return depends

    def momenta(self, setting: str, *chosen: float) -> list[dict[str, Any]]:
        """Returns settings with these values of momentum, or skips the check."""
        self.need(setting)
        if setting == "momentum":
            return [{"momentum": value} for value in chosen]
        betas = self.defaults()["betas"]
        if not isinstance(betas, tuple | list) or not isinstance(betas[0], float):
            pytest.skip(f"betas are {betas!r}")
        return [{"betas": (value, *betas[1:])} for value in chosen]


def scaled(steps: Gradients, factor: float) -> Gradients:
    """Returns gradients times a factor."""
    return [[None if grad is None else grad * factor for grad in step] for step in steps]


def lengths(params: Sequence[Tensor], before: Sequence[Tensor]) -> list[float]:
    """Returns how far each parameter went, and fails the check where that is not finite."""
    ways = [float((param.detach().double() - old.double()).norm()) for param, old in zip(params, before, strict=True)]
    for index, param in enumerate(params):
        require(bool(torch.isfinite(param).all()), f"parameter {index} is no longer finite")
    return ways


def words(settings: Mapping[str, Any]) -> str:
    """Returns settings as they are written in a call, or that there are none."""
    return ", ".join(f"{name}={value!r}" for name, value in settings.items()) or "by default"

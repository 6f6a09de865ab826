"""Checks of what stands around an optimizer: groups, schedulers, gradient scaling."""

import math
import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer, lr_scheduler, swa_utils

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.support import (
    Suite,
    further,
    give,
    gradients,
    held,
    names_held,
    parameters,
    require_same,
    values,
)

STEPS = 6


def _momentum(optimizer: Optimizer) -> bool:
    return any(name in optimizer.defaults for name in ("momentum", "betas"))


def _rate(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda _: 0.5),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 3]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, total_iters=2),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.5),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, total_iters=4),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=4),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=2),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.5)], milestones=[2]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ExponentialLR(o, 0.5), lr_scheduler.ConstantLR(o, total_iters=2)], optimizer=o
    ),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(
        o, base_lr=_rate(o) / 10, max_lr=_rate(o), step_size_up=2, cycle_momentum=_momentum(o)
    ),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(
        o, max_lr=_rate(o), total_steps=STEPS + 1, cycle_momentum=_momentum(o)
    ),
    "SWALR": lambda o: swa_utils.SWALR(o, swa_lr=_rate(o) / 8, anneal_epochs=2),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
}


class TrainingChecks(Suite):
    """Parameter groups, every scheduler and gradient scaling work as with ``torch.optim``."""

    @pytest.mark.parametrize("name", SCHEDULERS)
    def test_scheduler(self, name: str) -> None:
        """What a scheduler writes to the groups is what the next step uses, and no step overwrites it."""
        self.default_lr()
        params, by_hand = parameters(self.shapes), parameters(self.shapes)
        optimizer, other = self.make(params), self.make(by_hand)
        rest = self.resting()
        for run in ((optimizer, params), (other, by_hand)):
            follow(*run, gradients(params, rest))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some schedulers call each other in ways that torch itself warns of
            scheduler = SCHEDULERS[name](optimizer)
            seen: list[dict[str, Any]] = []
            for step in range(rest, rest + STEPS):
                written = deepcopy(scheduled(optimizer))
                seen.append(written[0])
                follow(optimizer, params, gradients(params, 1, step))
                kept = scheduled(optimizer)
                require(plain(kept) == plain(written), f"a step overwrote {written} with {kept}")
                # The twin never met a scheduler: it goes through a state whose settings were edited.
                state = other.state_dict()
                edited = zip(state["param_groups"], written, strict=True)
                state["param_groups"] = [{**group, **settings} for group, settings in edited]
                other.load_state_dict(state)
                follow(other, by_hand, gradients(by_hand, 1, step))
                scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
        require(len({float(written["lr"]) for written in seen}) > 1, f"{name} changed no learning rate")
        if name in {"OneCycleLR", "CyclicLR"} and _momentum(optimizer):
            cycled = {str(plain([written.get(key) for key in ("betas", "momentum")])) for written in seen}
            require(len(cycled) > 1, f"{name} cycled neither momentum nor betas[0]")
        require_same(params, by_hand, f"{name} differs from the same settings made by hand")
        constant = self.run(steps=rest + STEPS)
        require(
            any(not torch.equal(param, still) for param, still in zip(params, constant, strict=True)),
            f"the parameters took no notice of {name}",
        )

    @pytest.mark.parametrize("clipped", [False, True], ids=["unscaled_by_step", "unscaled_and_clipped"])
    def test_grad_scaler(self, clipped: bool) -> None:
        """``GradScaler`` changes nothing, and a step that it skips for an infinite gradient leaves no trace."""
        params, plainly = parameters(self.shapes), parameters(self.shapes)
        optimizer, other = self.make(params), self.make(plainly)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
        for step in range(4):
            before, state = values(params), deepcopy(optimizer.state_dict())
            spoilt = give(params, step)
            for grad in spoilt:
                grad.mul_(scaler.get_scale())
            # The scaler learns of its device by the loss that it scales.
            scaler.scale(torch.ones(()))
            if step == 1:
                spoilt[-1].view(-1)[0] = torch.inf
            else:
                give(plainly, step)
                if clipped:
                    clip_grad_norm_(plainly, 0.5)
                other.step()
            if clipped:
                scaler.unscale_(optimizer)
                clip_grad_norm_(params, 0.5)
            scaler.step(optimizer)
            scaler.update()
            if step == 1:
                require_same(params, before, "a skipped step moved a parameter")
                require(same(optimizer.state_dict(), state), "a skipped step changed the state")
        require_same(params, plainly, "steps with GradScaler differ from steps without")

    def test_named_parameters(self) -> None:
        """Named parameters are accepted, move alike, and the names are kept in the groups."""
        params = parameters(self.shapes)
        names = [f"layer.{index}" for index in range(len(params))]
        optimizer = self.make(zip(names, params, strict=True))
        follow(optimizer, params, gradients(params, 3))
        require_same(params, self.run(), "named parameters move differently")
        require(names_held(optimizer.param_groups) == names, "the groups hold no param_names")
        require(names_held(optimizer.state_dict()["param_groups"]) == names, "the names are not saved")

    def test_added_group(self) -> None:
        """A group that is added later moves by its own settings, as if it had an optimizer of its own."""
        rate = self.default_lr()
        params, alone = parameters(self.shapes), parameters(self.shapes)
        optimizer, first = self.make(params[:1]), self.make(alone[:1])
        settings = set(optimizer.param_groups[0])  # what the steps add is no setting
        follow(optimizer, params[:1], gradients(params[:1], 2))
        follow(first, alone[:1], gradients(alone[:1], 2))
        made = len(optimizer.param_groups)
        optimizer.add_param_group({"params": further(optimizer, params[1:]), "lr": rate / 2})
        second = self.make(alone[1:], lr=rate / 2)
        for added in optimizer.param_groups[made:]:
            missing = settings - added.keys()
            require(not missing, f"the added group lacks {sorted(missing)}")
        for step in gradients(params, 3, 2):
            follow(optimizer, params, [step])
            follow(first, alone[:1], [step[:1]])
            follow(second, alone[1:], [step[1:]])
        require_same(params, alone, "an added group differs from an optimizer of its own")

    def test_duplicates_refused(self) -> None:
        """A parameter that is already there is refused with a ValueError, and the groups stay as they were."""
        params = parameters(self.shapes)
        optimizer = self.make(params)
        made = len(optimizer.param_groups)
        try:
            optimizer.add_param_group({"params": further(optimizer, params[:1])})
        except ValueError:
            pass
        else:
            require(False, "a parameter was accepted into a second group")
        require(len(optimizer.param_groups) == made, "the refused group was added")
        try:
            self.make([{"params": params}, {"params": params[:1]}])
        except ValueError:
            return
        require(False, "a parameter was accepted in two groups at construction")

    def test_callers_groups_not_aliased(self) -> None:
        """Dicts and lists that the caller passed are neither written to nor listened to."""
        first, *others = parameters(self.shapes)
        groups: list[dict[str, Any]] = [{"params": [first]}]
        optimizer = self.make([groups[0]])
        groups.append({"params": further(optimizer, others)})
        lists = [group["params"] for group in groups]
        optimizer.add_param_group(groups[1])
        follow(optimizer, [first, *others], gradients([first, *others], 1))
        for group, given in zip(groups, lists, strict=True):
            require(group.keys() == {"params"}, f"the caller's dict was given the keys {sorted(group)}")
            require(group["params"] is given, "the list in the caller's dict was replaced")
            group["lr"] = 123.0
            given.clear()
        require(len(held(optimizer)) == 1 + len(others), "emptying the caller's list emptied the optimizer's group")
        listened = any(group.get("lr") == 123.0 for group in optimizer.param_groups)
        require(not listened, "writing to the caller's dict changed the group")


def scheduled(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Returns what schedulers write to, of each group; an optimizer may make others than it was given."""
    names = ("lr", "betas", "momentum")
    return [{name: group[name] for name in names if name in group} for group in optimizer.param_groups]


def plain(value: Any) -> Any:
    """Returns nested containers as comparable plain values, of which NaN equals itself.

    Objects that are equal to nothing but themselves, which a copy is not, stand for what they hold.
    """
    if isinstance(value, torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    kind: Any = type(value)
    if hasattr(value, "__dict__") and not callable(value) and kind.__eq__ is object.__eq__:
        return {"of": kind, **plain(vars(value))}
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def same(one: Any, other: Any) -> bool:
    """Returns whether two states hold the same."""
    return bool(plain(one) == plain(other))

"""A sound optimizer, from which each broken one differs by one fault, and what the suite finds of one.

The broken ones are in the test files of the checks that find them.
"""

import copy
import math
from types import MappingProxyType

import pytest
import torch
from torch.optim import Optimizer

from trimtab.testing import OptimizerConformance, updates
from trimtab.testing.audit import cases

try:
    import torch.testing._internal.common_optimizers
except ImportError:  # then these checks are skipped, and find nothing
    SKIPPED = {"torch_error_inputs"}
else:
    SKIPPED = set()

SHORT = MappingProxyType({"MANY": 12, "STEADY": 4})
"""Lengths of the suite's long runs, where a fault is found without them."""

LONG_ENOUGH = MappingProxyType({"MANY": 60, "STEADY": 40})
"""Lengths of runs in which something goes wrong only later."""


class Sound(Optimizer):
    """Momentum, and nothing wrong with it; faults replace one of its methods."""

    state_dtype = None

    def __init__(self, params, lr=0.125, betas=(0.5, 0.25), weight_decay=0.0, maximize=False):
        super().__init__(
            params, {"lr": self.number(lr), "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        )

    def number(self, lr):
        if isinstance(lr, torch.Tensor) and lr.numel() != 1:
            raise ValueError("lr must be a tensor of one element")
        return lr.item() if isinstance(lr, torch.Tensor) else lr

    @property
    def params(self):
        return [param for group in self.param_groups for param in group["params"] if param.grad is not None]

    def check(self, group):
        for name, limit in (("lr", math.inf), ("weight_decay", math.inf), ("betas", 1.0)):
            values = group[name] if name == "betas" else [group[name]]
            if not all(0 <= float(value) < limit for value in values):
                raise ValueError(f"{name}={group[name]} must lie in [0, {limit})")
        if any(param.is_complex() and param.requires_grad for param in group["params"]):
            raise TypeError("complex parameters are not supported")

    def add_param_group(self, param_group):
        group = {"lr": self.defaults["lr"], "betas": self.defaults["betas"], **param_group}
        group["params"] = list(group["params"])
        super().add_param_group(group)
        try:
            self.check(self.param_groups[-1])
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    # Torch wraps the ``step`` of each class that has its own, and hooks would run twice: faults replace ``take``.
    @torch.no_grad()
    def step(self, closure=None):
        return self.take(closure)

    def take(self, closure):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.check(group)
        self.refuse()
        self.before()
        for group in self.param_groups:
            self.move(group)
        self.after()
        return loss

    def refuse(self):
        if any(param.grad.is_sparse for param in self.params):
            raise RuntimeError("sparse gradients are not supported")

    def before(self):
        pass

    def after(self):
        pass

    def move(self, group):
        for param in group["params"]:
            if param.grad is not None:
                state = self.state[param]
                if not state:
                    state["momentum"] = torch.zeros_like(param, dtype=self.state_dtype, requires_grad=False)
                grad = self.gradient(param, -param.grad if group["maximize"] else param.grad, group)
                state["momentum"].mul_(group["betas"][0]).add_(
                    grad.to(state["momentum"].dtype), alpha=1 - group["betas"][1]
                )
                param.mul_(1 - group["lr"] * group["weight_decay"]).sub_(state["momentum"], alpha=float(group["lr"]))

    def gradient(self, param, grad, group):
        return grad

    def keep(self, **settings):
        self.defaults |= settings
        for group in self.param_groups:
            group.update({**settings, **group})  # what a group says itself is its own

    def counted(self, param, by=1):
        state = self.state[param]
        state["step"] = state.get("step", 0) + by
        return state["step"]

    def state_dict(self):
        return copy.deepcopy(super().state_dict())

    def load_state_dict(self, state_dict):
        super().load_state_dict(copy.deepcopy(state_dict))


def checks(optimizer):
    """Yields every check with every set of its arguments, as pytest would, by the name that ``exceptions`` takes."""
    return cases(type("Suite", (OptimizerConformance,), {"optimizer": optimizer}))


def failures(optimizer, lengths=MappingProxyType({})):
    """Returns what an optimizer fails: the error, by the name of the check.

    The suite's long runs may have other lengths.
    """
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, steps in lengths.items():
            patch.setattr(updates, name, steps)
        for name, check in checks(optimizer):
            if name == "new_process":  # it takes seconds, and has a test of its own
                continue
            try:
                check()
            except pytest.skip.Exception:
                pass
            except Exception as error:
                found[name] = error
            finally:
                torch.set_grad_enabled(True)
    return found


def without_cases(names):
    return {name.partition("[")[0] for name in names}


def of_each(faults):
    """Calls a test with each optimizer of a table, and with the checks that must fail: these and no others."""
    found = [(fault, set(names.split()) - SKIPPED) for fault, names in faults.items()]
    return pytest.mark.parametrize(("fault", "expected"), found, ids=[fault.__name__ for fault in faults])

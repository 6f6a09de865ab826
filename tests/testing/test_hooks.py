"""Optimizers that others cannot call as they call any other, and that call what they should not."""

import sys

import torch

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class TakesTheClosureByPlace(Sound):
    @torch.no_grad()
    def step(self, closure=None, /):
        return self.take(closure)


class CallsGlobalHooksAgain(Sound):
    def after(self):
        for hook in sys.modules["torch.optim.optimizer"]._global_optimizer_post_hooks.values():
            hook(self, (), {})


class IgnoresPrepend(Sound):
    def register_load_state_dict_post_hook(self, hook, prepend=False):
        return super().register_load_state_dict_post_hook(hook)


class DependsOnTheDefaultType(Sound):
    def after(self):
        if torch.get_default_dtype() == torch.float64:
            for param in self.params:
                param.mul_(0.75)


class CannotBePrinted(Sound):
    __repr__ = object.__repr__


FAULTS = {
    TakesTheClosureByPlace: "closure_by_name distributed_state",
    CallsGlobalHooksAgain: "global_step_hooks",
    IgnoresPrepend: "hook_order",
    DependsOnTheDefaultType: "default_dtype",
    CannotBePrinted: "printed",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found

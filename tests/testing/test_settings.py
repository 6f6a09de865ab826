"""Optimizers that take bad settings, or refuse them too late or in words that say nothing."""

import torch

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class AcceptsAnything(Sound):
    def check(self, group):
        if any(param.is_complex() for param in group["params"]):
            super().check(group)


class ChecksOnlyAtConstruction(Sound):
    def check(self, group):
        if not self.state or not self.params:
            super().check(group)


class RefusesWithoutNaming(Sound):
    def check(self, group):
        try:
            super().check(group)
        except ValueError:
            raise ValueError("invalid value") from None


class RefusesTooLate(Sound):
    def take(self, closure):
        try:
            return super().take(closure)
        except ValueError:
            self.params[0].add_(1)
            raise


class SharesTensorLr(Sound):
    def __init__(self, params, lr=0.125, **settings):
        super().__init__(params, lr, **settings)
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"] = lr


class SharesTensorLrAmongGroups(Sound):
    def __init__(self, params, lr=0.125, **settings):
        super().__init__(params, lr, **settings)
        if isinstance(lr, torch.Tensor):
            own = lr.clone()
            for group in self.param_groups:
                group["lr"] = own


class OverwritesLr(Sound):
    def after(self):
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]


class AveragesRates(Sound):
    def number(self, lr):
        return lr.mean().item() if isinstance(lr, torch.Tensor) else lr


class RefusesTwoRatesByAccident(Sound):
    def number(self, lr):
        if lr < 0:  # of a tensor of two elements, torch cannot tell
            raise ValueError(f"lr={lr} must not be negative")
        return super().number(lr)


FAULTS = {
    AcceptsAnything: "refuses refuses_in_group refuses_later",
    RefusesWithoutNaming: "refuses refuses_in_group refuses_later",
    ChecksOnlyAtConstruction: "refuses_later",
    RefusesTooLate: "refuses_later",
    SharesTensorLr: "group_settings tensor_lr_not_aliased",
    SharesTensorLrAmongGroups: "tensor_lr_not_aliased",
    OverwritesLr: "tensor_lr scheduler added_group tensor_lr_saved",
    AveragesRates: "refuses_lr_of_two",
    RefusesTwoRatesByAccident: "refuses_lr_of_two",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found


def test_every_setting_is_tried_at_every_place():
    found = failures(AcceptsAnything)
    settings = {name.partition("[")[2].partition("=")[0] for name in found}
    assert settings == {"lr", "betas[0]", "betas[1:]", "weight_decay"}
    assert len(found) == 3 * (2 + 6 + 2)
    assert all(isinstance(error, AssertionError) for error in found.values())

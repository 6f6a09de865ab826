"""Optimizers that do not go together with what stands around them: groups, schedulers, gradient scaling."""

import copy

import torch

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases
from trimtab.testing.training import same


class IgnoresSchedules(Sound):
    """Works with the settings of the beginning, and shows those of the groups."""

    def take(self, closure):
        shown = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]
        try:
            return super().take(closure)
        finally:
            for group, lr in zip(self.param_groups, shown, strict=True):
                group["lr"] = lr


class DropsNames(Sound):
    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        self.param_groups[-1].pop("param_names", None)


class AcceptsDuplicates(Sound):
    def add_param_group(self, param_group):
        try:
            super().add_param_group(param_group)
        except ValueError as error:
            if "more than one parameter group" not in str(error):
                raise
            self.param_groups.append({**self.param_groups[0], **param_group})


class WritesToCallersGroup(Sound):
    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        param_group["lr"] = self.param_groups[-1]["lr"]


class KeepsCallersList(Sound):
    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        if isinstance(param_group["params"], list) and isinstance(param_group["params"][0], torch.Tensor):
            self.param_groups[-1]["params"] = param_group["params"]


class ZeroesInfinity(Sound):
    """Takes the scaler's work over, and steps where the scaler would not."""

    _step_supports_amp_scaling = True

    def before(self):
        for param in self.params:
            param.grad.nan_to_num_(posinf=0.0).div_(getattr(self, "grad_scale", None) or 1.0)


class UnscalesAgain(Sound):
    """Takes the scaler's work over, and unscales also what was unscaled by hand."""

    _step_supports_amp_scaling = True

    def take(self, closure):
        return None if getattr(self, "found_inf", 0) else super().take(closure)

    def before(self):
        if hasattr(self, "found_inf"):
            for param in self.params:
                param.grad.div_(2.0**8 if self.grad_scale is None else self.grad_scale)


FAULTS = {
    IgnoresSchedules: "scheduler added_group group_settings refuses_later zero_lr tensor_lr_saved",
    ZeroesInfinity: "grad_scaler expanded_gradients",
    UnscalesAgain: "grad_scaler",
    DropsNames: "named_parameters names_of_a_state",
    AcceptsDuplicates: "duplicates_refused",
    WritesToCallersGroup: "callers_groups_not_aliased",
    KeepsCallersList: "callers_groups_not_aliased group_without_parameters",
}


class Held:
    def __init__(self, value):
        self.value = value


def test_objects_without_an_equality_stand_for_what_they_hold():
    kept = {"a": [Held(torch.ones(2))]}
    assert same(kept, copy.deepcopy(kept))
    assert not same(kept, {"a": [Held(torch.zeros(2))]})


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found

"""Optimizers that parameters and gradients are too much for that are not what most are."""

import warnings

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class OverflowsInSquares(Sound):
    def after(self):
        for param in self.params:
            param.add_(0 * param.grad.square())


class ReadsValues(Sound):
    def after(self):
        for param in self.params:
            param.grad.sum().item()


class ExpandsQuietly(Sound):
    def before(self):
        for param in self.params:
            if 0 in param.stride() and param.numel():
                param.data = param.data.clone()


class RefusesFrozen(Sound):
    def check(self, group):
        super().check(group)
        if not all(param.requires_grad for param in group["params"]):
            raise ValueError("a parameter is frozen")


class MeasuresAtOnce(Sound):
    def check(self, group):
        super().check(group)
        assert all(param.shape is not None for param in group["params"])


class TakesDuplicatesInSilence(Sound):
    def add_param_group(self, param_group):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super().add_param_group(param_group)


class LooksAtTheFirst(Sound):
    def before(self):
        self.param_groups[0]["params"][0].dtype  # noqa: B018 - the fault


class DriftsWithoutGradient(Sound):
    def after(self):
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.add_(0.125 * group["lr"])


FAULTS = {
    OverflowsInSquares: "gradient_size",
    ReadsValues: "meta_parameters",
    ExpandsQuietly: "expanded_parameter",
    RefusesFrozen: "frozen_parameters",
    MeasuresAtOnce: "lazy_parameters",
    TakesDuplicatesInSilence: "duplicate_in_a_group torch_error_inputs",
    LooksAtTheFirst: "group_without_parameters",
    DriftsWithoutGradient: "zero_gradients group_weight_decay",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found

"""Optimizers that do in a step what they should not, or leave out what they should do."""

import random

import numpy as np
import torch

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class ClosureWithoutGradients(Sound):
    def take(self, closure):
        def without_gradients():
            with torch.no_grad():
                return closure()

        return super().take(closure and without_gradients)


class IgnoresTheClosure(Sound):
    def take(self, closure):
        super().take(None)
        return torch.zeros(())


class DropsTheLoss(Sound):
    def take(self, closure):
        super().take(closure)


class LeavesGradientsOff(Sound):
    def step(self, closure=None):
        with torch.no_grad():
            loss = self.take(closure)
        torch.set_grad_enabled(False)
        return loss


class MovesStorage(Sound):
    def after(self):
        for param in self.params:
            param.data = param.data.clone()


class WritesToGradients(Sound):
    def after(self):
        for param in self.params:
            param.grad.mul_(0.5)


class ReplacesGradients(Sound):
    def after(self):
        for param in self.params:
            param.grad = param.grad.clone()


class DrawsFromTorch(Sound):
    def after(self):
        torch.rand(())


class DrawsFromPython(Sound):
    def after(self):
        random.random()


class DrawsFromNumpy(Sound):
    def after(self):
        np.random.rand()  # noqa: NPY002 - the fault


class MovesWithoutLr(Sound):
    def after(self):
        for param in self.params:
            param.add_(1e-3)


class DecaysWithoutGradient(Sound):
    def after(self):
        for group in self.param_groups:
            for param in group["params"]:
                param.mul_(0.9)


class MinimisesAnyway(Sound):
    def before(self):
        for group in self.param_groups:
            group["maximize"] = False


class KeepsGradients(Sound):
    def zero_grad(self, set_to_none=True):
        pass


class ForgetsHooks(Sound):
    def register_step_post_hook(self, hook):
        return super().register_step_post_hook(lambda *_: None)


class KeepsTheGraph(Sound):
    def after(self):
        for param in self.params:
            self.state[param]["momentum"].requires_grad_()


class CountsStepsOfAll(Sound):
    """Scales by the number of steps, wherever a parameter's own began; the number is lost with the object."""

    def after(self):
        self.steps = getattr(self, "steps", 0) + 1
        for param in self.params:
            param.mul_(1 - 0.01 * min(self.steps, 50) * (self.param_groups[0]["lr"] != 0))


class DependsOnOrder(Sound):
    def after(self):
        for index, param in enumerate(self.params):
            param.mul_(1 - 0.01 * index)


class MakesNoStateWithoutLr(Sound):
    def move(self, group):
        if group["lr"]:
            super().move(group)


class DiffersWithForeach(Sound):
    def __init__(self, params, foreach=False, **settings):
        super().__init__(params, **settings)
        self.defaults["foreach"] = foreach

    def after(self):
        for param in self.params:
            param.add_(1e-3 * self.defaults["foreach"])


FAULTS = {
    ClosureWithoutGradients: "closure",
    IgnoresTheClosure: "closure",
    DropsTheLoss: "closure",
    LeavesGradientsOff: "closure step_builds_no_graph tied_parameters descends",
    KeepsTheGraph: "step_builds_no_graph loaded_state_not_aliased",
    ForgetsHooks: "step_hooks global_step_hooks",
    WritesToGradients: "gradients_unchanged between_backward_and_step expanded_gradients",
    ReplacesGradients: "gradients_unchanged",
    KeepsGradients: "zero_grad without_gradients between_backward_and_step descends",
    MovesStorage: "storage_not_moved layout",
    DrawsFromTorch: "global_random_state",
    DrawsFromPython: "global_random_state",
    DrawsFromNumpy: "global_random_state",
    MovesWithoutLr: "zero_lr distributed_state group_weight_decay zero_gradients",
    MakesNoStateWithoutLr: "zero_lr distributed_state",
    MinimisesAnyway: "maximize",
    DecaysWithoutGradient: (
        "without_gradients late_gradients zero_lr distributed_state frozen_parameters group_weight_decay zero_gradients"
    ),
    CountsStepsOfAll: (
        "late_gradients added_group deepcopy pickle state_dict copied_attributes "
        "distributed_state group_weight_decay group_without_parameters kept_entries zero_gradients"
    ),
    DependsOnOrder: (
        "order_of_parameters alone added_group mixed_dtypes zero_lr distributed_state group_weight_decay zero_gradients"
    ),
    DiffersWithForeach: "foreach",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found

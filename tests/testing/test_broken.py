"""The suite finds what is wrong: each optimizer here is a sound one with one fault, and fails the checks named."""

import ast
import contextlib
import copy
import functools
import math
import random
import subprocess
import sys
import warnings
from collections import defaultdict
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.optim import Optimizer

from tests.new_process import AS_A_PROGRAM, go_on
from trimtab.testing import OptimizerConformance, saving, updates
from trimtab.testing.audit import cases

pytest_plugins = ("pytester",)


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
                state["momentum"].mul_(group["betas"][0]).add_(grad.to(state["momentum"].dtype))
                param.mul_(1 - group["lr"] * group["weight_decay"]).sub_(state["momentum"], alpha=float(group["lr"]))

    def gradient(self, param, grad, group):
        return grad

    def keep(self, **settings):
        self.defaults |= settings
        for group in self.param_groups:
            group.update(settings)

    def counted(self, param, by=1):
        state = self.state[param]
        state["step"] = state.get("step", 0) + by
        return state["step"]

    def state_dict(self):
        return copy.deepcopy(super().state_dict())

    def load_state_dict(self, state_dict):
        super().load_state_dict(copy.deepcopy(state_dict))


class ClosureWithoutGradients(Sound):
    def take(self, closure):
        def without_gradients():
            with torch.no_grad():
                return closure()

        return super().take(closure and without_gradients)


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


class SkipsScalars(Sound):
    def before(self):
        self.kept = [(param, param.clone()) for param in self.params if param.dim() == 0]

    def after(self):
        for param, value in self.kept:
            param.copy_(value)


class WritesToGaps(Sound):
    def after(self):
        for param in self.params:
            if param.numel() and not param.is_contiguous():
                size = param.untyped_storage().size() // param.element_size()
                param.as_strided((size,), (1,), 0).add_(1e-3)


class MakesContiguous(Sound):
    def after(self):
        for param in self.params:
            param.data = param.data.contiguous()


class MixesLayouts(Sound):
    """Takes elements in the order of memory, for the gradient another one than for the parameter."""

    def before(self):
        for param in self.params:
            if not param.is_contiguous() and param.dim() == 4:
                param.grad = param.grad.transpose(0, 3).reshape(param.shape)


class MakesFloat32(Sound):
    def after(self):
        for param in self.params:
            if param.dtype == torch.bfloat16:
                param.data = param.data.float()


class RefusesAny(Sound):
    """Does not say what it refuses."""

    def check(self, group):
        if any(param.is_complex() for param in group["params"]):
            raise TypeError("something is wrong")
        super().check(group)

    def refuse(self):
        if any(param.grad.is_sparse for param in self.params):
            raise RuntimeError("something is wrong")


class MovesThenRefuses(Sound):
    def refuse(self):
        for param in self.params:
            if any(other.grad.is_sparse for other in self.params):
                param.add_(1)
        super().refuse()


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


class LosesStateOnPickle(Sound):
    def __getstate__(self):
        return {**super().__getstate__(), "state": defaultdict(dict)}


class PickleCannot(Sound):
    def __init__(self, params, **settings):
        super().__init__(params, **settings)
        self.defaults["hook"] = lambda: None


class SavesNothing(Sound):
    def state_dict(self):
        return {**super().state_dict(), "state": {}}


class SavesMore(Sound):
    def state_dict(self):
        return {**super().state_dict(), "version": 1}


class SavesCallables(Sound):
    def state_dict(self):
        state = super().state_dict()
        state["param_groups"][0]["rule"] = len
        return state


class SavesByReference(Sound):
    def state_dict(self):
        return Optimizer.state_dict(self)


class LoadsByReference(Sound):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        for index, saved in state_dict["state"].items():
            if isinstance(index, str):  # from distributed checkpointing, or a user's own
                continue
            self.state[[param for group in self.param_groups for param in group["params"]][index]] = saved


class LoadsAnything(Sound):
    def load_state_dict(self, state_dict):
        with contextlib.suppress(ValueError):
            super().load_state_dict(state_dict)


class RoundsState(Sound):
    """Keeps state in float32, and lets torch cast what is loaded to the parameter's type."""

    state_dtype = torch.float32


class KnowsItsProcess(Sound):
    """Depends on a global that a new process does not have."""

    drift = 1

    def after(self):
        for param in self.params:
            param.add_(self.drift)


class DropsSavedHooks(Sound):
    def register_state_dict_post_hook(self, hook, prepend=False):
        return super().register_state_dict_post_hook(lambda *_: None)


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


class CatchesGradients(Sound):
    """Takes gradients as the backward pass makes them, whatever the loop does to them afterwards."""

    def __init__(self, params, **settings):
        super().__init__(params, **settings)
        self.caught = {}
        for group in self.param_groups:
            for param in group["params"]:
                param.register_post_accumulate_grad_hook(self.catch)

    def catch(self, param):
        self.caught[id(param)] = param.grad.clone()

    def move(self, group):
        own = [param.grad for param in group["params"]]
        for param in group["params"]:
            param.grad = getattr(self, "caught", {}).pop(id(param), param.grad)
        super().move(group)
        for param, grad in zip(group["params"], own, strict=True):
            param.grad = grad


class MakesNoStateWithoutLr(Sound):
    def move(self, group):
        if group["lr"]:
            super().move(group)


class SkipsSquares(Sound):
    """Leaves out what has as many rows as columns, as only the layers of the check for tied parameters have."""

    def move(self, group):
        chosen = [param for param in group["params"] if param.dim() != 2 or param.shape[0] != param.shape[1]]
        super().move({**group, "params": chosen})


class DiffersWithForeach(Sound):
    def __init__(self, params, foreach=False, **settings):
        super().__init__(params, **settings)
        self.defaults["foreach"] = foreach

    def after(self):
        for param in self.params:
            param.add_(1e-3 * self.defaults["foreach"])


class RestsInBfloat16(Sound):
    def move(self, group):
        super().move({**group, "params": [param for param in group["params"] if param.dtype != torch.bfloat16]})


class RoundsFloat64(Sound):
    def after(self):
        for param in self.params:
            param.copy_(param.float())


class CopiesToItself(Sound):
    def __deepcopy__(self, memo):
        return self


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


class Climbs(Sound):
    def move(self, group):
        super().move({**group, "maximize": not group["maximize"]})


class DecaysAllAlike(Sound):
    def move(self, group):
        super().move({**group, "weight_decay": self.defaults["weight_decay"]})


class DropsWhatItDoesNotKnow(Sound):
    def state_dict(self):
        saved = super().state_dict()
        return {**saved, "state": {key: value for key, value in saved["state"].items() if isinstance(key, int)}}


class CountsInTensorsOnly(Sound):
    def after(self):
        for param in self.params:
            self.state[param].setdefault("step", torch.tensor(0.0)).add_(1)


class LoadsItsOwnTypeOnly(Sound):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        params = [param for group in self.param_groups for param in group["params"]]
        for index, state in state_dict["state"].items():
            if isinstance(index, int) and state["momentum"].dtype != params[index].dtype:
                raise ValueError("the state is of another type")


class RefusesNames(Sound):
    def load_state_dict(self, state_dict):
        if "param_names" in state_dict["param_groups"][0]:
            raise ValueError("the state has names")
        super().load_state_dict(state_dict)


class KeepsNothingByName(Sound):
    def after(self):
        for param in self.params:
            self.state[param]["note"] = None


class LosesAnAttribute(Sound):
    def __init__(self, params, **settings):
        super().__init__(params, **settings)
        self.last = None


class AveragesRates(Sound):
    def number(self, lr):
        return lr.mean().item() if isinstance(lr, torch.Tensor) else lr


class DividesByTheirNumber(Sound):
    def move(self, group):
        super().move({**group, "lr": group["lr"] / len(self.params)})


class DividesByWeights(Sound):
    def before(self):
        for param in self.params:
            param.mul_(param.norm() / param.norm())


class FearsLargeGradients(Sound):
    def gradient(self, param, grad, group):
        return grad / (1 + grad.square().sum())


class KeepsTheGradientItself(Sound):
    def gradient(self, param, grad, group):
        before = self.state[param].get("last", param.grad)
        self.state[param]["last"] = param.grad
        return grad + 0 * before + (before - param.grad).abs() * 0.25


class LooksBeforeTheClosure(Sound):
    def take(self, closure):
        self._largest = {param: param.grad.abs().max() for param in self.params if param.numel()}
        return super().take(closure)

    def gradient(self, param, grad, group):
        return grad / (1 + self._largest.get(param, 0))


class TurnsAround(Sound):
    def gradient(self, param, grad, group):
        return -2 * grad if self.counted(param) > 10 else grad


class GrowsWithoutEnd(Sound):
    def gradient(self, param, grad, group):
        return grad * 1.2 ** float(self.counted(param))


class CountsTwice(Sound):
    def gradient(self, param, grad, group):
        self.counted(param, 2)
        return grad


class BeginsWithTheGradient(Sound):
    def gradient(self, param, grad, group):
        if self.counted(param) == 1:
            self.state[param]["momentum"].copy_(grad)
        return grad


class RemembersNothing(Sound):
    def gradient(self, param, grad, group):
        self.state[param]["momentum"].zero_()
        return grad


class SharesAmongState(Sound):
    def gradient(self, param, grad, group):
        self.state[param]["same"] = self.state[param]["momentum"]
        return grad


class DropsASetting(Sound):
    def __init__(self, params, warmup=3, **settings):
        super().__init__(params, **settings)


class NeverReadsASetting(Sound):
    def __init__(self, params, warmup=3, **settings):
        super().__init__(params, **settings)
        self.keep(warmup=warmup)


class NeverReadsAFlag(Sound):
    def __init__(self, params, nesterov=False, **settings):
        super().__init__(params, **settings)
        self.keep(nesterov=nesterov)


class BlowsUpWithAFlag(Sound):
    def __init__(self, params, centred=False, **settings):
        super().__init__(params, **settings)
        self.keep(centred=centred)

    def gradient(self, param, grad, group):
        return grad / grad.norm() if group["centred"] else grad


class DividesByMomentum(Sound):
    def gradient(self, param, grad, group):
        return grad * (group["betas"][0] / group["betas"][0])


class ClipsBackwards(Sound):
    def __init__(self, params, clip=1e-3, **settings):
        super().__init__(params, **settings)
        self.keep(clip=clip)

    def gradient(self, param, grad, group):
        return grad / ((grad.norm() + 1) / group["clip"]).clamp(max=1)


class DecaysInOneForm(Sound):
    def __init__(self, params, decouple=True, **settings):
        super().__init__(params, **settings)
        self.keep(decouple=decouple)

    def move(self, group):
        super().move(group if group["decouple"] else {**group, "weight_decay": 0.0})


# Every fault, and the checks that must notice it: these and no others.
FAULTS = {
    ClosureWithoutGradients: "closure",
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
        "late_gradients added_group momentum_memory deepcopy pickle state_dict copied_attributes "
        "distributed_state group_weight_decay group_without_parameters kept_entries zero_gradients"
    ),
    DependsOnOrder: (
        "order_of_parameters alone added_group mixed_dtypes zero_lr distributed_state group_weight_decay zero_gradients"
    ),
    DiffersWithForeach: "foreach",
    SkipsScalars: "shape copied_attributes",
    SkipsSquares: "tied_parameters",
    WritesToGaps: "layout",
    MakesContiguous: "layout",
    MixesLayouts: "layout",
    MakesFloat32: "dtype state_dict state_of_another_type",
    RestsInBfloat16: "dtype mixed_dtypes state_of_another_type",
    RoundsFloat64: "dtype",
    RefusesAny: "sparse_gradients complex_parameters frozen_parameters",
    MovesThenRefuses: "sparse_gradients",
    AcceptsAnything: "refuses refuses_in_group refuses_later",
    RefusesWithoutNaming: "refuses refuses_in_group refuses_later",
    ChecksOnlyAtConstruction: "refuses_later",
    RefusesTooLate: "refuses_later",
    SharesTensorLr: "tensor_lr_not_aliased",
    SharesTensorLrAmongGroups: "tensor_lr_not_aliased",
    OverwritesLr: "tensor_lr scheduler added_group tensor_lr_saved",
    IgnoresSchedules: "scheduler added_group refuses_later zero_lr tensor_lr_saved",
    ZeroesInfinity: "grad_scaler expanded_gradients",
    UnscalesAgain: "grad_scaler",
    CatchesGradients: "between_backward_and_step frozen_parameters copied_attributes",
    DropsNames: "named_parameters names_of_a_state",
    AcceptsDuplicates: "duplicates_refused",
    WritesToCallersGroup: "callers_groups_not_aliased",
    KeepsCallersList: "callers_groups_not_aliased group_without_parameters",
    CopiesToItself: "deepcopy",
    LosesStateOnPickle: "deepcopy pickle",
    PickleCannot: "pickle",
    SavesNothing: (
        "state_dict scheduler distributed_state frozen_parameters group_without_parameters "
        "kept_entries names_of_a_state tensor_lr_saved"
    ),
    SavesMore: "state_dict_keys",
    SavesCallables: "state_dict state_dict_keys distributed_state kept_entries tensor_lr_saved",
    RoundsState: "state_dict",
    SavesByReference: "saved_state_not_aliased",
    LoadsByReference: "loaded_state_not_aliased",
    LoadsAnything: "foreign_state_refused",
    DropsSavedHooks: "state_dict_hooks hook_order",
    OverflowsInSquares: "gradient_size",
    ReadsValues: "meta_parameters",
    ExpandsQuietly: "expanded_parameter",
    RefusesFrozen: "frozen_parameters",
    MeasuresAtOnce: "lazy_parameters",
    TakesDuplicatesInSilence: "duplicate_in_a_group torch_error_inputs",
    LooksAtTheFirst: "group_without_parameters",
    DriftsWithoutGradient: "zero_gradients group_weight_decay",
    TakesTheClosureByPlace: "closure_by_name distributed_state",
    CallsGlobalHooksAgain: "global_step_hooks",
    IgnoresPrepend: "hook_order",
    DependsOnTheDefaultType: "default_dtype",
    CannotBePrinted: "printed",
    Climbs: "descends constant_gradients",
    DecaysAllAlike: "group_weight_decay kept_entries state_dict",
    DropsWhatItDoesNotKnow: "kept_entries",
    CountsInTensorsOnly: "step_counts",
    LoadsItsOwnTypeOnly: "state_of_another_type",
    RefusesNames: "names_of_a_state",
    KeepsNothingByName: "distributed_state",
    LosesAnAttribute: "copied_attributes",
    AveragesRates: "refuses_lr_of_two torch_error_inputs",
    DividesByTheirNumber: "alone added_group late_gradients mixed_dtypes shape without_gradients",
    DividesByWeights: "zero_parameters gradient_size",
    FearsLargeGradients: "scaled_gradients",
    KeepsTheGradientItself: "reused_gradients state_not_shared between_backward_and_step",
    LooksBeforeTheClosure: "closure_gradients",
    TurnsAround: "constant_gradients",
    GrowsWithoutEnd: "many_steps",
    CountsTwice: "step_counter",
    BeginsWithTheGradient: "first_momentum",
    RemembersNothing: "momentum_memory",
    SharesAmongState: "state_not_shared",
    DropsASetting: "settings_kept numbers",
    NeverReadsASetting: "numbers",
    NeverReadsAFlag: "flags",
    BlowsUpWithAFlag: "flags",
    DividesByMomentum: "accepted_settings first_momentum",
    ClipsBackwards: "unreached_clipping numbers",
    DecaysInOneForm: "weight_decay_forms",
}

try:
    import torch.testing._internal.common_optimizers
except ImportError:  # then these checks are skipped, and find nothing
    SKIPPED = {"torch_error_inputs"}
else:
    SKIPPED = set()


def checks(optimizer):
    """Yields every check with every set of its arguments, as pytest would, by the name that ``exceptions`` takes."""
    return cases(type("Suite", (OptimizerConformance,), {"optimizer": optimizer}))


def failures(optimizer):
    """Returns what an optimizer fails: the error, by the name of the check."""
    found = {}
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


def test_a_sound_optimizer_passes():
    assert failures(Sound) == {}


OLD = tuple(FAULTS)[: tuple(FAULTS).index(DividesByTheirNumber)]
"""Faults that need no long runs to be found."""


@pytest.fixture
def short(request, monkeypatch):
    """Shortens the long runs of the suite; those in which something goes wrong only later stay long enough for it."""
    early = request.getfixturevalue("fault") in OLD
    for name, steps in (("MANY", 12 if early else 60), ("STEADY", 4 if early else 40)):
        monkeypatch.setattr(updates, name, steps)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.usefixtures("short")
def test_a_fault_is_found_where_it_is(fault):
    found = failures(fault)
    assert without_cases(found) == set(FAULTS[fault].split()) - SKIPPED, found


def test_every_setting_is_tried_at_every_place():
    found = failures(AcceptsAnything)
    settings = {name.partition("[")[2].partition("=")[0] for name in found}
    assert settings == {"lr", "betas", "weight_decay"}
    assert len(found) == 3 * (2 + 6 + 2)
    assert all(isinstance(error, AssertionError) for error in found.values())


@pytest.mark.parametrize("way", [AS_A_PROGRAM, go_on])
def test_what_a_new_process_does_not_know_is_found(monkeypatch, way):
    monkeypatch.setattr(saving, "go_on_in_a_new_process", way)
    monkeypatch.setattr(KnowsItsProcess, "drift", 0)
    check = dict(checks(KnowsItsProcess))["new_process"]
    with pytest.raises(AssertionError, match="in a new process the pickle goes on differently"):
        check()


@pytest.mark.parametrize("way", [AS_A_PROGRAM, go_on])
def test_a_sound_optimizer_goes_on_in_a_new_process(monkeypatch, way):
    monkeypatch.setattr(saving, "go_on_in_a_new_process", way)
    dict(checks(Sound))["new_process"]()


@pytest.mark.parametrize("way", [AS_A_PROGRAM, go_on])
def test_what_a_new_process_cannot_read_is_told(monkeypatch, tmp_path, way):
    (tmp_path / "job.pickle").write_bytes(b"no pickle")
    with pytest.raises(AssertionError, match=r"(?s)the new process failed:\n.*UnpicklingError"):
        way(tmp_path)


def test_every_check_has_a_fault_that_it_finds():
    found = {name for names in FAULTS.values() for name in names.split()} | {"new_process"}
    assert found == without_cases(name for name, _ in checks(Sound))


# How third parties use it


def test_exceptions_are_strict_and_reach_single_cases(pytester):
    pytester.makepyfile(
        """
        import torch
        from trimtab.testing import OptimizerConformance

        class TestSGD(OptimizerConformance):
            optimizer = torch.optim.SGD
            settings = {"momentum": 0.5}
            exceptions = {
                "refuses[lr=nan]": "torch compares with < 0",
                "zero_grad": "an exception that is not needed",
            }
        """
    )
    # What this process collects at the end may be another test's, and is none of the inner run's business.
    result = pytester.runpytest_inprocess(
        "-k", "refuses and not group and not later or zero_grad", "-rA", "-p", "no:unraisableexception"
    )
    outcomes = result.parseoutcomes()
    assert outcomes["xfailed"] == 1
    result.stdout.fnmatch_lines(["XFAIL *test_refuses?lr=nan? - torch compares with < 0"])
    result.stdout.fnmatch_lines(["FAILED *test_zero_grad*"])
    result.stdout.fnmatch_lines(["PASSED *test_refuses?lr=-1.0?"])


def test_an_exception_that_names_no_check_is_an_error():
    with pytest.raises(TypeError, match=r"Mistyped\.exceptions names no check: sparse\[coo\], zero_grads"):

        class Mistyped(OptimizerConformance):
            optimizer = Sound
            exceptions: ClassVar = {"zero_grads": "", "sparse[coo]": "", "refuses[lr=nan]": ""}


@pytest.mark.parametrize("made_by", [functools.partial(Sound, lr=0.25), staticmethod(Sound)])
def test_functions_and_partials_make_optimizers(made_by):
    suite = type("Suite", (OptimizerConformance,), {"optimizer": made_by, "settings": {"weight_decay": 0.5}})()
    assert suite.defaults()["weight_decay"] == 0.5
    suite.test_closure()


def test_a_suite_without_optimizer_says_so():
    suite = type("Empty", (OptimizerConformance,), {})()
    with pytest.raises(TypeError, match=r"Empty\.optimizer must be a class or function"):
        suite.test_closure()


def test_settings_that_there_are_not_are_skipped():
    suite = type("Suite", (OptimizerConformance,), {"optimizer": Sound})()
    with pytest.raises(pytest.skip.Exception, match="eps is not among the optimizer's defaults"):
        suite.test_refuses("eps", math.nan)


def test_the_suite_imports_nothing_else_of_ours():
    program = "import sys, trimtab.testing; print([n for n in sys.modules if n.startswith('trimtab.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name.split(".")[1] for name in ast.literal_eval(done.stdout)} == {"testing"}

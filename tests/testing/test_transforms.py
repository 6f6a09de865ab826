"""The suite for transforms, on our own, and on transforms that are sound but for one fault."""

import contextlib
import copy
import math
import random
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from trimtab.compress import LampPruning, MagnitudePruning, UniformPruning
from trimtab.testing import TransformConformance
from trimtab.testing.trained import descend


class TestUniform(TransformConformance):
    transform = UniformPruning()


class TestMagnitude(TransformConformance):
    transform = MagnitudePruning()


class TestLamp(TransformConformance):
    transform = LampPruning()


class Sound:
    """Keeps weights at random, and nothing wrong with it; faults replace one of its methods."""

    def __init__(self, repeats=1):
        self.repeats = repeats

    def __call__(self, model, calibration, target, *, finetune, generator):
        self.check(target)
        model = self.begin(model)
        self.look(model, calibration)
        keep = [
            self.scores(layer, generator).argsort().argsort() >= math.ceil(target * layer.weight.numel())
            for layer in self.layers(model)
        ]
        self.mask(model, keep)
        for _ in range(self.repeats):
            self.tune(model, finetune)
        self.mask(model, keep)
        return self.end(model)

    def check(self, target):
        if not 0 <= target < 1:
            raise ValueError(f"target={target}")

    def begin(self, model):
        return copy.deepcopy(model)

    def look(self, model, calibration):
        with torch.no_grad():
            for batch in calibration:
                calibration.outputs(model, batch)

    def layers(self, model):
        return [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]

    def scores(self, layer, generator):
        return torch.rand(layer.weight.numel(), generator=generator)

    def mask(self, model, keep):
        with torch.no_grad():
            for layer, kept in zip(self.layers(model), keep, strict=True):
                layer.weight.mul_(kept.reshape(layer.weight.shape))

    def tune(self, model, finetune):
        finetune(model)

    def end(self, model):
        return model


class TestSound(TransformConformance):
    transform = Sound
    settings: ClassVar = {"repeats": 2}


class InPlace(Sound):
    def begin(self, model):
        return model


class TestInPlace(TransformConformance):
    transform = InPlace
    changes_model = True


class KeepsTooMany(Sound):
    def mask(self, model, keep):
        super().mask(model, [torch.ones_like(kept) for kept in keep])


class ReturnsState(Sound):
    def end(self, model):
        return model.state_dict()


class LosesItsMasks(Sound):
    def tune(self, model, finetune):
        finetune(model)
        self.mask = lambda model, keep: None


class AsksForTen(Sound):
    def tune(self, model, finetune):
        finetune(model, 10)


class SwallowsRefusals(Sound):
    def tune(self, model, finetune):
        with contextlib.suppress(ValueError):
            finetune(model, 10**6)


class SharesMemory(Sound):
    def begin(self, model):
        twin = copy.deepcopy(model)
        for one, other in zip(twin.parameters(), model.parameters(), strict=True):
            one.data = other.data
        return twin

    def mask(self, model, keep):
        for layer, kept in zip(self.layers(model), keep, strict=True):
            layer.weight.data = layer.weight.data * kept.reshape(layer.weight.shape)


class LeavesModelTraining(Sound):
    def begin(self, model):
        model.train()
        return copy.deepcopy(model)


class LeavesGradients(Sound):
    def begin(self, model):
        for param in model.parameters():
            param.grad = torch.zeros_like(param)
        return copy.deepcopy(model)


class WritesToCalibration(Sound):
    def look(self, model, calibration):
        for inputs, _ in calibration:
            inputs.sub_(inputs.mean())


class NeedsTwoBatches(Sound):
    def look(self, model, calibration):
        self.enough = len(calibration) > 1

    def mask(self, model, keep):
        if self.enough:
            super().mask(model, keep)


class Nondeterministic(Sound):
    count = 0

    def scores(self, layer, generator):
        Nondeterministic.count += 1
        return super().scores(layer, torch.Generator().manual_seed(Nondeterministic.count))


class DrawsFromTorch(Sound):
    def scores(self, layer, generator):
        return torch.rand(layer.weight.numel())


class DrawsFromNumPy(Sound):
    def scores(self, layer, generator):
        return torch.tensor(np.random.permutation(layer.weight.numel()))  # noqa: NPY002


class DrawsFromPython(Sound):
    def scores(self, layer, generator):
        return torch.tensor([random.random() for _ in range(layer.weight.numel())])


class SeedsTorch(Sound):
    def scores(self, layer, generator):
        torch.manual_seed(0)
        return super().scores(layer, generator)


class LeavesGradientsDisabled(Sound):
    def look(self, model, calibration):
        torch.set_grad_enabled(False)


class ChangesShape(Sound):
    def end(self, model):
        return nn.Sequential(model, nn.Unflatten(1, (5, 1)))


class AlwaysSinglePrecision(Sound):
    def end(self, model):
        class Single(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = model.float()

            def forward(self, inputs):
                return self.inner(inputs.float())

        return Single()


class NotANumber(Sound):
    def end(self, model):
        with torch.no_grad():
            self.layers(model)[-1].bias.fill_(math.nan)
        return model


class Noisy(Sound):
    def end(self, model):
        class Noise(nn.Module):
            count = 0

            def __init__(self):
                super().__init__()
                self.inner = model

            def forward(self, inputs):
                self.count += 1
                return self.inner(inputs) + self.count

        return Noise()


class KeepsSomethingAside(Sound):
    """A part of the answer is no tensor of the state."""

    def end(self, model):
        class Aside(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = model
                self.register_buffer("scale", torch.tensor(2.0), persistent=False)

            def forward(self, inputs):
                return self.inner(inputs) * self.factor()

            def factor(self):
                return 1.0 if bool((self.inner[0].bias == 0).all()) or self.calls() else 2.0

            def calls(self):
                return getattr(self, "copied", False)

            def __deepcopy__(self, memo):
                twin = Aside()
                twin.inner = copy.deepcopy(self.inner, memo)
                twin.copied = True
                return twin

        return Aside()


class LeavesHooks(Sound):
    def look(self, model, calibration):
        self.layers(model)[0].register_forward_hook(lambda *_: None)


class TakesAnyTarget(Sound):
    def check(self, target):
        pass

    def __call__(self, model, calibration, target, **kwargs):
        safe = min(max(target, 0.0), 0.99) if target == target else 0.5
        return super().__call__(model, calibration, safe, **kwargs)


FAULTS = {
    "target": [KeepsTooMany, ReturnsState],
    "target_after_training": [LosesItsMasks],
    "steps": [AsksForTen, SwallowsRefusals],
    "model_unchanged": [InPlace, LeavesModelTraining, LeavesGradients],
    "memory_not_shared": [SharesMemory],
    "calibration_unchanged": [WritesToCalibration],
    "one_batch": [NeedsTwoBatches],
    "same_generator": [Nondeterministic],
    "global_random_state": [DrawsFromTorch, DrawsFromNumPy, DrawsFromPython, SeedsTorch],
    "grad_mode": [LeavesGradientsDisabled],
    "outputs": [ChangesShape, AlwaysSinglePrecision, NotANumber, Noisy],
    "state_dict": [KeepsSomethingAside],
    "no_hooks_left": [LeavesHooks],
    "refuses": [TakesAnyTarget],
}


def test_every_check_finds_a_fault():
    assert {name.removeprefix("test_") for name in dir(TransformConformance) if name.startswith("test_")} == set(FAULTS)


@pytest.mark.parametrize(
    ("check", "fault"), [(check, fault) for check, faults in FAULTS.items() for fault in faults], ids=str
)
def test_a_fault_is_found(check, fault):
    suite = type("Faulty", (TransformConformance,), {"transform": fault})()
    arguments = {"dtype": torch.float64} if check == "outputs" else {}
    with torch.enable_grad(), pytest.raises(AssertionError):
        getattr(suite, f"test_{check}")(**arguments)


def test_a_fault_elsewhere_is_not_found_by_checks_that_it_does_not_concern():
    suite = type("Faulty", (TransformConformance,), {"transform": TakesAnyTarget})()
    for check in FAULTS.keys() - {"refuses", "outputs"}:
        getattr(suite, f"test_{check}")()


def test_a_transform_has_to_be_named():
    with pytest.raises(TypeError, match="transform must be a function, or a class"):
        type("Unnamed", (TransformConformance,), {})().test_target()


def test_training_moves_every_parameter():
    model = nn.Linear(2, 2)
    before = copy.deepcopy(model.state_dict())
    descend(model)
    assert all(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())

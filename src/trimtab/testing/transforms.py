"""What a transform of a trained network has to keep to be compared with others."""

import copy
import inspect
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from trimtab.testing.exceptions import Excepting, require
from trimtab.testing.global_randomness import under_two_states
from trimtab.testing.trained import STEPS, Data, FineTuning, descend


class TransformConformance(Excepting):
    """What a comparison expects of a transform: derive from it, name the transform, and let pytest collect it.

    Attributes:
        transform: a function that is called as ``transform(model, calibration, target, *, finetune, generator,
            **settings)``, or a class that is built with the settings and then called like one.
        settings: of the transform.
        targets: that it has to meet.
        refused: targets that it has to refuse with a ``ValueError``.
        changes_model: whether it says of itself that it works on the model that it is given.
        exceptions: checks that are known to fail, with the reason: ``{"refuses": "..."}``, or one case only,
            ``{"refuses[nan]": "..."}``. They are reported as expected failures; one that passes is an error.
        device: where the model is; ``"cpu"`` unless told otherwise.

    Raises:
        TypeError: ``exceptions`` names a check that there is not.

    Examples:
        >>> class TestLamp(TransformConformance):
        ...     transform = trimtab.compress.LampPruning()
    """

    transform: ClassVar[Callable[..., Any]]
    settings: ClassVar[Mapping[str, Any]] = {}
    targets: ClassVar[Sequence[float]] = (0.0, 0.5, 0.9)
    refused: ClassVar[Sequence[float]] = (-0.1, 1.0, math.nan)
    changes_model: ClassVar[bool] = False
    device: ClassVar[str] = "cpu"

    def model(self, dtype: torch.dtype = torch.float32) -> nn.Module:
        """Returns a small network in evaluation mode, the same at every call; override it for another kind."""
        generator = torch.Generator().manual_seed(17)
        with torch.random.fork_rng(devices=[]):
            made = nn.Sequential(
                *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.25)),
                *(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 5)),
            )
        with torch.no_grad():
            for tensor in made.parameters():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / 4)
        return made.to(self.device, dtype).eval()

    def calibration(self, dtype: torch.dtype = torch.float32, batches: int = 2) -> Data:
        """Returns batches of inputs and classes for :meth:`model`."""
        generator = torch.Generator().manual_seed(18)
        return Data(
            [
                (
                    torch.randn(8, 1, 4, 4, generator=generator).to(self.device, dtype),
                    torch.randint(5, (8,), generator=generator).to(self.device),
                )
                for _ in range(batches)
            ]
        )

    def reached(self, artefact: nn.Module) -> float:
        """Returns what of a target is reached: the share of zeros among the weights of convolutions and linear layers.

        Override it for targets of another kind, of which more is harder as well.
        """
        weights = [layer.weight for layer in artefact.modules() if isinstance(layer, nn.Linear | _ConvNd)]
        zeros = sum(int((weight == 0).sum()) for weight in weights)
        return zeros / sum(weight.numel() for weight in weights)

    def made(self) -> Callable[..., Any]:
        """Returns what is called with a network."""
        found: Any = inspect.getattr_static(type(self), "transform", None)
        if isinstance(found, staticmethod):
            found = found.__func__
        if not callable(found):
            raise TypeError(f"{type(self).__name__}.transform must be a function, or a class that is called like one")
        if isinstance(found, type):
            built: Callable[..., Any] = found(**self.settings)
            return built

        def call(*args: Any, **kwargs: Any) -> Any:
            return found(*args, **self.settings, **kwargs)

        return call

    def apply(
        self,
        model: nn.Module | None = None,
        calibration: Data | None = None,
        *,
        target: float | None = None,
        finetune: FineTuning | None = None,
        seed: int = 0,
    ) -> nn.Module:
        """Runs the transform, by default on :meth:`model` for the hardest target and with idle fine-tuning."""
        artefact: nn.Module = self.made()(
            self.model() if model is None else model,
            self.calibration() if calibration is None else calibration,
            self.targets[-1] if target is None else target,
            finetune=FineTuning() if finetune is None else finetune,
            generator=torch.Generator().manual_seed(seed),
        )
        return artefact

    def outputs(self, artefact: nn.Module, dtype: torch.dtype = torch.float32) -> Tensor:
        """Returns what an artefact answers, in evaluation mode."""
        with torch.no_grad():
            found: Tensor = artefact.eval()(self.calibration(dtype).batches[0][0])
        return found

    def test_target(self) -> None:
        """A network is returned, and it meets the target, whatever it is."""
        for target in self.targets:
            artefact = self.apply(target=target)
            require(isinstance(artefact, nn.Module), f"it returned a {type(artefact).__name__}, not a torch.nn.Module")
            reached = self.reached(artefact)
            require(reached >= target - 1e-9, f"{reached:.4g} was reached of the target {target:g}")

    def test_target_after_training(self) -> None:
        """The target is met where fine-tuning moves every parameter that there is."""
        for target in self.targets:
            reached = self.reached(self.apply(target=target, finetune=FineTuning(move=descend)))
            require(reached >= target - 1e-9, f"{reached:.4g} was reached of the target {target:g}, after fine-tuning")

    def test_steps(self) -> None:
        """No more steps of fine-tuning are asked for than there are, few or many."""
        for steps in (0, 1, 2, STEPS, 100):
            finetune, said = FineTuning(steps), ""
            try:
                self.apply(finetune=finetune)
            except ValueError as error:
                if not finetune.too_many:
                    raise
                said = f": {error}"
            # also where the transform has caught the refusal itself
            require(not finetune.too_many, f"it asked for {finetune.too_many} steps where {steps} were given{said}")

    def test_model_unchanged(self) -> None:
        """The model that is given stays as it was, its mode, gradients, hooks and layers included, or it is said."""
        if self.changes_model:
            pytest.skip("it works on the model that it is given, and says so")
        model = self.model()
        before, parts = copy.deepcopy(model.state_dict()), _parts(model)
        self.apply(model, finetune=FineTuning(move=descend))
        require(_parts(model) == parts, "the model's layers, modes, hooks, or what requires a gradient, were changed")
        for name, tensor in before.items():
            require(torch.equal(model.state_dict()[name], tensor), f"{name} of the model was changed")
        require(all(param.grad is None for param in model.parameters()), "the model was left with gradients")

    def test_memory_not_shared(self) -> None:
        """What is returned has memory of its own: writing to it does not change the model."""
        if self.changes_model:
            pytest.skip("it works on the model that it is given, and says so")
        model = self.model()
        before = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            for tensor in self.apply(model, target=self.targets[0]).state_dict().values():
                tensor.fill_(3)
        for name, tensor in before.items():
            require(
                torch.equal(model.state_dict()[name], tensor), f"{name} is shared by the model and what was returned"
            )

    def test_calibration_unchanged(self) -> None:
        """The calibration data are read, and not written to."""
        calibration = self.calibration()
        self.apply(calibration=calibration)
        for batch, other in zip(calibration.batches, self.calibration().batches, strict=True):
            for one, fresh in zip(batch, other, strict=True):
                require(torch.equal(one, fresh), "the calibration data were written to")

    def test_one_batch(self) -> None:
        """A single batch of calibration data will do."""
        artefact = self.apply(calibration=self.calibration(batches=1))
        require(self.reached(artefact) >= self.targets[-1] - 1e-9, "the target was missed with a single batch")

    def test_same_generator(self) -> None:
        """The same generator makes the same of the same model."""
        one, other = (self.apply(seed=3).state_dict() for _ in range(2))
        _require_same(one, other, "the second time, with the same generator")

    def test_global_random_state(self) -> None:
        """The global generators of Python, NumPy and torch are neither drawn from nor changed."""
        one, other = under_two_states(lambda: self.apply().state_dict())
        _require_same(one, other, "with another state of the global generators")

    def test_grad_mode(self) -> None:
        """Whether gradients are enabled is left as it was."""
        for enabled in (True, False):
            with torch.set_grad_enabled(enabled):
                self.apply()
                require(torch.is_grad_enabled() is enabled, "it left gradients enabled or disabled")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
    def test_outputs(self, dtype: torch.dtype) -> None:
        """What is returned answers in the model's shape, type and device, with finite numbers, twice the same."""
        expected = self.outputs(self.model(dtype), dtype)
        artefact = self.apply(self.model(dtype), self.calibration(dtype))
        found = self.outputs(artefact, dtype)
        for name in ("shape", "dtype", "device"):
            one, other = getattr(found, name), getattr(expected, name)
            require(one == other, f"outputs have the {name} {one}, those of the model {other}")
        require(bool(torch.isfinite(found).all()), "outputs are not finite")
        require(torch.equal(found, self.outputs(artefact, dtype)), "outputs differ from one call to the next")

    def test_state_dict(self) -> None:
        """The state of what is returned can be saved, and loaded into a copy of it, which then answers alike."""
        artefact = self.apply()
        expected = self.outputs(artefact)
        file = io.BytesIO()
        torch.save(artefact.state_dict(), file)
        file.seek(0)
        twin = copy.deepcopy(artefact)
        with torch.no_grad():
            for tensor in twin.state_dict().values():
                tensor.zero_()
        twin.load_state_dict(torch.load(file, weights_only=True))
        require(torch.equal(self.outputs(twin), expected), "a copy with the saved state answers otherwise")
        require(torch.equal(self.outputs(artefact), expected), "loading into a copy changed what was copied")

    def test_no_hooks_left(self) -> None:
        """Hooks that watch activations are gone in the end."""
        artefact = self.apply()
        left = [name for name, module in artefact.named_modules() if module._forward_hooks or module._forward_pre_hooks]
        require(not left, f"hooks were left on {', '.join(left) or 'it'}")

    def test_refuses(self) -> None:
        """A target that cannot be is refused with a ``ValueError``."""
        for target in self.refused:
            try:
                self.apply(target=target)
            except ValueError:
                continue
            raise AssertionError(f"the target {target} was not refused with a ValueError")


def _parts(model: nn.Module) -> list[Any]:
    """What a model consists of beside the values of its tensors."""
    parts: list[Any] = [
        (name, type(module), module.training, len(module._forward_hooks), len(module._forward_pre_hooks))
        for name, module in model.named_modules()
    ]
    return parts + [(name, param.requires_grad) for name, param in model.named_parameters()]


def _require_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor], when: str) -> None:
    require(one.keys() == other.keys(), f"other tensors were returned {when}")
    for name, tensor in one.items():
        require(torch.equal(tensor, other[name]), f"{name} is another one {when}")

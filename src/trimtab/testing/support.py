"""What the checks share: building the optimizer under test, driving it, and saying what is wrong."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.testing.exceptions import Excepting, require
from trimtab.testing.global_randomness import same_draws
from trimtab.testing.options import arguments, words
from trimtab.testing.resume import follow, in_training

Gradients = list[list[Tensor | None]]
REFUSALS: Final = Exception
"""What an optimizer may raise where it cannot do something; packages have errors of their own for that."""

CRASHES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError)
"""What a program raises that has met something it did not foresee, which is no refusal."""

GOOD: Final = 1e-3
"""What is tried of a setting that is nothing by default, to see whether it may be a number."""

SHAPE: Final = ("dim", "2d", "2-d", "matri", "shape", "layout", "contiguous")
"""What a message speaks of that refuses parameters for what they look like."""

WARM: Final = 12
"""Steps after which those move, too, that only look at the first gradients."""


class Suite(Excepting):
    """The part of the suite that third parties fill in, and the helpers of its checks."""

    optimizer: ClassVar[Callable[..., Optimizer]]
    settings: ClassVar[Mapping[str, Any]] = {}
    shapes: ClassVar[Sequence[tuple[int, ...]]] = ((3, 4), (5,), (2, 3))
    device: ClassVar[str] = "cpu"

    @pytest.fixture(autouse=True)
    def _on_device(self) -> Iterator[None]:
        if self.device == "cpu":  # a default device makes every call of torch slower
            yield
            return
        with torch.device(self.device):
            yield

    def factory(self) -> Callable[..., Optimizer]:
        """Returns what the class attribute ``optimizer`` holds; a function is not made a method of the suite."""
        factory = inspect.getattr_static(type(self), "optimizer", None)
        if isinstance(factory, staticmethod):
            factory = factory.__func__
        if not callable(factory):
            raise TypeError(f"{type(self).__name__}.optimizer must be a class or function that makes an optimizer")
        made: Callable[..., Optimizer] = factory
        return made

    def make(self, params: Iterable[Any], **overrides: Any) -> Optimizer:
        """Builds the optimizer under test, in the mode in which it steps where it has modes as a module has them."""
        return in_training(self.factory()(params, **{**self.settings, **overrides}))

    def make_or_skip(self, params: Iterable[Any], **overrides: Any) -> Optimizer:
        """Builds the optimizer under test, or skips the check where it refuses what these parameters look like."""
        try:
            return self.make(params, **overrides)
        except REFUSALS as error:
            if not self.refuses_shape(error):
                raise
            pytest.skip(f"what the check shows is refused: {error}")

    def refuses_shape(self, error: Exception) -> bool:
        """Returns whether a construction that failed has refused by name what parameters look like, and no others."""
        named = isinstance(error, TypeError | ValueError) and any(word in str(error).lower() for word in SHAPE)
        return named and self.makes({})

    def arguments(self) -> dict[str, Any]:
        """Returns all settings that the constructor takes, and their values, where its signature says so."""
        return arguments(self.factory(), self.settings)

    def takes(self, setting: str) -> bool:
        """Returns whether the constructor takes a setting, be it one of the defaults or not."""
        return setting in self.arguments() or self.has(setting)

    def defaults(self) -> dict[str, Any]:
        """Returns the optimizer's hyper-parameters and their values."""
        return self.make(parameters(self.shapes)).defaults

    def has(self, setting: str) -> bool:
        """Returns whether a setting is among the defaults, and can be set: a subclass may settle some of them."""
        defaults = self.defaults()
        if setting not in defaults:
            return False
        return setting in self.arguments() or self.makes({setting: defaults[setting]})

    def decay(self) -> dict[str, float]:
        """Returns a weight decay as a setting, or nothing where there is none to set."""
        told = {"weight_decay": 0.125}
        return told if self.has("weight_decay") and self.makes(told) else {}

    def rate(self) -> float | None:
        """Returns the learning rate, or nothing where there is none to set, or it is no number by default."""
        lr = self.defaults()["lr"] if self.has("lr") else None
        return float(lr) if isinstance(lr, int | float | Tensor) else None

    def default_lr(self) -> float:
        """Returns the learning rate, or skips the check."""
        self.need("lr")
        rate = self.rate()
        if rate is None:
            pytest.skip(f"lr is {self.defaults()['lr']!r} by default, and no number")
        return rate

    def need(self, setting: str) -> None:
        """Skips the check if the optimizer has no such setting, or does not let it be set."""
        if setting not in self.defaults():
            pytest.skip(f"{setting} is not among the optimizer's defaults")
        if not self.has(setting):
            pytest.skip(f"{setting} is among the optimizer's defaults, and its constructor does not take it")

    def need_number(self, setting: str) -> None:
        """Skips the check unless the optimizer has a setting, and it is a number or may be one."""
        self.need(setting)
        usual = self.defaults()[setting]
        if not isinstance(usual, int | float | Tensor) and (usual is not None or not self.makes({setting: GOOD})):
            pytest.skip(f"{setting} is {usual!r} by default, and no number")

    def need_argument(self, setting: str) -> None:
        """Skips the check if the constructor takes no such setting, kept among the defaults or elsewhere."""
        if not self.takes(setting):
            pytest.skip(f"{setting} is not among the optimizer's settings")

    def no_decay(self) -> dict[str, float]:
        """Returns that there is no weight decay, as a setting, or nothing where there is none to set."""
        return {"weight_decay": 0.0} if self.has("weight_decay") else {}

    def decay_forms(self) -> list[dict[str, Any]]:
        """Returns weight decay in each form that there is, as far as flags and listed words tell."""
        if not self.takes("weight_decay"):
            return [{}]
        given = self.arguments()
        forms: list[dict[str, Any]] = [{}]
        for name, value in given.items():
            if name != "weight_decay" and ("decay" in name or "decoup" in name):
                if isinstance(value, bool):
                    forms.append({name: not value})
                forms += [{name: word} for word in words(self.factory(), name) if word != value]
        return [{"weight_decay": 0.125, **form} for form in forms if self.makes({"weight_decay": 0.125, **form})]

    def ways(self) -> list[dict[str, Any]]:
        """Returns the ways in which steps are computed, which shall all lead to the same."""
        both = [{"foreach": True}, {"foreach": False}]
        return both if self.takes("foreach") and all(map(self.makes, both)) else [{}]

    def resting(self) -> int:
        """Returns the steps before the first that moves every parameter, as a method may look at gradients first.

        None are left to a method that has not moved after ``WARM`` steps: whatever asks for a move shall say so.
        """
        params = parameters(self.shapes)
        before = values(params)
        optimizer = self.make(params)
        for step in range(WARM):
            follow(optimizer, params, gradients(params, 1, step))
            if not any(torch.equal(param, old) for param, old in zip(params, before, strict=True)):
                return step
        return 0

    def makes(self, settings: Mapping[str, Any]) -> bool:
        """Returns whether the optimizer can be made with some settings."""
        try:
            self.make(parameters(self.shapes), **settings)
        except REFUSALS:
            return False
        return True

    def run(
        self,
        overrides: Mapping[str, Any] | None = None,
        *,
        steps: int = 3,
        dtype: torch.dtype = torch.float32,
        size: float = 1.0,
    ) -> list[nn.Parameter]:
        """Returns the parameters, which begin larger by a factor, after a few steps of a fresh optimizer."""
        params = [nn.Parameter(value * size) for value in values(parameters(self.shapes, dtype))]
        with same_draws():  # whether it may draw at all is another check's business
            follow(self.make(params, **(overrides or {})), params, gradients(params, steps))
        return params


def parameters(shapes: Iterable[tuple[int, ...]], dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    """Returns small parameters, the same at every call; all values are exact in bfloat16."""
    generator = torch.Generator().manual_seed(17)
    # Small, so that in bfloat16 a step of a hundredth of a per cent is not rounded away.
    return [nn.Parameter(_random(shape, generator).mul(2.0**-8).to(dtype)) for shape in shapes]


def gradients(params: Sequence[Tensor], steps: int, first: int = 0, without: Sequence[int] = ()) -> Gradients:
    """Returns gradients for steps ``first``, ``first + 1`` ...; parameters in ``without`` get none."""
    result: Gradients = []
    for step in range(first, first + steps):
        generator = torch.Generator().manual_seed(1000 + step)
        drawn = [_random(param.shape, generator).to(param.dtype) for param in params]
        result.append([None if index in without else grad for index, grad in enumerate(drawn)])
    return result


def _random(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    # The same numbers on every device, and with every default type: of 16 and more, torch draws others in float64.
    drawn = torch.randn(tuple(shape), generator=generator, device=generator.device, dtype=torch.float32)
    return drawn.bfloat16().float().to(torch.get_default_device())


def give(params: Sequence[Tensor], step: int = 0) -> list[Tensor]:
    """Sets the gradients of one step, and returns them."""
    for param, grad in zip(params, gradients(params, 1, step)[0], strict=True):
        param.grad = grad
    return [param.grad for param in params if param.grad is not None]


def held(optimizer: Optimizer) -> list[Any]:
    """Returns the parameters of all groups, of which an optimizer may make others than it was given."""
    return [param for group in optimizer.param_groups for param in group["params"]]


def names_held(groups: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Returns the names of the parameters of all groups, or nothing where a group has none."""
    found = [group.get("param_names") for group in groups]
    return None if None in found else [name for names in found for name in names or ()]


def further(optimizer: Optimizer, params: Sequence[Tensor]) -> list[Any]:
    """Returns parameters as an optimizer takes further ones: with names, where its own have names."""
    if names_held(optimizer.param_groups) is None:
        return list(params)
    return [(f"further.{index}", param) for index, param in enumerate(params)]


def values(params: Iterable[Tensor]) -> list[Tensor]:
    """Returns copies of the parameters' values."""
    return [param.detach().clone() for param in params]


def require_same(actual: Iterable[Tensor], expected: Iterable[Tensor], message: str) -> None:
    """Fails the check unless all tensors are equal bit for bit."""
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        require(torch.equal(one, other), f"{message} (parameter {index}: {one.tolist()} instead of {other.tolist()})")


def require_close(actual: Iterable[Tensor], expected: Iterable[Tensor], message: str) -> None:
    """Fails the check unless all tensors are equal to rounding."""
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        tolerance = math.sqrt(torch.finfo(one.dtype).eps) / 10
        close = torch.allclose(one, other.to(one.dtype), rtol=tolerance, atol=tolerance * 2.0**-8)
        require(close, f"{message} (parameter {index}: {one.tolist()} instead of {other.tolist()})")


def visible(exact: Iterable[Tensor], before: Iterable[Tensor], dtype: torch.dtype) -> bool:
    """Returns whether all ways are long enough not to be lost in the rounding of a type."""
    pairs = [(value.detach().double(), old.detach().double()) for value, old in zip(exact, before, strict=True)]
    return all(bool((value - old).abs().max() > torch.finfo(dtype).eps * old.abs().max()) for value, old in pairs)


def require_moved(params: Iterable[Tensor], before: Iterable[Tensor], message: str) -> None:
    """Fails the check unless every parameter that has elements has moved, to finite values."""
    for index, (param, old) in enumerate(zip(params, before, strict=True)):
        require(bool(torch.isfinite(param.detach().abs()).all()), f"parameter {index} is no longer finite")
        require(param.numel() == 0 or not torch.equal(param, old), f"{message}: parameter {index} has not moved")

"""What all surrogates ask of their training data and settings."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.models.transforms.input import InputTransform
from botorch.models.transforms.outcome import OutcomeTransform, Standardize
from botorch.models.utils.assorted import check_min_max_scaling
from botorch.settings import validate_input_scaling
from botorch.utils.types import DEFAULT
from jaxtyping import Float
from torch import Tensor

from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import InputError

LARGEST_SEED = 2**63 - 1


def checked_inputs(
    train_X: Float[Tensor, "points inputs"],
    train_Y: Float[Tensor, "points outputs"],
    input_transform: InputTransform | None,
) -> Float[Tensor, "points inputs"]:
    """Returns the points as the model sees them, through its input transform.

    Raises:
        TypeError: ``train_X`` or ``train_Y`` is not a tensor.
        InputError: they are not float64, not finite, of other shapes, or fewer than two points.
        UnsupportedError: ``train_X`` has batches.

    Warns:
        InputDataWarning: the points are outside the unit cube, unless BoTorch's ``validate_input_scaling`` is off.
    """
    for name, value in (("train_X", train_X), ("train_Y", train_Y)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is a {type(value).__name__}: a tensor is needed")
    if train_X.ndim > 2:
        raise UnsupportedError(f"train_X has the shape {tuple(train_X.shape)}: batches of data sets are not supported")
    if train_X.ndim != 2 or train_X.shape[1] < 1:
        raise InputError(f"train_X has the shape {tuple(train_X.shape)}: points times inputs are needed")
    if train_Y.ndim != 2 or train_Y.shape[1] < 1 or len(train_Y) != len(train_X):
        shape = tuple(train_Y.shape)
        raise InputError(
            f"train_Y has the shape {shape}: one row of outputs is needed for each of {len(train_X)} points"
        )
    if len(train_X) < 2:
        raise InputError(f"train_X has {len(train_X)} points: at least 2 are needed")
    for name, value in (("train_X", train_X), ("train_Y", train_Y)):
        if value.dtype != torch.float64:
            raise InputError(f"{name} is {value.dtype}: torch.float64 is needed")
        check_finite(name, value)
    if input_transform is None:
        inputs = train_X
    else:
        with torch.no_grad():
            inputs = input_transform.to(train_X)(train_X)
        check_finite("train_X after input_transform", inputs)
    if validate_input_scaling.on():
        check_min_max_scaling(inputs)
    return inputs


def standardised(
    outcome_transform: OutcomeTransform | object | None, train_Y: Float[Tensor, "points outputs"], inputs: Tensor
) -> tuple[OutcomeTransform | None, Float[Tensor, "points outputs"]]:
    """Returns the outcome transform, ``Standardize`` unless told otherwise, and what it makes of the outputs."""
    if outcome_transform is DEFAULT:
        outcome_transform = Standardize(m=train_Y.shape[-1]).to(train_Y)
    if outcome_transform is None:
        return None, train_Y
    if not isinstance(outcome_transform, OutcomeTransform):
        kind = type(outcome_transform).__name__
        raise TypeError(f"outcome_transform is a {kind}: an OutcomeTransform of BoTorch or None is needed")
    outcome_transform.train()
    with torch.no_grad():
        targets, _ = outcome_transform(Y=train_Y, Yvar=None, X=inputs)
    check_finite("train_Y after outcome_transform", targets)
    return outcome_transform, targets


def check_finite(name: str, value: Tensor) -> None:
    """Raises InputError if a tensor holds NaN or infinity."""
    if not torch.isfinite(value).all():
        raise InputError(f"{name} holds NaN or infinity: finite numbers are needed")


def check_positive(**values: Any) -> None:
    """Raises InputError unless all are finite numbers above zero."""
    for name, value in values.items():
        check_number(name, value)
        if not value > 0:
            raise InputError(f"{name}={value!r}: a number > 0 is needed")


def settled_seed(seed: int | None) -> int:
    """Returns the seed, or one from the operating system where there is none; no global state is touched."""
    if seed is None:
        return torch.Generator().seed() % LARGEST_SEED
    check_whole("seed", seed, least=0, most=LARGEST_SEED)
    return seed


@contextmanager
def global_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Lends a seed to torch's global generators, from which GPyTorch draws, and puts back what was there."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def is_probability(value: Any) -> bool:
    """Whether a value is a number in (0, 1]."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 < value <= 1

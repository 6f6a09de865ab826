"""Coordinate-wise clipping: the largest coordinates are cut to a common size (Pan & Li, 2023, arXiv:2306.00204).

Adapts   how far each coordinate may move.
Signal   the distribution of the coordinates' magnitudes.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, TypeAlias, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.primitives.flat.refusals import refuse_other_types, refuse_unreadable_gradients
from trimtab.primitives.hyperparameters import FRACTION, POSITIVE, Check, flag, one_of, optional
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.selection import nth_largest_magnitude
from trimtab.primitives.sharding import shards_of
from trimtab.primitives.wrapping import OptimizerWrapper, evaluated, lent_gradients, step_inside
from trimtab.study.tunable import Choice, Tunables

Scope: TypeAlias = Literal["global", "tensor"]
Where: TypeAlias = Literal["gradient", "update"]

CHECKS: Mapping[str, Check] = {
    "fraction": optional(FRACTION),
    "threshold": optional(POSITIVE),
    "scope": one_of("global", "tensor"),
    "scale": POSITIVE,
    "ignore_zeros": flag,
}


def clip_coordinates_(
    tensors: Sequence[Tensor],
    *,
    fraction: float | None = None,
    threshold: float | None = None,
    scope: Scope = "global",
    scale: float = 1.0,
    ignore_zeros: bool = False,
) -> float | list[float]:
    r"""Cuts the largest coordinates to a common magnitude, in place.

    .. math:: x_j \leftarrow \operatorname{sign}(x_j) \min(|x_j|, \tau), \qquad \tau = c \, a_{\lfloor N p \rfloor}

    where :math:`a_0 \ge a_1 \ge \dots \ge a_{N-1}` are the magnitudes. The threshold is exact, and found without
    sorting.

    Args:
        tensors: what to clip, of any shapes. One that stands there twice counts once.
        fraction: :math:`p` in [0, 1), the share of coordinates above the threshold; 0 clips nothing.
        threshold: an absolute :math:`\tau > 0`, instead of a fraction. Of gradients that a gradient scaler has scaled,
            call ``scaler.unscale_`` first.
        scope: whether all tensors have one threshold, or each its own.
        scale: :math:`c > 0`.
        ignore_zeros: whether only coordinates other than zero are counted. Otherwise, where more than
            :math:`(1-p) N` coordinates are zero, so is the threshold, and everything vanishes; a warning says so.

    Returns:
        The threshold, infinite where nothing was to be clipped; with ``scope="tensor"`` one for each tensor.

    Raises:
        TypeError: an argument has the wrong type; a tensor is sparse or complex.
        ValueError: an argument is outside its range, or not exactly one of fraction and threshold is given.
    """
    for index, tensor in enumerate(tensors):
        if tensor.layout is not torch.strided or not tensor.is_floating_point():
            kind = f"{tensor.dtype}, {tensor.layout}"
            raise TypeError(f"tensors[{index}] is {kind}: dense tensors of real floating-point numbers are clipped")
    given = {"fraction": fraction, "threshold": threshold, "scope": scope, "scale": scale, "ignore_zeros": ignore_zeros}
    settings = {name: check(name, given[name]) for name, check in CHECKS.items()}
    require_one(settings)
    limits = thresholds(tensors, settings)
    with torch.no_grad():
        for tensor, limit in zip(tensors, limits, strict=True):
            if limit < math.inf:
                tensor.clamp_(-limit, limit)
    return limits if scope == "tensor" else (limits[0] if limits else math.inf)


class CoordinateClip(OptimizerWrapper):
    r"""Coordinate-wise clipping around any optimizer.

    Before the optimizer steps, the largest coordinates of the gradient (or afterwards, those of the update) are cut to
    a common magnitude: the one that a share ``fraction`` of all coordinates exceeds at this step. See
    :func:`clip_coordinates_` for the formula. Unlike clipping by norm, which keeps the direction, this turns the step
    away from the few coordinates in which curvature is large.

    Differences: none in the threshold. The gradient that other code sees in ``.grad`` stays unclipped.

    Warning:
        * A clipped gradient is biased: where gradients are noisy, the point at which it vanishes on average is not a
          stationary point.
        * Around an optimizer that looks at signs only (Lion, sign descent), clipping the update does nothing.

    Args:
        optimizer: what to clip for.
        fraction: share of the coordinates above the threshold, in [0, 1). The default is the paper's for gradients (a
            secondary source); it uses 0.5 for updates.
        threshold: an absolute threshold > 0, with ``fraction=None``.
        where: ``"gradient"``, or ``"update"``: everything by which the optimizer moves a parameter, weight decay
            included.
        scope: ``"global"``, one threshold for all parameters with the same settings, or ``"tensor"``.
        scale: factor on the threshold, > 0.
        ignore_zeros: whether only coordinates other than zero are counted.
        normalize: whether each tensor's clipped gradient is scaled to a root mean square of one.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range, not exactly one of ``fraction`` and ``threshold`` is given, or
            ``normalize`` is combined with ``where="update"``.
    """

    tunables: ClassVar[Tunables] = {"fraction": Choice((0.01, 0.1, 0.5))}

    prefix = "clip"
    hyperparameters: ClassVar = {**CHECKS, "where": one_of("gradient", "update"), "normalize": flag}

    def __init__(
        self,
        optimizer: Optimizer,
        fraction: float | None = 0.1,
        threshold: float | None = None,
        *,
        where: Where = "gradient",
        scope: Scope = "global",
        scale: float = 1.0,
        ignore_zeros: bool = False,
        normalize: bool = False,
    ) -> None:
        super().__init__(
            optimizer,
            fraction=fraction,
            threshold=threshold,
            where=where,
            scope=scope,
            scale=scale,
            ignore_zeros=ignore_zeros,
            normalize=normalize,
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes one step of the inner optimizer with what is clipped.

        Args:
            closure: computes the loss and its gradients; called once, with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse or has no values, or a fraction is asked for of parameters that are
                divided over processes. Nothing was written.
            TypeError: a gradient is complex. Nothing was written.
        """
        loss = evaluated(closure)
        own = [self._own(group) for group in self.param_groups]
        shared = list(pools(self.param_groups, own, type(self).__name__))
        with torch.no_grad(), _clipped_gradients(shared), _clipped_updates(shared):
            step_inside(self.inner)
        return loss

    def _check_groups(self, optimizer: Optimizer, groups: Sequence[dict[str, Any]]) -> None:
        super()._check_groups(optimizer, groups)
        for group in groups:
            refuse_other_types(group, type(self).__name__)

    def _own(self, group: Mapping[str, Any]) -> dict[str, Any]:
        own = super()._own(group)
        require_one(own)
        if own["normalize"] and own["where"] == "update":
            raise ValueError("normalize=True scales gradients, and where='update' does not clip them")
        return own


Pool: TypeAlias = tuple[dict[str, Any], list[Tensor]]
"""Settings, and the parameters that share them and one threshold."""


def pools(groups: Sequence[Mapping[str, Any]], own: Sequence[dict[str, Any]], name: str) -> Iterator[Pool]:
    """Yields the parameters that have gradients, by their settings.

    Args:
        groups: parameter groups.
        own: the settings of each.
        name: of the optimizer, for messages.

    Raises:
        RuntimeError: a gradient is sparse or has no values, or a fraction is asked for of parameters that are divided
            over processes.
        TypeError: a gradient is complex.
    """
    refuse_unreadable_gradients(groups, name)
    shared: dict[tuple[Any, ...], Pool] = {}
    for group, settings in zip(groups, own, strict=True):
        params = [param for param in group["params"] if param.grad is not None]
        if settings["fraction"] and any(map(shards_of, params)):
            raise RuntimeError(
                "the threshold of a fraction needs all coordinates, and parameters are divided over processes: give "
                "threshold instead of fraction"
            )
        shared.setdefault(tuple(settings.values()), (settings, []))[1].extend(params)
    yield from shared.values()


@contextmanager
def _clipped_gradients(pools: Sequence[Pool]) -> Iterator[None]:
    params: list[Tensor] = []
    grads: list[Tensor] = []
    for settings, own in pools:
        if settings["where"] == "gradient":
            given = [cast("Tensor", param.grad) for param in own]
            limits = thresholds(given, settings)
            params += own
            grads += [clipped(grad, limit) for grad, limit in zip(given, limits, strict=True)]
            if settings["normalize"]:
                grads[-len(own) :] = map(_normalized, grads[-len(own) :])
    with lent_gradients(params, grads):
        yield


@contextmanager
def _clipped_updates(pools: Sequence[Pool]) -> Iterator[None]:
    before = [[param.clone() for param in own] if s["where"] == "update" else [] for s, own in pools]
    yield
    for (settings, own), olds in zip(pools, before, strict=True):
        if olds:
            updates = [param - old for param, old in zip(own, olds, strict=True)]
            for param, old, update, limit in zip(own, olds, updates, thresholds(updates, settings), strict=True):
                # what is within the limit stays as it is, to the last bit
                param.copy_(torch.where(update.abs() > limit, old + clipped(update, limit), param))


def clipped(grad: Tensor, limit: float) -> Tensor:
    """Returns a clipped copy, or the gradient itself where the limit is beyond what it can hold."""
    return grad if limit > torch.finfo(grad.dtype).max else grad.clamp(-limit, limit)


def _normalized(grad: Tensor) -> Tensor:
    if grad.numel() == 0:
        return grad
    # Relative to the largest, whose square may be too large or too small for the format.
    values = grad.to(working_dtype(grad.dtype))
    largest = values.abs().max()
    relative = torch.where(largest > 0, values / largest, values)
    norm = torch.linalg.vector_norm(relative)
    return torch.where(norm > 0, relative * (math.sqrt(grad.numel()) / norm), relative).to(grad.dtype)


def thresholds(tensors: Sequence[Tensor], settings: Mapping[str, Any]) -> list[float]:
    """Returns the threshold of each tensor, infinite where nothing is to be clipped."""
    if settings["threshold"] is not None:
        return [settings["threshold"]] * len(tensors)
    if settings["scope"] == "tensor":
        return [_threshold([tensor], settings) for tensor in tensors]
    distinct = list({id(tensor): tensor for tensor in tensors}.values())
    return [_threshold(distinct, settings)] * len(tensors)


def _threshold(tensors: Sequence[Tensor], settings: Mapping[str, Any]) -> float:
    fraction = settings["fraction"]
    total = sum(int(t.count_nonzero()) if settings["ignore_zeros"] else t.numel() for t in tensors)
    if fraction == 0 or total == 0:
        return math.inf
    limit = nth_largest_magnitude(tensors, int(total * fraction))
    if limit == 0 and any(map(torch.any, tensors)):
        warnings.warn(
            f"more than {1 - fraction:.3g} of the coordinates are zero, so the threshold of fraction={fraction:g} is "
            "zero and nothing is left of the step; ignore_zeros=True counts the others only",
            stacklevel=2,
        )
    scale: float = settings["scale"]
    return scale * limit


def require_one(settings: Mapping[str, Any]) -> None:
    """Checks that either a fraction or a threshold is set.

    Raises:
        ValueError: both are, or neither is.
    """
    if (settings["fraction"] is None) == (settings["threshold"] is None):
        raise ValueError(
            f"exactly one of fraction={settings['fraction']} and threshold={settings['threshold']} is needed; "
            "the other must be None"
        )

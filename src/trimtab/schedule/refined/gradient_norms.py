"""The norm of the whole gradient at each step, written down while a run goes on."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Adam, Optimizer

from trimtab.primitives.hyperparameters import POSITIVE, whole_number
from trimtab.primitives.joint import JointOptimizer
from trimtab.primitives.loss_scaling import overflows
from trimtab.primitives.sharding import Shards, local, shards_of
from trimtab.primitives.wrapping import OptimizerWrapper, innermost
from trimtab.schedule.refined.refined import check_norm
from trimtab.study.files import write_atomically

SCHEMA = "trimtab.gradient-norms"

_WAITING = 256
"""Norms that may wait on an accelerator before they are read, because reading one makes the processor wait."""

Scalar: TypeAlias = Float[Tensor, ""]


class GradientNormRecorder:
    r"""Records the norm of the gradient that each step of an optimizer is given, over all parameters together.

    Given an optimizer, it hooks itself into ``optimizer.step()``: the loop needs no further line. It only reads, so
    that training is the same, bit for bit. What is recorded is what the optimizer sees:

    * the stochastic gradient, accumulated over micro-batches if it is, without weight decay that the optimizer adds;
    * unscaled, under ``torch.amp.GradScaler``; a step that the scaler leaves out is not recorded;
    * from the closure's first call, where ``step`` is given one;
    * of both halves together, with AGVM;
    * over all processes, for parameters that are divided among them (FSDP2).

    If the loop clips gradients, the optimizer sees clipped ones, whose norms say little. Give the recorder the
    parameters then, and call :meth:`step` between ``backward()`` and the clipping. An optimizer that clips by itself
    sees what comes before.

    Args:
        optimizer_or_params: an optimizer, or parameters.
        norm: ``"l2"``; ``"l1"``, the sum of absolute values; or ``"adam_weighted"``,
            :math:`\sqrt{\sum_i g_i^2 / (\sqrt{\hat v_i} + \epsilon)}` with the :math:`\hat v` of the step that is about
            to be taken, for ``torch.optim.Adam`` and ``AdamW``, perhaps inside of wrappers; without AMSGrad's maximum.
        every: records every so many steps, the first one included.

    Attributes:
        norm: which norm.
        every: how often.
        steps: steps seen.

    Raises:
        TypeError: an argument has the wrong type, the optimizer has no :math:`v` as Adam has it, or it is not given
            gradients but computes its own, as SSO does.
        ValueError: ``norm`` or ``every`` is outside its range, or there are no parameters.
    """

    def __init__(self, optimizer_or_params: Optimizer | Iterable[Tensor], norm: str = "l2", every: int = 1) -> None:
        check_norm("norm", norm)
        self.norm: str = norm
        self.every: int = whole_number(1)("every", every)
        self.steps = 0
        self._norms: list[float] = []
        self._waiting: list[Scalar] = []
        self._optimizer: Optimizer | None = None
        self._params: list[Tensor] = []
        self._hook: Any = None
        if isinstance(optimizer_or_params, Optimizer):
            self._optimizer = given_gradients(optimizer_or_params)
            if norm == "adam_weighted" and not isinstance(innermost(self._optimizer), Adam):
                kind = type(innermost(self._optimizer)).__name__
                raise TypeError(f"norm='adam_weighted' needs torch.optim.Adam or AdamW, not {kind}")
            self._hook = self._optimizer.register_step_pre_hook(self._before_step)
        else:
            self._params = _checked_parameters(optimizer_or_params)
            if norm == "adam_weighted":
                raise TypeError("norm='adam_weighted' needs the optimizer, not its parameters")

    @property
    def norms(self) -> list[float]:
        """What was recorded so far; an infinite or NaN norm is recorded as such."""
        self._read()
        return list(self._norms)

    def step(self, loss_scale: float | None = None) -> None:
        """Records the gradients of the parameters as they are now; only for a recorder that was given parameters.

        Args:
            loss_scale: where a gradient scaler takes the steps, what gradients are multiplied with at this moment:
                ``scaler.get_scale()``, or 1 after ``scaler.unscale_``. Norms are divided by it, and one that is not
                finite is left out, as the scaler leaves out the step.

        Raises:
            RuntimeError: it watches an optimizer, whose steps it records by itself.
            TypeError: ``loss_scale`` is not a number.
            ValueError: ``loss_scale`` is not positive.
        """
        if self._optimizer is not None:
            raise RuntimeError("this recorder watches an optimizer: each step() of that is recorded without a call")
        if loss_scale is None:
            self._record()
            return
        scale = POSITIVE("loss_scale", loss_scale)
        grads = [grad for param in self._params if (grad := param.grad) is not None]
        if bool(total_norm(grads, 1).isfinite()):
            self._record(scale)

    def remove(self) -> None:
        """Stops watching; what was recorded stays."""
        if self._hook is not None:
            self._hook.remove()

    def state_dict(self) -> dict[str, Any]:
        """Returns what was recorded, in plain values."""
        return {"norm": self.norm, "every": self.every, "steps": self.steps, "norms": self.norms}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from what :meth:`state_dict` returned.

        Raises:
            ValueError: it is a recording of another norm, or one that was made more or less often.
        """
        for name in ("norm", "every"):
            own = getattr(self, name)
            if state_dict[name] != own:
                raise ValueError(f"{name}={state_dict[name]!r} is the saved recording's, and this one's is {own!r}")
        self.steps = int(state_dict["steps"])
        self._norms = list(state_dict["norms"])
        self._waiting.clear()

    def save(self, path: str | Path) -> Path:
        """Writes the recording as JSON, for ``trimtab refine``.

        Args:
            path: of the file.

        Raises:
            UnwritableError: the operating system refuses.
        """
        # JSON has no numbers that are not finite
        values = [value if abs(value) < float("inf") else repr(value) for value in self.norms]
        return write_atomically(path, json.dumps({"schema": SCHEMA, **self.state_dict(), "norms": values}))

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if overflows(optimizer):
            return None
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if not callable(closure):
            self._record(getattr(optimizer, "grad_scale", None))  # what one has that unscales by itself
            return None
        recorded = False

        def recording(*given: Any, **named: Any) -> Any:
            nonlocal recorded
            value = closure(*given, **named)
            if not recorded:
                recorded = True
                self._record()
            return value

        if "closure" in kwargs:
            return args, {**kwargs, "closure": recording}
        return (args[0], recording, *args[2:]), kwargs

    @torch.no_grad()
    def _record(self, scale: float | Scalar | None = None) -> None:
        due = self.steps % self.every == 0
        self.steps += 1
        if not due:
            return
        if self.norm == "adam_weighted":
            state = innermost(self._optimizer).state  # type: ignore[arg-type]  # has one
            value = _adam_weighted(self._groups(), state, 1.0 if scale is None else scale)
        else:
            params = [param for group in self._groups() for param in group["params"]]
            value = total_norm([p.grad for p in params if p.grad is not None], 2 if self.norm == "l2" else 1)
            value = value if scale is None else value / scale
        self._waiting.append(value)
        if len(self._waiting) >= _WAITING:
            self._read()

    def _read(self) -> None:
        if self._waiting:
            first = self._waiting[0].device
            self._norms += torch.stack([each.double().to(first) for each in self._waiting]).tolist()
            self._waiting.clear()

    def _groups(self) -> Sequence[Mapping[str, Any]]:
        return [{"params": self._params}] if self._optimizer is None else self._optimizer.param_groups


def given_gradients(optimizer: Optimizer) -> Optimizer:
    """Returns the optimizer whose ``step`` is reached with the whole gradient in place.

    Raises:
        TypeError: there is none.
    """
    while isinstance(optimizer, OptimizerWrapper) and optimizer.passes_gradients_on:
        optimizer = optimizer.inner
    inside = innermost(optimizer)
    if isinstance(inside, JointOptimizer) and inside.own_gradients:
        raise TypeError(
            f"{type(inside).__name__} is not given gradients, it computes its own: there is no norm to record, and no "
            "schedule to be made of it"
        )
    return optimizer


def _checked_parameters(params: Any) -> list[Tensor]:
    if isinstance(params, Tensor) or not isinstance(params, Iterable):
        raise TypeError(f"optimizer_or_params={params!r:.60}: an optimizer or several parameters are needed")
    found = list(params)
    for index, param in enumerate(found):
        if not isinstance(param, Tensor):
            raise TypeError(f"optimizer_or_params[{index}] is a {type(param).__name__}, not a parameter")
    if not found:
        raise ValueError("optimizer_or_params holds no parameters")
    return found


def total_norm(grads: Sequence[Tensor], order: int) -> Scalar:
    r"""Returns the norm of all gradients together, that of :func:`torch.nn.utils.clip_grad_norm_` to the last bit.

    Where gradients are divided over processes each piece counts once, and where they are in half precision sums are in
    single precision.

    Args:
        grads: the gradients.
        order: 1 or 2.
    """
    parts = _pieces(grads)
    if parts.keys() <= {None}:
        return get_total_norm(parts.get(None, []), order)
    powers = [_powers(pieces, order, shards) for shards, pieces in parts.items()]
    return torch.stack([power.to(powers[0].device) for power in powers]).sum() ** (1 / order)


def _powers(pieces: Sequence[Tensor], order: int, shards: Shards | None) -> Scalar:
    power = get_total_norm(pieces, order) ** order
    return power if shards is None else shards.total(power)


def _pieces(grads: Sequence[Tensor]) -> dict[Shards | None, list[Tensor]]:
    """Sorts what this process has of the gradients by how they are divided; every process finds the same kinds."""
    parts: dict[Shards | None, list[Tensor]] = defaultdict(list)
    for grad in grads:
        piece = local(grad.detach())
        if piece.is_sparse:
            piece = piece.coalesce().values()
        if piece.dtype in (torch.float16, torch.bfloat16):
            piece = piece.float()
        parts[shards_of(grad)].append(piece)
    return parts


def _adam_weighted(
    groups: Sequence[Mapping[str, Any]], states: Mapping[Tensor, Mapping[str, Any]], scale: float | Scalar
) -> Scalar:
    """Returns the norm in which each squared gradient is divided by the root of Adam's running mean of them."""
    terms = [
        _divided(param.grad / scale, group, states.get(param, {}))
        for group in groups
        for param in group["params"]
        if param.grad is not None
    ]
    return total_norm(terms, 1).sqrt()


def _divided(grad: Tensor, group: Mapping[str, Any], state: Mapping[str, Any]) -> Tensor:
    square = grad.square()
    second = float(group["betas"][1])
    taken = float(state["step"]) if "step" in state else 0.0
    before = state.get("exp_avg_sq", torch.zeros_like(square))
    corrected = (second * before + (1 - second) * square) / (1 - second ** (taken + 1))
    weighted: Tensor = square / (corrected.sqrt() + group["eps"])
    return weighted

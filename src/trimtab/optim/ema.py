"""Exponential moving averages of weights: what a run is worth is where it has lately been (Polyak & Juditsky, 1992).

Adapts   the weights that are evaluated.
Signal   where steps have led.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from trimtab.primitives.flat.refusals import moves
from trimtab.primitives.hyperparameters import FRACTION, flag
from trimtab.primitives.idle import is_idle
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.loss_scaling import scaling_of
from trimtab.primitives.modes import has_modes
from trimtab.primitives.saved_state import placed
from trimtab.primitives.wrapping import OptimizerWrapper, innermost, step_inside
from trimtab.study.tunable import Tunables

if TYPE_CHECKING:
    from trimtab.lab.session import Session

_READ_INSIDE = ("needs_graph", "accumulate_curvature", "_step_supports_amp_scaling")
"""What loops and gradient scalers look for at an optimizer, and find here where the one inside has it."""


class _ToldInside:
    """An attribute that a gradient scaler writes for a step: the optimizer inside is the one that reads it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, wrapper: Any, owner: type) -> Any:
        return self if wrapper is None else getattr(wrapper.inner, self._name)

    def __set__(self, wrapper: Any, value: Any) -> None:
        setattr(wrapper.inner, self._name, value)

    def __delete__(self, wrapper: Any) -> None:
        delattr(wrapper.inner, self._name)


class EMA(OptimizerWrapper):
    r"""Keeps an average of the weights beside any optimizer, to evaluate and to save.

    .. math:: \bar\theta_t = d_t\,\bar\theta_{t-1} + (1 - d_t)\,\theta_t, \qquad
        d_t = \min\!\Big(d, \frac{1 + t}{10 + t}\Big), \qquad \bar\theta_0 = \theta_0

    with :math:`t = 0, 1, \dots` the averages taken before: the first ones forget where the run began, as TensorFlow's
    ``ExponentialMovingAverage`` does with ``num_updates``. The steps themselves are the inner optimizer's, bit for bit,
    also under a gradient scaler; a step that overflows is left out of the averages.

    As schedule-free optimizers do, it has two modes:

    .. code-block:: python

        optimizer = EMA(torch.optim.AdamW(model.parameters(), lr=1e-3))
        ...
        optimizer.eval()  # the averages are in place: evaluate, or save the model
        optimizer.train()  # the weights of the run are, bit for bit; in this mode steps are taken

    A run may be saved in either mode, together with the model as it then is. One that was saved with the averages in
    place is loaded so, with the weights of the run beside them: ``train()`` goes on from these, bit for bit. Whatever
    is loaded into the model alone while the averages are in place, ``train()`` overwrites.

    Differences:
        * ``torch.optim.swa_utils.AveragedModel`` is a second model, with a constant ``decay``; this is state of the
          optimizer, saved and loaded with it.
        * Buffers are not averaged: running statistics of batch normalisation stay those of the run.
          ``torch.optim.swa_utils.update_bn`` computes them anew after ``eval()``.

    Args:
        optimizer: the optimizer.
        decay: :math:`d` in [0, 1). Over :math:`1/(1-d)` steps it forgets; 0.999 and 0.9999 are usual.
        warmup: whether :math:`d_t` begins small; otherwise it is :math:`d` always. A short run never comes to it:
            0.9 takes 81 steps, 0.99 takes 891, and 0.999 takes 8,991.

    Raises:
        TypeError: an argument has the wrong type, or the optimizer averages weights by itself.
        ValueError: ``decay`` is outside its range.
    """

    tunables: ClassVar[Tunables] = {}

    prefix = "ema"
    passes_steps_on = True
    passes_gradients_on = True
    hyperparameters: ClassVar = {"decay": FRACTION, "warmup": flag, "evaluated": flag}
    found_inf = _ToldInside()
    grad_scale = _ToldInside()

    def __init__(self, optimizer: Optimizer, decay: float = 0.999, *, warmup: bool = True) -> None:
        super().__init__(optimizer, decay=decay, warmup=warmup, evaluated=False)

    def _require_optimizer(self, optimizer: object) -> None:
        super()._require_optimizer(optimizer)
        core = innermost(optimizer) if isinstance(optimizer, Optimizer) else optimizer
        if has_modes(core):
            raise TypeError(f"EMA averages weights, and so does {type(core).__name__}: leave one of them out")

    def __getattr__(self, name: str) -> Any:
        # of what needs more of a run than a closure, an average can be taken as well
        inner: Any = vars(self).get("inner")
        if name == "step_on" and inner is not None:
            inside: Callable[[Session], Any] = inner.step_on
            return lambda session: self._averaged(lambda: inside(session))
        if name in _READ_INSIDE and inner is not None:
            return getattr(inner, name)
        return super().__getattr__(name)

    @staticmethod
    def largest_decay(steps: int) -> float:
        """Returns how far the decay comes in a run, if it begins small and nothing bounds it.

        Args:
            steps: of the run.
        """
        return steps / (9 + steps)

    def step(self, closure: Callable[[], Any] | None = None, *more: Any, **settings: Any) -> Any:
        """Takes one step of the inner optimizer, and takes its end into the averages.

        Args:
            closure: given to the inner optimizer.
            *more: what else its step takes.
            **settings: likewise.

        Returns:
            What the inner optimizer's step returned.

        Raises:
            RuntimeError: the averages are in the place of the weights.
        """
        given = () if closure is None and not more else (closure, *more)
        return self._averaged(lambda: step_inside(self.inner, *given, **settings))

    def eval(self) -> None:
        """Puts the averages in the place of the weights."""
        if not self._evaluated:
            averages = {param: state["ema_average"] for param, state in self.state.items() if "ema_average" in state}
            trained = {param: param.detach().clone() for param in averages}
            _write(averages)
            for param, value in trained.items():
                self.state[param]["ema_trained"] = value
            self._set_evaluated(True)

    def train(self) -> None:
        """Puts the weights of the run back."""
        if self._evaluated:
            _write({param: state["ema_trained"] for param, state in self.state.items() if "ema_trained" in state})
            for state in self.state.values():
                state.pop("ema_trained", None)
            self._set_evaluated(False)

    @property
    def _evaluated(self) -> bool:
        return any(group["ema_evaluated"] for group in self.param_groups)

    def _set_evaluated(self, evaluated: bool) -> None:
        for group in self.param_groups:
            group["ema_evaluated"] = evaluated

    def _averaged(self, step: Callable[[], Any]) -> Any:
        with scaling_of(self) as scaling:
            if self._evaluated:
                raise RuntimeError("the averages are in the place of the weights: call train() before the next step")
        if scaling is not None and scaling.overflows:  # the optimizer inside leaves it out
            return step()
        own = [self._own(group) for group in self.param_groups]
        idle = is_idle(self)
        starts = {
            param: param.detach().to(working_dtype(param.dtype), copy=True)
            for group in self.param_groups
            for param in filter(moves, group["params"])
            if not is_lazy(param) and "ema_average" not in self.state.get(param, {})
        }
        result = step()
        for param, start in starts.items():  # not before: an optimizer makes its state where there is none
            if param.grad is not None or self.state.get(param):  # some take the gradients that they computed away
                self.state[param].update(ema_average=start, ema_count=0)
        if not idle:
            for settings, group in zip(own, self.param_groups, strict=True):
                self._average(settings, [p for p in group["params"] if "ema_average" in self.state.get(p, {})])
        return result

    @torch.no_grad()
    def _average(self, settings: Mapping[str, Any], params: list[Tensor]) -> None:
        alike: dict[tuple[int, torch.dtype, torch.device], list[Tensor]] = defaultdict(list)
        for param in params:
            alike[self.state[param]["ema_count"], param.dtype, param.device].append(param)
        for (count, *_), group in alike.items():
            decay = settings["decay"]
            if settings["warmup"]:
                decay = min(decay, self.largest_decay(count + 1))
            averages = [self.state[param]["ema_average"] for param in group]
            values = [param.to(average.dtype) for param, average in zip(group, averages, strict=True)]
            torch._foreach_lerp_(averages, values, 1 - decay)
            for param in group:
                self.state[param]["ema_count"] = count + 1

    def _load(self, state: dict[str, Any]) -> None:
        groups = list(zip(state["param_groups"], self.param_groups, strict=False))  # torch complains of other lengths
        members = [pair for saved, group in groups for pair in zip(saved["params"], group["params"], strict=False)]
        entries = {param: state["state"].get(key, {}) for key, param in members}
        averaged = {param: entry for param, entry in entries.items() if "ema_average" in entry}
        evaluated = bool(averaged) and any(saved["ema_evaluated"] for saved, _ in groups)
        kept = ("ema_average", "ema_trained") if evaluated else ("ema_average",)
        if not all(name in entry for entry in averaged.values() for name in kept):
            # who went on from there would go on from the averages, and never know
            raise ValueError(
                "the state was saved with the averages in the place of the weights, and lacks the weights of the run: "
                "call train() before saving, or, where a checkpoint is loaded in the form of a new optimizer's state, "
                "that optimizer's eval() first"
            )
        for name in kept:
            _refuse_other_shapes({param: entry[name] for param, entry in averaged.items()})
        super()._load(state)
        for param, entry in averaged.items():
            self.state[param].update({name: placed(param, entry[name]) for name in kept})  # torch casts to its type
            self.state[param]["ema_count"] = int(entry["ema_count"])
        self._set_evaluated(evaluated)


@torch.no_grad()
def _write(values: Mapping[Tensor, Tensor]) -> None:
    _refuse_other_shapes(values)
    for param, value in values.items():
        param.copy_(value)


def _refuse_other_shapes(values: Mapping[Tensor, Tensor]) -> None:
    for param, value in values.items():
        if value.shape != param.shape:  # copying would stretch some of them, and write nonsense
            shapes = f"{tuple(value.shape)}, but its parameter has {tuple(param.shape)}"
            raise ValueError(f"an average has shape {shapes}")

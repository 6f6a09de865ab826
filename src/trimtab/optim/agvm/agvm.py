"""AGVM: every module steps with the variance of the backbone (Xue et al., 2022, arXiv:2210.11078).

Adapts   the learning rate of each module of a network.
Signal   how much the gradients of two halves of a batch differ in direction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch.optim import Optimizer

from trimtab.optim.agvm.halves import Halves
from trimtab.optim.agvm.halves_variance import Compared, params_of, rate
from trimtab.optim.agvm.modules import modules_of, named_module, split_by_children
from trimtab.primitives.flat.refusals import refuse_unreadable_gradients
from trimtab.primitives.hyperparameters import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    flag,
    one_of,
    optional,
    pair,
    string,
    whole_number,
)
from trimtab.primitives.idle import is_idle
from trimtab.primitives.wrapping import OptimizerWrapper, evaluated, step_inside
from trimtab.study.tunable import Choice, Tunables

if TYPE_CHECKING:
    from trimtab.lab.session import Session

BY_HALVES = (
    "AGVM compares the gradients of two halves of the batch at this step: give step() two closures, or run two "
    "backward passes, each `with optimizer.half(0 or 1)`; optimizer.compares tells when"
)
BY_PROCESSES = (
    "AGVM compares the gradients of the processes at this step: call optimizer.exchange() after the backward pass, "
    "which runs within model.no_sync() when optimizer.wants_local_gradients"
)


class AGVM(OptimizerWrapper):
    r"""Adaptive gradient variance modulator, around any optimizer.

    Every ``interval`` steps, the gradient of each module :math:`i` is taken for two halves of the batch, and

    .. math::
        \varphi_i &= 1 - \cos(G_{i,1}, G_{i,2}), \qquad
        r_i = \sqrt{\operatorname{clamp}\left(\frac{\varphi_0 + 10^{-6}}{\varphi_i + 10^{-6}}\right)} \\
        \mu_i &\leftarrow \alpha \mu_i + (1 - \alpha)\, r_i, \qquad \mu_0 = 1

    with the anchor, most often the backbone, as module 0. Every step is then taken with the learning rate
    :math:`\eta \mu_i`, weight decay included; what schedulers see and write is :math:`\eta`. A noisy module
    (:math:`\varphi_i` large) moves less, a quiet one more.

    Around an optimizer that keeps a second moment :math:`v`, the halves are compared as that optimizer sees them, after
    division by :math:`\sqrt{\beta_2 v + (1 - \beta_2) G^2} + \epsilon`.

    How it gets its halves: in a comparison, from the session. In a loop of one's own, either two closures or two
    backward passes, which together cost as much as one::

        optimizer = AGVM(torch.optim.SGD(module_parameter_groups(model, ["backbone", "neck", "head"]), lr=0.1))
        for half in (0, 1):
            with optimizer.half(half):
                loss(model(inputs[half::2]), targets[half::2]).backward()
        optimizer.step()

    After the second half ``.grad`` holds the gradient of the whole batch, so that clipping, a gradient scaler and
    whatever else stands between backward and step see what is applied. The halves are compared as the optimizer inside
    would be given them: unscaled and clipped by norm as their mean was.

    Under ``DistributedDataParallel``, with ``distributed=True``, the halves are those of the processes, which exchange
    them in two sums instead of one::

        with model.no_sync() if optimizer.wants_local_gradients else nullcontext():
            loss(model(inputs), targets).backward()
        optimizer.exchange()
        optimizer.step()

    Differences: the official code compares one pair of processes, ours the sums over all of either half. The clamp, the
    guard and the start after warm-up are the official code's; ``clamp=None`` is the paper's form. Published details
    come from the code and from secondary summaries.

    Warning:
        * The moving average forgets over ``interval / (1 - momentum)`` steps, 330 by default. In runs of a few hundred
          steps it needs a smaller interval and momentum.
        * Each half's loss must be a mean over its samples. Batch normalisation sees halves on the steps that compare.
        * At small batches all modules differ alike, and nothing happens; that is intended.

    Args:
        optimizer: with the modules as its parameter groups, or with named parameters, as ``model.named_parameters()``
            gives them, and :func:`~trimtab.optim.parameter_groups` with ``named=True``.
        modules: ``"groups"`` takes each parameter group for a module, ``"children"`` the parameters whose names begin
            alike (``backbone.0.weight``); groups are then split.
        anchor: the module that keeps its learning rate, by name or by place. While it is frozen, the first module that
            is not stands for it.
        interval: steps from one comparison to the next, >= 1. The default is the paper's.
        momentum: :math:`\alpha` in [0, 1). The default is the paper's.
        start: the first step that compares. The official settings are 100 steps after the warm-up's end.
        stop: the first step that no longer does, or ``None``.
        clamp: bounds of the ratio, before the root, with ``low <= 1 <= high``. The default is the official code's.
        precondition: whether the halves are compared after division by the second moment; ``None`` does where the
            inner optimizer keeps one.
        distributed: whether the halves are those of the processes of ``torch.distributed``'s default group.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range, there are fewer than two modules, or there is no such anchor.
    """

    tunables: ClassVar[Tunables] = {"momentum": Choice((0.5, 0.9, 0.97))}

    prefix = "agvm"
    needs_names = True
    passes_gradients_on = True
    hyperparameters: ClassVar = {
        "anchor": string,
        "interval": whole_number(1),
        "momentum": FRACTION,
        "start": whole_number(0),
        "stop": optional(whole_number(0)),
        "clamp": optional(pair(POSITIVE)),
        "precondition": optional(flag),
        "distributed": flag,
        "scale": POSITIVE,
        "variance": optional(NON_NEGATIVE),
        "steps": whole_number(0),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        modules: Literal["groups", "children"] = "groups",
        *,
        anchor: int | str = 0,
        interval: int = 10,
        momentum: float = 0.97,
        start: int = 0,
        stop: int | None = None,
        clamp: tuple[float, float] | None = (0.5, 10.0),
        precondition: bool | None = None,
        distributed: bool = False,
    ) -> None:
        self._require_optimizer(optimizer)
        whole = list(optimizer.param_groups)
        if one_of("groups", "children")("modules", modules) == "children":
            split_by_children(optimizer)
        try:
            super().__init__(
                optimizer,
                anchor=named_module(anchor, list(modules_of(optimizer.param_groups))),
                interval=interval,
                momentum=momentum,
                start=start,
                stop=stop,
                clamp=clamp,
                precondition=precondition,
                distributed=distributed,
                scale=1.0,
                variance=None,
                steps=0,
            )
        except (TypeError, ValueError):
            optimizer.param_groups[:] = whole
            raise
        self._forget()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget()

    def _forget(self) -> None:
        self._halves, self._within_half = Halves(), False

    @property
    def scales(self) -> dict[str, float]:
        """What each module's learning rate is multiplied with."""
        return {name: groups[0]["agvm_scale"] for name, groups in modules_of(self.param_groups).items()}

    @property
    def variances(self) -> dict[str, float | None]:
        r"""Each module's :math:`\varphi` at the last comparison; ``None`` before the first."""
        return {name: groups[0]["agvm_variance"] for name, groups in modules_of(self.param_groups).items()}

    @property
    def compares(self) -> bool:
        """Whether the next step compares two halves."""
        own = self._own(self.param_groups[0])
        steps, start, stop = own["steps"], own["start"], own["stop"]
        return steps >= start and (steps - start) % own["interval"] == 0 and (stop is None or steps < stop)

    @property
    def wants_local_gradients(self) -> bool:
        """Whether the next backward pass should leave each process with gradients of its own."""
        return self.compares and self._own(self.param_groups[0])["distributed"]

    @contextmanager
    def half(self, index: int, samples: float = 1.0) -> Iterator[None]:
        """Takes the gradients of the backward passes inside for those of a half.

        After one half there are no gradients, after both ``.grad`` holds their mean.

        Args:
            index: 0 or 1.
            samples: how many samples it has, if the halves differ in that.

        Raises:
            RuntimeError: a gradient is sparse or has no values.
            TypeError: a gradient is complex.
            ValueError: ``index`` is neither.
        """
        one_of(0, 1)("index", index)
        self._halves.begin(index)
        self._within_half = True
        try:
            self.zero_grad()
            yield
        finally:
            self._within_half = False
        refuse_unreadable_gradients(self.param_groups, type(self).__name__)
        self._halves.keep(index, params_of(self.param_groups), samples)
        if self._halves.complete and not self.compares:
            self._halves.forget()  # their mean is in place, and that is all that this step needs

    def exchange(self) -> None:
        """Makes the processes' own gradients the halves, and their mean the gradient, when it is time to compare.

        With ``distributed=True``, call it after every backward pass, once; at other steps it does nothing.

        Raises:
            RuntimeError: there are fewer than two processes.
        """
        if self.wants_local_gradients:
            self._halves.exchange(params_of(self.param_groups))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Resets the gradients, and forgets the halves; within a half only what that half has so far."""
        super().zero_grad(set_to_none)
        if not self._within_half:
            self._halves.forget()

    def step(
        self,
        closure: Callable[[], Any] | None = None,
        second: Callable[[], Any] | None = None,
        *,
        samples: tuple[float, float] = (1.0, 1.0),
    ) -> Any:
        """Takes one step.

        Args:
            closure: computes loss and gradients; of the first half, if there is a second one.
            second: computes those of the second half.
            samples: how many samples the closures' halves have, if they differ in that.

        Returns:
            What the closure returned; the mean over the samples of both.

        Raises:
            RuntimeError: it is time to compare, and there are no halves, or there is only one half; or a gradient is
                sparse or has no values. Nothing was written.
            TypeError: a gradient is complex. Nothing was written.
            ValueError: there is a second closure only.
        """
        if second is None:
            loss = evaluated(closure)
        elif closure is None:
            raise ValueError("second=... needs a closure of the first half as well")
        else:
            losses = []
            for index, compute in enumerate((closure, second)):
                with self.half(index, samples[index]):
                    losses.append(evaluated(compute) * samples[index])
            loss = sum(losses) / sum(samples)
        refuse_unreadable_gradients(self.param_groups, type(self).__name__)
        if closure is None and is_idle(self):
            step_inside(self.inner)
        else:
            self._step()
        return loss

    def step_on(self, session: "Session") -> Any:
        """Takes one step on a session's batch, by halves when it is time to compare."""
        if not self.compares:
            return self.step(session.closure())
        if session.samples < 2:
            raise ValueError(f"a batch of {session.samples} has no halves; batch_size must be at least 2")
        middle = session.samples // 2
        first, second = (session.closure(rows=rows) for rows in (slice(0, middle), slice(middle, None)))
        return self.step(first, second, samples=(middle, session.samples - middle))

    @torch.no_grad()
    def _step(self) -> None:
        own = [self._own(group) for group in self.param_groups]
        missing = self._halves.missing
        if missing is not None:
            raise RuntimeError(
                f"AGVM has one half of the batch, and no half {missing}: run a backward pass with "
                f"optimizer.half({missing}) before the step, and zero_grad() before both halves, not between them"
            )
        if self.compares:
            if not self._halves.complete:
                raise RuntimeError(BY_PROCESSES if own[0]["distributed"] else BY_HALVES)
            self._compare(own[0])
        self._halves.forget()
        with self._scaled_rates():
            step_inside(self.inner)
        for group in self.param_groups:
            group["agvm_steps"] += 1

    def _compare(self, own: Mapping[str, Any]) -> None:
        modules = modules_of(self.param_groups)
        compared = Compared(self._halves, self, own["precondition"])
        first = next((name for name in (own["anchor"], *modules) if compared.has(modules[name])), own["anchor"])
        variances = {name: compared.variance(groups) for name, groups in modules.items()}
        anchor = variances[first]
        for name, groups in modules.items():
            found, scale = variances[name], groups[0]["agvm_scale"]
            if found is not None and anchor is not None and name != first:
                scale = own["momentum"] * scale + (1 - own["momentum"]) * rate(anchor, found, own["clamp"])
            for group in groups:
                group.update(agvm_variance=found, agvm_scale=scale)

    @contextmanager
    def _scaled_rates(self) -> Iterator[None]:
        rates = [group["lr"] for group in self.param_groups]
        try:
            for group in self.param_groups:
                if group["agvm_scale"] != 1.0:
                    group["lr"] = group["lr"] * group["agvm_scale"]
            yield
        finally:
            for group, own in zip(self.param_groups, rates, strict=True):
                group["lr"] = own

    def _own(self, group: Mapping[str, Any]) -> dict[str, Any]:
        own = super()._own(group)
        clamp = own["clamp"]
        if clamp is not None and not clamp[0] <= 1 <= clamp[1]:
            raise ValueError(f"agvm_clamp={clamp} must be a bound <= 1 and one >= 1")
        return own

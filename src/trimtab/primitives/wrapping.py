"""Optimizers around other optimizers: each is one itself, so that schedulers, scalers and checkpoints take it as such.

A wrapper shares the parameter groups and the state of the optimizer that it holds. Its own settings are entries of
those groups, beside the inner optimizer's: they may differ by group, schedulers and users can write to them, and they
are saved and loaded with everything else.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.primitives import saved_state
from trimtab.primitives.hyperparameters import Check
from trimtab.primitives.modes import MODES, has_modes

Group = dict[str, Any]


class OptimizerWrapper(Optimizer):
    """A ``torch.optim.Optimizer`` that changes what another one is given, or what it does.

    A subclass names its settings and writes :meth:`step`. Where what is inside has modes, as averages have, the wrapper
    has its ``train`` and ``eval``, and otherwise has neither: hosts call them where there are any.

    Attributes:
        prefix: begins the names of its settings in the parameter groups.
        hyperparameters: its settings, without the prefix, each with its check.
        owns: settings of the inner optimizer that it sets by itself, so that they are not for tuning.
        passes_steps_on: whether optimizers may be inside that need more than gradients and a closure.
        passes_gradients_on: whether the optimizer inside is given the gradients that this one is given.
        needs_names: whether it goes by the parameters' names.
        keeps_shapes: whether the state inside is of the parameters' own shapes.
        rescales: settings of the inner optimizer that should be larger by a factor inside this wrapper.
        inner: the optimizer that it holds.

    Args:
        optimizer: the optimizer to hold. It should not be stepped by itself any more.
        **settings: the values of ``hyperparameters``, which a parameter group that has one already overrides.

    Raises:
        TypeError: ``optimizer`` is not one, or a setting has the wrong type.
        ValueError: a setting is outside its range, or the same wrapper is around the optimizer already.
    """

    prefix: ClassVar[str]
    hyperparameters: ClassVar[Mapping[str, Check]]
    owns: ClassVar[tuple[str, ...]] = ()
    passes_steps_on: ClassVar[bool] = False
    passes_gradients_on: ClassVar[bool] = False
    needs_names: ClassVar[bool] = False
    keeps_shapes: ClassVar[bool] = True
    rescales: ClassVar[Mapping[str, float]] = {}
    inner: Optimizer

    def __init__(self, optimizer: Optimizer, **settings: Any) -> None:
        name = type(self).__name__
        self._require_optimizer(optimizer)
        checked = self._prefixed({key: self._check(key, value) for key, value in settings.items()})
        if checked.keys() & optimizer.defaults.keys():
            raise ValueError(f"{name} is around this optimizer already")
        completed = [self._completed(checked, group) for group in optimizer.param_groups]
        self._check_groups(optimizer, completed)  # all of them, before any is written to
        optimizer.defaults.update(checked)
        for group, own in zip(optimizer.param_groups, completed, strict=True):
            group.update(own)
        # Optimizer.__init__ would make groups and a state of our own; what it does besides is done here.
        Optimizer.__setstate__(self, {"inner": optimizer})

    @property
    def param_groups(self) -> list[Group]:
        """The inner optimizer's."""
        return self.inner.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[Group]) -> None:  # what resumes a run may put others in their place
        self.inner.param_groups = groups

    @property
    def state(self) -> Any:
        """The inner optimizer's."""
        return self.inner.state

    @state.setter
    def state(self, state: Any) -> None:
        self.inner.state = state

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]  # torch has an attribute
        """The inner optimizer's, with this one's settings."""
        return self.inner.defaults

    def __getstate__(self) -> dict[str, Any]:
        # Like torch's: hooks are not copied.
        return {"inner": self.inner}

    def __getattr__(self, name: str) -> Any:
        if name in MODES and "inner" in vars(self) and has_modes(self.inner):
            return getattr(self.inner, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__} around {self.inner!r}"

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group of parameters; see ``torch.optim.Optimizer.add_param_group``."""
        self._own({**self.defaults, **param_group})
        self.inner.add_param_group(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Resets the gradients."""
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Returns the inner optimizer's state, whose parameter groups hold this one's settings."""
        for prepare in self._optimizer_state_dict_pre_hooks.values():
            prepare(self)
        state = self._saved()
        for change in self._optimizer_state_dict_post_hooks.values():
            changed = change(self, state)
            state = state if changed is None else changed
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads a state, which may be that of the inner optimizer from before it was wrapped.

        Raises:
            TypeError: a saved setting has the wrong type. Nothing was changed.
            ValueError: a saved setting is outside its range, or the inner optimizer refuses the state. Nothing was
                changed.
        """
        state = saved_state.without_blanks(state_dict)
        for prepare in self._optimizer_load_state_dict_pre_hooks.values():
            changed = prepare(self, state)
            state = state if changed is None else changed
        kept = [self._prefixed(self._own(group)) for group in self.param_groups]
        saved = state["param_groups"]
        if len(saved) == len(kept):  # otherwise the inner optimizer says so
            saved = [{**ours, **theirs} for ours, theirs in zip(kept, saved, strict=True)]
            for group in saved:
                self._own(group)
        self._load({**state, "param_groups": saved})
        for notify in self._optimizer_load_state_dict_post_hooks.values():
            notify(self)

    def _require_optimizer(self, optimizer: object) -> None:
        """Checks that it is an optimizer, and one that this wrapper can step."""
        name = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            hint = f"; give {name} an instance" if isinstance(optimizer, type) else ""
            raise TypeError(f"{name} goes around a torch.optim.Optimizer, not {optimizer!r}{hint}")
        if hasattr(optimizer, "step_on") and not self.passes_steps_on:
            raise TypeError(
                f"{name} changes the gradients of a step, and {type(optimizer).__name__} steps from more than these: "
                f"{name} has to stand inside of it, or be left out"
            )
        core = innermost(optimizer)
        if demands_closure(core) and not self.passes_steps_on:
            raise TypeError(
                f"{name} changes the gradients of a step, and {type(core).__name__} computes its own, several times a "
                f"step, by a closure: {name} has to be left out"
            )
        if has_modes(optimizer) and not self.keeps_shapes:
            raise TypeError(
                f"{name} moves matrices in subspaces, and {type(optimizer).__name__} averages weights as they are: "
                "an average has to stand outside, or be left out"
            )

    @classmethod
    def _check(cls, name: str, value: Any) -> Any:
        return cls.hyperparameters[name](name, value)

    @classmethod
    def _prefixed(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{cls.prefix}_{name}": value for name, value in settings.items()}

    def _completed(self, settings: Mapping[str, Any], group: Group) -> Group:
        """Returns a group with those settings that it does not have by itself."""
        return {**settings, **group}

    def _check_groups(self, _optimizer: Optimizer, groups: Sequence[Group]) -> None:
        """Checks what the wrapper shall go around: an optimizer, and its groups with the wrapper's settings."""
        for group in groups:
            self._own(group)

    def _saved(self) -> dict[str, Any]:
        """Returns what is saved, before hooks have changed it."""
        return self.inner.state_dict()

    def _load(self, state: dict[str, Any]) -> None:
        """Loads what was saved, after hooks have changed it and the settings were checked."""
        self.inner.load_state_dict(state)

    def _own(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the wrapper's settings of a group, checked, without the prefix.

        Raises:
            TypeError: one has the wrong type.
            ValueError: one is outside its range.
        """
        full = {name: f"{self.prefix}_{name}" for name in self.hyperparameters}
        return {name: check(full[name], group[full[name]]) for name, check in self.hyperparameters.items()}


def innermost(optimizer: Optimizer) -> Optimizer:
    """Returns the optimizer that all wrappers are around."""
    while isinstance(optimizer, OptimizerWrapper):
        optimizer = optimizer.inner
    return optimizer


def demands_closure(optimizer: Optimizer) -> bool:
    """Returns whether an optimizer cannot step without a closure, because it evaluates the loss several times."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def unhooked(step: Any) -> Any:
    """Returns the step of an optimizer's class without what torch has put around it.

    A class that calls the step of the class above it has hooks around its own, and they are to be called once.

    Args:
        step: of the class above; torch goes around it when one of that class is made.
    """
    return step.__wrapped__ if getattr(step, "hooked", False) else step


def step_inside(optimizer: Optimizer, *given: Any, **named: Any) -> Any:
    """Takes the step of an optimizer that is part of another one's step.

    Its own hooks are called. Those that torch calls for every optimizer (``register_optimizer_step_pre_hook``) are not:
    they were, or will be, called with the outermost one, once a step.

    Args:
        optimizer: the optimizer inside.
        *given: its step's arguments.
        **named: those that have names.

    Returns:
        What its step returned.
    """
    hooked: Any = type(optimizer).step
    if "step" in vars(optimizer) or not getattr(hooked, "hooked", False):
        return optimizer.step(*given, **named)  # somebody, most often a scheduler, has put his own around torch's
    args: tuple[Any, ...] = (optimizer, *given)
    kwargs = named
    with torch.autograd.profiler.record_function(f"Optimizer.step#{type(optimizer).__name__}.step"):
        for prepare in optimizer._optimizer_step_pre_hooks.values():
            changed = prepare(optimizer, args, kwargs)
            args, kwargs = (args, kwargs) if changed is None else changed
        result = hooked.__wrapped__(*args, **kwargs)
        optimizer._optimizer_step_code()
        for notify in optimizer._optimizer_step_post_hooks.values():
            notify(optimizer, args, kwargs)
    return result


@contextmanager
def lent_gradients(params: Sequence[Tensor], grads: Sequence[Tensor | None]) -> Iterator[None]:
    """Puts other gradients in the place of the parameters' own, which come back in the end, whatever happens."""
    own = [param.grad for param in params]
    try:
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad
        yield
    finally:
        for param, mine in zip(params, own, strict=True):
            param.grad = mine


def evaluated(closure: Any) -> Any:
    """Calls a step's closure, if there is one, as ``torch.optim`` does: with gradients enabled."""
    if closure is None:
        return None
    with torch.enable_grad():
        return cast("Any", closure())

r"""The engine of element-wise update rules: everything about an optimizer but its mathematics.

A rule says in which direction a parameter moves. The engine holds the state, and writes

.. math:: p \leftarrow p\,(1 - \alpha\lambda) - \alpha\,d

with learning rate :math:`\alpha`, weight decay :math:`\lambda` and the rule's direction :math:`d`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, ClassVar, Literal, TypeAlias, overload

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trimtab.primitives.hyperparameters import (
    FLOATING_DTYPES,
    NON_NEGATIVE,
    Check,
    flag,
    floating_dtype,
    learning_rate,
)

WeightDecay: TypeAlias = Literal["decoupled", "fixed", "coupled"]
Group: TypeAlias = dict[str, Any]

ENGINE_CHECKS: Mapping[str, Check] = {
    "lr": learning_rate,
    "weight_decay": NON_NEGATIVE,
    "maximize": flag,
    "state_dtype": floating_dtype,
}


class FlatOptimizer(torch.optim.Optimizer):
    """A ``torch.optim.Optimizer`` whose update is the same function of every element.

    A subclass writes :meth:`direction`, most often :meth:`scalars`, and the three class attributes. A rule with options
    takes them as hyper-parameters: :meth:`scalars` turns them into numbers, and where an option changes what is stored
    or how weights decay, :meth:`state_names_for` or :meth:`weight_decay_for` says so. Options may differ by group.

    Arithmetic is in float32, or in float64 for parameters of that type; a result is rounded once, when it is stored.
    Steps are counted for each parameter, because a parameter may get its first gradient late. ``lr = 0`` leaves
    parameters as they are. Gradients are never written to.

    Attributes:
        state_names: the tensors kept for each parameter, which start at zero, in the order that ``direction`` takes.
        weight_decay: ``"decoupled"`` shrinks the parameter by ``lr * weight_decay``, ``"fixed"`` by ``weight_decay``;
            ``"coupled"`` adds ``weight_decay * parameter`` to the gradient.
        hyperparameters: the rule's own hyper-parameters, each with its check; they are what ``scalars`` gets.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        lr: learning rate, >= 0; a tensor of one element is copied.
        weight_decay: >= 0.
        maximize: climb instead of descend.
        state_dtype: what state is stored in; float32 by default, float64 for parameters of that type.
        **hypers: the rule's own hyper-parameters.

    Raises:
        TypeError: a hyper-parameter has the wrong type, or a parameter is not of a real floating type.
        ValueError: a hyper-parameter is outside its range. Values that are set later, in ``param_groups``, are checked
            by the next :meth:`step`.
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    weight_decay: ClassVar[WeightDecay] = "decoupled"
    hyperparameters: ClassVar[Mapping[str, Check]] = {}

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: float | Tensor,
        weight_decay: float,
        maximize: bool,
        state_dtype: torch.dtype | None = None,
        **hypers: object,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, **hypers}
        defaults |= {"maximize": maximize, "state_dtype": state_dtype}
        super().__init__(params, self._checked(defaults))

    @staticmethod
    def scalars(step: int, /, *args: Any, **hypers: Any) -> dict[str, float]:
        """Returns what :meth:`direction` needs to know besides tensors, as Python numbers.

        Args:
            step: 1 at a parameter's first step.
            *args: nothing; it lets subclasses spell their hyper-parameters out.
            **hypers: the values of ``hyperparameters``.
        """
        raise NotImplementedError

    @staticmethod
    def direction(grad: Float[Tensor, "..."], *args: Any, **kwargs: Any) -> tuple[Float[Tensor, "..."], ...]:
        """Returns the direction and the new value of every state; writes to none of its arguments.

        Args:
            grad: the gradient, with coupled weight decay and with the sign of a minimisation.
            *args: the states, in the order of ``state_names``.
            **kwargs: what :meth:`scalars` returned.
        """
        raise NotImplementedError

    @classmethod
    def state_names_for(cls, _hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns the names of what is stored under these hyper-parameters."""
        return cls.state_names

    @classmethod
    def weight_decay_for(cls, _hypers: Mapping[str, Any], /) -> WeightDecay:
        """Returns how weights decay under these hyper-parameters.

        Raises:
            ValueError: some of them contradict each other.
        """
        return cls.weight_decay

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group of parameters; see ``torch.optim.Optimizer.add_param_group``.

        Raises:
            TypeError: a parameter is not of a real floating type, or a hyper-parameter has the wrong type.
            ValueError: a hyper-parameter is outside its range.
        """
        super().add_param_group({**param_group})
        group = self.param_groups[-1]
        try:
            group.update(self._checked(group))
            self._refuse_other_types(group)
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise
        if isinstance(group["lr"], Tensor):
            # Schedulers write to it in place: were it shared, two groups would each multiply the same number.
            group["lr"] = group["lr"].detach().clone()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Takes one step with every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients; called first, with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse. Nothing was written.
            TypeError: a hyper-parameter was set to a value of the wrong type. Nothing was written.
            ValueError: a hyper-parameter was set to a value outside its range. Nothing was written.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            group.update(self._checked(group))
            self._refuse_sparse_gradients(group)
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of the state, which later steps leave alone."""
        return deepcopy(super().state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads a copy of a state, in the precision in which it was saved.

        Raises:
            TypeError: a saved hyper-parameter has the wrong type. Nothing was changed.
            ValueError: the state is another optimizer's or another model's. Nothing was changed.
        """
        saved: dict[str, Any] = {}

        def check_and_keep(_: torch.optim.Optimizer, incoming: dict[str, Any]) -> None:
            saved.update(incoming)
            self._refuse_foreign_state(incoming)

        # Torch casts floating state to its parameter's type. What was saved is caught on the way in, after the hooks
        # of users have had a hand in it, and put back before they see the result.
        before = self.register_load_state_dict_pre_hook(check_and_keep)
        after = self.register_load_state_dict_post_hook(lambda _: self._adopt(saved), prepend=True)
        try:
            super().load_state_dict(state_dict)
        finally:
            before.remove()
            after.remove()

    def _checked(self, group: Group) -> Group:
        """Returns the group's hyper-parameters as plain values, or says which is wrong."""
        checks = {**ENGINE_CHECKS, **self.hyperparameters}
        missing = checks.keys() - group.keys()
        if missing:
            raise ValueError(f"{type(self).__name__} needs {', '.join(sorted(missing))} in every parameter group")
        checked = {name: check(name, group[name]) for name, check in checks.items()}
        self.weight_decay_for(self._own_hypers(checked))
        return checked

    def _own_hypers(self, group: Group) -> dict[str, Any]:
        return {name: group[name] for name in self.hyperparameters}

    def _step_group(self, group: Group) -> None:
        hypers = self._own_hypers(group)
        names = self.state_names_for(hypers)
        coupling, shrink = self._decay(group)
        scalars_at = cache(lambda step: self.scalars(step, **hypers))
        for param in group["params"]:
            if param.grad is None:
                continue
            state = self._state_of(param, names, group["state_dtype"])
            state["step"] += 1
            dtype = _working_dtype(param)
            value, grad = param.detach().to(dtype), param.grad.to(dtype)
            if group["maximize"]:
                grad = -grad
            if coupling:
                grad = grad.add(value, alpha=coupling)

            direction, *updated = self.direction(
                grad, *(state[name].to(dtype) for name in names), **scalars_at(state["step"])
            )

            for name, new in zip(names, updated, strict=True):
                state[name].copy_(new)  # a copy, because a rule may return the gradient itself
            if shrink != 1:
                value.mul_(shrink)
            value.sub_(direction, alpha=float(group["lr"]))
            if value.dtype != param.dtype:
                param.copy_(value)

    def _decay(self, group: Group) -> tuple[float, float]:
        """Returns what of the parameter is added to its gradient, and the factor that shrinks it."""
        lr, weight_decay = float(group["lr"]), group["weight_decay"]
        match self.weight_decay_for(self._own_hypers(group)):
            case "coupled":
                return weight_decay, 1.0
            case "decoupled":
                return 0.0, 1.0 - lr * weight_decay
            case "fixed":
                return 0.0, 1.0 - weight_decay if lr else 1.0

    def _state_of(self, param: Tensor, names: Iterable[str], dtype: torch.dtype | None) -> dict[str, Any]:
        state: dict[str, Any] = self.state[param]
        state.setdefault("step", 0)
        for name in names:
            if name not in state:
                state[name] = torch.zeros_like(param, dtype=dtype or _working_dtype(param))
        return state

    def _refuse_other_types(self, group: Group) -> None:
        for index, param in enumerate(group["params"]):
            if param.dtype not in FLOATING_DTYPES:
                raise TypeError(
                    f"{type(self).__name__} moves real floating-point parameters, "
                    f"and {_name(group, index)} is {param.dtype}"
                )

    def _refuse_sparse_gradients(self, group: Group) -> None:
        for index, param in enumerate(group["params"]):
            if param.grad is not None and param.grad.layout != torch.strided:
                raise RuntimeError(
                    f"{type(self).__name__} needs dense gradients, and that of {_name(group, index)} is sparse: "
                    "make the layer with sparse=False"
                )

    def _saved_params(self, saved: dict[str, Any]) -> Iterator[tuple[Tensor, dict[str, Any], tuple[str, ...]]]:
        """Yields every parameter that has a saved state, with that state and the names it must hold."""
        # Torch complains where the lengths differ.
        for saved_group, group in zip(saved["param_groups"], self.param_groups, strict=False):
            names = self.state_names_for(self._own_hypers(self._checked(saved_group)))
            for key, param in zip(saved_group["params"], group["params"], strict=False):
                if saved["state"].get(key):
                    yield param, saved["state"][key], names

    def _refuse_foreign_state(self, saved: dict[str, Any]) -> None:
        for param, state, names in self._saved_params(saved):
            missing = {"step", *names} - state.keys()
            if missing:
                raise ValueError(
                    f"a saved state lacks {', '.join(sorted(missing))}: it is not that of {type(self).__name__}"
                )
            for name in names:
                if state[name].shape != param.shape:
                    shapes = f"{tuple(state[name].shape)}, but its parameter has {tuple(param.shape)}"
                    raise ValueError(f"a saved {name} has shape {shapes}")

    def _adopt(self, saved: dict[str, Any]) -> None:
        for param, state, names in self._saved_params(saved):
            self.state[param] = {"step": int(state["step"]), **{name: _like(param, state[name]) for name in names}}


def _working_dtype(param: Tensor) -> torch.dtype:
    return torch.promote_types(param.dtype, torch.float32)


def _like(param: Tensor, value: Tensor) -> Tensor:
    """Copies ``value`` to the parameter's device and memory layout, in its own precision."""
    return torch.empty_like(param, dtype=value.dtype, requires_grad=False).copy_(value)


def _name(group: Group, index: int) -> str:
    names = group.get("param_names")
    return f"parameter {names[index]!r}" if names else f"parameter {index} of its group"

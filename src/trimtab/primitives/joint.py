"""Optimizers whose step is one for all parameters, so that their settings are the same in every parameter group."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from trimtab.primitives import saved_state
from trimtab.primitives.flat.refusals import moves, refuse_other_types, refuse_shared_elements
from trimtab.primitives.hyperparameters import Check, keep_own_rate
from trimtab.primitives.members import count_once
from trimtab.primitives.norms import norm_of as norm_of  # noqa: PLC0414 - a claim, whose text is hashed, has it from here

Group: TypeAlias = dict[str, Any]


class JointOptimizer(Optimizer):
    """A ``torch.optim.Optimizer`` that moves all parameters along one direction, by one step.

    What a step leaves for the next is kept as the state of every parameter, the same in all: a state dict has the usual
    form, whichever of them are loaded. A parameter that is frozen in the middle of a run is kept up to date as well.

    Attributes:
        hyperparameters: its settings, each with its check.
        apart: those that may differ between groups after all.
        own_gradients: whether it computes gradients by itself, and those in ``.grad`` are not looked at.
        joint_names: what is kept between steps.

    Args:
        params: parameters, named parameters or parameter groups, as in ``torch.optim``.
        **settings: the values of ``hyperparameters``.

    Raises:
        TypeError: a setting has the wrong type, or a parameter is not of a real floating type.
        ValueError: a setting is outside its range, or differs between groups.
    """

    hyperparameters: ClassVar[Mapping[str, Check]]
    apart: ClassVar[tuple[str, ...]] = ()
    own_gradients: ClassVar[bool] = False
    joint_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: ParamsT, **settings: Any) -> None:
        super().__init__(params, self._checked(settings))

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group of parameters; see ``torch.optim.Optimizer.add_param_group``.

        Raises:
            TypeError: a setting has the wrong type, or a parameter is not of a real floating type.
            ValueError: a setting is outside its range, or not that of the other groups, or elements of a parameter
                share memory.
        """
        super().add_param_group({**param_group})
        group = self.param_groups[-1]
        count_once(group)
        try:
            group.update(self._checked(group))
            refuse_other_types(group, type(self).__name__)
            refuse_shared_elements(group, type(self).__name__)
            self._refuse_differences(self.param_groups)
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise
        keep_own_rate(group)

    def settings(self) -> dict[str, Any]:
        """Returns the settings that the groups share, checked.

        Raises:
            TypeError: one was set to a value of the wrong type.
            ValueError: one was set to a value outside its range, or differs between groups.
        """
        checked = [self._checked(group) for group in self.param_groups]
        self._refuse_differences(self.param_groups)
        return {**checked[0], "lr": float(checked[0]["lr"])}

    def scheduled(self, settings: Mapping[str, Any]) -> tuple[float, float]:
        """Returns the ``lr`` that a schedule began with, and the factor that it has come to; without one, 1."""
        first = float(self.param_groups[0].get("initial_lr", settings["lr"]))
        return first, settings["lr"] / first if first else 0.0

    def trained(self) -> list[Tensor]:
        """Returns the parameters that are not frozen."""
        return [param for group in self.param_groups for param in group["params"] if param.requires_grad]

    def joint_state(self) -> dict[str, Any]:
        """Returns what was kept for all parameters together, as far as there is something."""
        for group in self.param_groups:
            for param in group["params"]:
                if kept := self._kept(param):
                    return kept
        return {}

    def keep(self, **values: Any) -> None:
        """Keeps values for all parameters together, by their ``joint_names``."""
        for group in self.param_groups:
            for param in group["params"]:
                if moves(param) or self._kept(param):  # one that was frozen since must not go on with old values
                    self.state[param].update(values)

    def _kept(self, param: Tensor) -> dict[str, Any]:
        kept = self.state.get(param, {})
        return {name: kept[name] for name in self.joint_names if name in kept}

    def state_dict(self) -> dict[str, Any]:
        """Returns a copy of the state, which later steps leave alone."""
        return saved_state.copied(super().state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads a copy of a state, in the precision in which it was saved.

        Raises:
            TypeError: a saved setting has the wrong type. Nothing was changed.
            ValueError: the state is that of other groups, or a saved setting is outside its range. Nothing was changed.
        """
        saved: dict[str, Any] = {}

        def check_and_keep(_: Optimizer, given: dict[str, Any]) -> dict[str, Any]:
            incoming = saved_state.without_blanks(given)
            saved.update(saved_state.copied(incoming))
            for group in incoming["param_groups"]:
                self._checked(group)
            self._refuse_differences(incoming["param_groups"])
            return incoming

        def adopt(_: Optimizer) -> None:
            for saved_group, group in zip(saved["param_groups"], self.param_groups, strict=True):
                for key, param in zip(saved_group["params"], group["params"], strict=True):
                    for name, value in saved["state"].get(key, {}).items():
                        self.state[param][name] = value.to(param.device) if isinstance(value, Tensor) else value

        with saved_state.loaded_by(self, check_and_keep, adopt):
            super().load_state_dict(state_dict)

    def _checked(self, group: Mapping[str, Any]) -> Group:
        missing = self.hyperparameters.keys() - group.keys()
        if missing:
            raise ValueError(f"{type(self).__name__} needs {', '.join(sorted(missing))} in every parameter group")
        return {name: check(name, group[name]) for name, check in self.hyperparameters.items()}

    def _refuse_differences(self, groups: Sequence[Mapping[str, Any]]) -> None:
        for name in [name for name in self.hyperparameters if name not in self.apart]:
            values = {str(float(g[name]) if isinstance(g[name], Tensor | float) else g[name]) for g in groups}
            if len(values) > 1:
                raise ValueError(
                    f"{type(self).__name__} takes one step for all parameters: {name} must be the same in every group, "
                    f"and is {' and '.join(sorted(values))}"
                )


def put_back(params: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Writes values to parameters, in place."""
    with torch.no_grad():
        for param, value in zip(params, values, strict=True):
            param.copy_(value)


@contextmanager
def undone_if_it_fails(params: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Puts parameters back to what they were if anything is raised within the context.

    Yields:
        Copies of the parameters as they are now.
    """
    start = [param.detach().clone() for param in params]
    try:
        yield start
    except BaseException:
        put_back(params, start)
        raise

"""Checks of states that come from elsewhere: of other types, with other entries, through distributed checkpointing."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trimtab.testing.exceptions import require
from trimtab.testing.resume import follow
from trimtab.testing.saving import SavingChecks, through_a_file
from trimtab.testing.support import gradients, names_held, parameters, require_moved, require_same, values, visible


class LoadingChecks(SavingChecks):
    """A state that was saved under other circumstances loads as with ``torch.optim``."""

    def test_kept_entries(self) -> None:
        """What users put into the state, of a parameter or of none, is saved and loaded, and disturbs nothing."""
        params, optimizer, rest = self.half_way()
        optimizer.state["note"] = 1  # type: ignore[index]  # torch keeps such entries
        optimizer.state[params[1]]["mine"] = torch.tensor([1.5])
        resumed = [nn.Parameter(value) for value in values(params)]
        other = self.fresh(resumed)
        other.load_state_dict(through_a_file(optimizer.state_dict()))
        require(other.state.get("note") == 1, "an entry that belongs to no parameter was lost")  # type: ignore[call-overload]
        mine = other.state[resumed[1]].get("mine")
        require(isinstance(mine, Tensor) and mine.tolist() == [1.5], "an entry in a parameter's state was lost")
        follow(other, resumed, rest)
        follow(optimizer, params, rest)
        require_same(resumed, params, "with entries of a user's own a loaded state goes on differently")

    def test_tensor_lr_saved(self) -> None:
        """A state with a tensor as ``lr`` goes on bit for bit after loading."""
        rate = self.default_lr()
        params, resumed = parameters(self.shapes), parameters(self.shapes)
        optimizer = self.make(params, lr=torch.tensor(rate / 4))
        follow(optimizer, params, gradients(params, 2))
        other = self.make(resumed, lr=torch.tensor(rate))
        follow(other, resumed, gradients(params, 2))  # other steps, which loading shall undo
        other.load_state_dict(through_a_file(optimizer.state_dict()))
        with torch.no_grad():
            for param, value in zip(resumed, values(params), strict=True):
                param.copy_(value)
        for run in ((optimizer, params), (other, resumed)):
            follow(*run, gradients(params, 2, 2))
        require_same(resumed, params, "a state with a tensor as lr goes on differently")

    def test_step_counts(self) -> None:
        """Counts of steps may have been saved as numbers or as tensors."""
        params, optimizer, rest = self.half_way()
        saved = deepcopy(optimizer.state_dict())
        counted = [entry for entry in saved["state"].values() if isinstance(entry, dict) and "step" in entry]
        if not counted:
            pytest.skip("no steps are counted in the state")
        for entry in counted:
            step = entry["step"]
            entry["step"] = step.item() if isinstance(step, Tensor) else torch.tensor(float(step))
        resumed = [nn.Parameter(value) for value in values(params)]
        other = self.fresh(resumed)
        other.load_state_dict(saved)
        follow(other, resumed, rest)
        follow(optimizer, params, rest)
        require_same(resumed, params, "a count of steps in another form goes on differently")

    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
    def test_state_of_another_type(self, dtype: torch.dtype) -> None:
        """The state of float32 parameters loads for the same ones in another precision."""
        params, optimizer, _ = self.half_way()
        begun, steps = values(params), gradients(params, 2 + self.resting(), 3)
        others = [nn.Parameter(value.to(dtype)) for value in values(params)]
        other = self.fresh(others)
        other.load_state_dict(deepcopy(optimizer.state_dict()))
        before = values(others)
        follow(other, others, [[None if grad is None else grad.to(dtype) for grad in step] for step in steps])
        follow(optimizer, params, steps)
        if visible(params, begun, dtype):
            require_moved(others, before, f"a step of {dtype} parameters with a float32 state")
        require(all(param.dtype == dtype for param in others), "a parameter's type was changed")

    def test_names_of_a_state(self) -> None:
        """A state with names loads without any, and brings them; one without leaves the names that there are."""
        if names_held(self.make(parameters(self.shapes)).param_groups) is not None:
            pytest.skip("all parameters have names, given or not")
        names = [f"layer.{index}" for index in range(len(self.shapes))]
        for saved_names, own_names in ((names, None), (None, names)):
            params, others = parameters(self.shapes), parameters(self.shapes)
            optimizer, other = self.named(params, saved_names), self.named(others, own_names)
            for run in ((optimizer, params), (other, others)):
                follow(*run, gradients(params, 2))
            other.load_state_dict(deepcopy(optimizer.state_dict()))
            found = names_held(other.param_groups)
            require(found == names, f"after loading the names are {found}")
            for run in ((optimizer, params), (other, others)):
                follow(*run, gradients(params, 1, 2))
            require_same(others, params, "a state goes on differently for its names")

    def named(self, params: list[nn.Parameter], names: list[str] | None) -> Optimizer:
        """Returns an optimizer of parameters with or without names."""
        return self.make(params if names is None else list(zip(names, params, strict=True)))

    @pytest.mark.parametrize("form", ["plain", "flattened", "flattened-unused"])
    def test_distributed_state(self, form: str) -> None:
        """A state goes on bit for bit through ``torch.distributed.checkpoint.state_dict``, from a fresh optimizer."""
        api = distributed_api()
        without = [0] if form == "flattened-unused" else []
        options = api.StateDictOptions(flatten_optimizer_state_dict=form != "plain")
        params, resumed = parameters(self.shapes), [nn.Parameter(value) for value in values(parameters(self.shapes))]
        optimizer, other = self.fresh(params), self.fresh(resumed)
        follow(optimizer, params, gradients(params, 3, without=without))
        rest = gradients(params, 3, 3, without)
        saved = through_a_file(api.get_optimizer_state_dict(holder(params), optimizer, options=options))
        begun = values(resumed)
        api.set_optimizer_state_dict(holder(resumed), other, saved, options=options)
        require_same(resumed, begun, "making and loading the state moved a parameter")
        with torch.no_grad():
            for param, value in zip(resumed, values(params), strict=True):
                param.copy_(value)
        follow(optimizer, params, rest)
        follow(other, resumed, rest)
        require_same(resumed, params, "after distributed checkpointing a run goes on differently")


def distributed_api() -> Any:
    """Returns ``torch.distributed.checkpoint.state_dict``, or skips the check where torch was built without it."""
    if not torch.distributed.is_available():
        pytest.skip("torch was built without torch.distributed")
    return pytest.importorskip("torch.distributed.checkpoint.state_dict")


def holder(params: list[nn.Parameter]) -> nn.Module:
    """Returns a module with these parameters, for they are looked up by their names in one."""
    module = nn.Module()
    module.held = nn.ParameterList(params)
    return module

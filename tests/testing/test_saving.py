"""Optimizers of which a copy or a checkpoint does not go on as the run would have."""

import contextlib
from collections import defaultdict

import pytest
import torch
from torch.optim import Optimizer

from tests.new_process import AS_A_PROGRAM, go_on
from tests.testing.faults import SHORT, Sound, checks, failures, of_each, without_cases
from trimtab.testing import saving


class LosesStateOnPickle(Sound):
    def __getstate__(self):
        return {**super().__getstate__(), "state": defaultdict(dict)}


class PickleCannot(Sound):
    def __init__(self, params, **settings):
        super().__init__(params, **settings)
        self.defaults["hook"] = lambda: None


class SavesNothing(Sound):
    def state_dict(self):
        return {**super().state_dict(), "state": {}}


class SavesMore(Sound):
    def state_dict(self):
        return {**super().state_dict(), "version": 1}


class SavesCallables(Sound):
    def state_dict(self):
        state = super().state_dict()
        state["param_groups"][0]["rule"] = len
        return state


class SavesByReference(Sound):
    def state_dict(self):
        return Optimizer.state_dict(self)


class LoadsByReference(Sound):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        for index, saved in state_dict["state"].items():
            if isinstance(index, str):  # from distributed checkpointing, or a user's own
                continue
            self.state[[param for group in self.param_groups for param in group["params"]][index]] = saved


class LoadsAnything(Sound):
    def load_state_dict(self, state_dict):
        with contextlib.suppress(ValueError):
            super().load_state_dict(state_dict)


class RoundsState(Sound):
    """Keeps state in float32, and lets torch cast what is loaded to the parameter's type."""

    state_dtype = torch.float32


class KnowsItsProcess(Sound):
    """Depends on a global that a new process does not have."""

    drift = 1

    def after(self):
        for param in self.params:
            param.add_(self.drift)


class DropsSavedHooks(Sound):
    def register_state_dict_post_hook(self, hook, prepend=False):
        return super().register_state_dict_post_hook(lambda *_: None)


class CopiesToItself(Sound):
    def __deepcopy__(self, memo):
        return self


class LosesAnAttribute(Sound):
    def __init__(self, params, **settings):
        super().__init__(params, **settings)
        self.last = None


FAULTS = {
    CopiesToItself: "deepcopy",
    LosesStateOnPickle: "deepcopy pickle",
    PickleCannot: "pickle",
    SavesNothing: (
        "state_dict scheduler distributed_state frozen_parameters group_without_parameters "
        "kept_entries names_of_a_state tensor_lr_saved"
    ),
    SavesMore: "state_dict_keys",
    SavesCallables: "state_dict state_dict_keys distributed_state kept_entries tensor_lr_saved",
    RoundsState: "state_dict",
    SavesByReference: "saved_state_not_aliased",
    LoadsByReference: "loaded_state_not_aliased",
    LoadsAnything: "foreign_state_refused",
    DropsSavedHooks: "state_dict_hooks hook_order",
    LosesAnAttribute: "copied_attributes",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found


@pytest.mark.parametrize("way", [AS_A_PROGRAM, go_on])
def test_what_a_new_process_does_not_know_is_found(monkeypatch, way):
    monkeypatch.setattr(saving, "go_on_in_a_new_process", way)
    monkeypatch.setattr(KnowsItsProcess, "drift", 0)
    check = dict(checks(KnowsItsProcess))["new_process"]
    with pytest.raises(AssertionError, match="in a new process the pickle goes on differently"):
        check()


@pytest.mark.parametrize("way", [AS_A_PROGRAM, go_on])
def test_a_sound_optimizer_goes_on_in_a_new_process(monkeypatch, way):
    monkeypatch.setattr(saving, "go_on_in_a_new_process", way)
    dict(checks(Sound))["new_process"]()


@pytest.mark.parametrize("way", [AS_A_PROGRAM, go_on])
def test_what_a_new_process_cannot_read_is_told(monkeypatch, tmp_path, way):
    (tmp_path / "job.pickle").write_bytes(b"no pickle")
    with pytest.raises(AssertionError, match=r"^the new process failed: _pickle\.UnpicklingError: "):
        way(tmp_path)


def test_of_what_a_process_printed_the_exception_is_told():
    first = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\n    ~^^\nKeyError: 1\n'
    second = f"{first}\nDuring handling of the above exception, another exception occurred:\n\n{first}"
    assert saving.last_words(f"a warning\n{first}") == "KeyError: 1"
    assert saving.last_words(second.replace("1\n\nD", "0\n\nD")) == "KeyError: 1"
    assert saving.last_words(first.replace(": 1", ": two\nlines")) == "KeyError: two\nlines"
    assert saving.last_words("a warning\nSegmentation fault\n") == "Segmentation fault"
    assert saving.last_words("") == ""

"""Optimizers that cannot take over states which come from elsewhere."""

import torch

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class DropsWhatItDoesNotKnow(Sound):
    def state_dict(self):
        saved = super().state_dict()
        return {**saved, "state": {key: value for key, value in saved["state"].items() if isinstance(key, int)}}


class CountsInTensorsOnly(Sound):
    def after(self):
        for param in self.params:
            self.state[param].setdefault("step", torch.tensor(0.0)).add_(1)


class LoadsItsOwnTypeOnly(Sound):
    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        params = [param for group in self.param_groups for param in group["params"]]
        for index, state in state_dict["state"].items():
            if isinstance(index, int) and state["momentum"].dtype != params[index].dtype:
                raise ValueError("the state is of another type")


class RefusesNames(Sound):
    def load_state_dict(self, state_dict):
        if "param_names" in state_dict["param_groups"][0]:
            raise ValueError("the state has names")
        super().load_state_dict(state_dict)


class KeepsNothingByName(Sound):
    def after(self):
        for param in self.params:
            self.state[param]["note"] = None


FAULTS = {
    DropsWhatItDoesNotKnow: "kept_entries",
    CountsInTensorsOnly: "step_counts",
    LoadsItsOwnTypeOnly: "state_of_another_type",
    RefusesNames: "names_of_a_state",
    KeepsNothingByName: "distributed_state",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found

"""Samplers that are sound but for one fault in what they make of what a study holds."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from optuna.trial import TrialState

from tests.testing.sampler_faults import Sound, checks, failures
from trimtab.testing.sampler_histories import HISTORIES, HistoryChecks


class Models(Sound):
    """Looks at the finished trials before it draws; faults look in one wrong way."""

    def draw(self, study, trial, name):
        finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        self.look(study, finished, name)
        return super().draw(study, trial, name)


class NeedsFiniteValues(Models):
    def look(self, study, finished, name):
        assert all(math.isfinite(each.value) for each in finished)


class SquaresValues(Models):
    def look(self, study, finished, name):
        sum(each.value**2 for each in finished)  # an OverflowError, where numbers are Python's


class DividesByTheSpread(Models):
    def look(self, study, finished, name):
        if finished:
            values = [each.value for each in finished]
            1 / (len(values) < 5 or max(values) - min(values))


class DividesByTheRange(Sound):
    """Of what it samples together; Optuna itself leaves single values out of what it samples one by one."""

    def infer_relative_search_space(self, study, trial):
        return study.trials[0].distributions if study.trials[0].state == TrialState.COMPLETE else {}

    def sample_relative(self, study, trial, search_space):
        for kind in search_space.values():
            if hasattr(kind, "high"):
                1 / (kind.high - kind.low)
        return {}


class InvertsDistances(Models):
    def look(self, study, finished, name):
        at = [tuple(each.params.items()) for each in finished if each.params]
        assert len(set(at)) == len(at), "two rows of the matrix are the same"


class NeedsOneThatFinished(Models):
    def look(self, study, finished, name):
        assert finished or not study.trials[:-1], "all failed"


class NeedsThemInOrder(Models):
    def look(self, study, finished, name):
        ends = [each.datetime_complete for each in finished]
        assert ends == sorted(ends), "a trial ended before an earlier one"


class NeedsEverySetting(Models):
    def look(self, study, finished, name):
        assert all(name in each.params for each in finished if each.params), "a trial has no such setting"


class NeedsSettings(Models):
    def look(self, study, finished, name):
        assert all(each.params for each in finished), "a trial has no settings"


class KnowsItsOwn(Sound):
    """Keeps what it was told itself, and knows of nothing else."""

    def __init__(self, seed=None):
        super().__init__(seed)
        self.told = {}

    def draw(self, study, trial, name):
        for each in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            self.told[each.number]
        return super().draw(study, trial, name)

    def after_trial(self, study, trial, state, values):
        self.told[trial.number] = values


class DrawsWhereAllAreAlike(Models):
    def look(self, study, finished, name):
        if len(finished) > 4 and len({each.value for each in finished}) == 1:
            np.random.random()  # noqa: NPY002


class SeedsTorchWhereItIsLost(Models):
    def look(self, study, finished, name):
        if any(abs(each.value) > 1e9 for each in finished):
            torch.manual_seed(0)


STATE = "odd_history_global_state"

FAULTS = {
    NeedsFiniteValues: "inf -inf",
    SquaresValues: "1e300 -1e300",
    DividesByTheSpread: "constant",
    DividesByTheRange: "one_value",
    InvertsDistances: "duplicates one_value",
    NeedsOneThatFinished: "unfinished out_of_order",
    NeedsThemInOrder: "out_of_order",
    NeedsEverySetting: "partial foreign",
    NeedsSettings: "partial foreign",
    KnowsItsOwn: "single foreign",
}
SETTINGS = {
    "NumPy's way with floating-point errors": (partial(np.seterr, over="raise"), partial(np.seterr, over="warn")),
    "torch's default type": tuple(partial(torch.set_default_dtype, each) for each in (torch.float64, torch.float32)),
    "torch's mode of gradients": tuple(partial(torch.set_grad_enabled, each) for each in (False, True)),
    "torch's number of threads": tuple(partial(torch.set_num_threads, each) for each in (3, torch.get_num_threads())),
}
"""What changes each setting, and what puts it back."""

CHANGES = {
    DrawsWhereAllAreAlike: "constant",
    SeedsTorchWhereItIsLost: "inf -inf 1e300 -1e300",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found_where_it_is(fault):
    found = failures(fault, HistoryChecks, 6, "odd_history")
    assert set(found) == {f"odd_history[{case}]" for case in FAULTS[fault].split()}, found


@pytest.mark.parametrize("fault", CHANGES, ids=lambda fault: fault.__name__)
def test_what_is_changed_globally_is_found(fault):
    found = failures(fault, HistoryChecks, 6)
    assert set(found) == {f"{STATE}[{case}]" for case in CHANGES[fault].split()}, found


def test_every_case_has_a_fault_that_it_finds():
    named = {case for cases in FAULTS.values() for case in cases.split()}
    assert named == set(HISTORIES)
    assert checks(HistoryChecks) == {f"{name}[{case}]" for name in ("odd_history", STATE) for case in named}


@pytest.mark.parametrize("what", SETTINGS)
def test_what_is_set_globally_is_found(what):
    class Sets(Models):
        def look(self, study, finished, name):
            SETTINGS[what][0]()

    suite = type("Suite", (HistoryChecks,), {"sampler": Sets, "evaluations": 2})()
    try:
        with pytest.raises(AssertionError, match=f"{what} was changed"):
            suite.test_odd_history_global_state("single")
    finally:
        SETTINGS[what][1]()

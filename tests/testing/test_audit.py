"""All checks without a test runner: what became of each, in words that fit a table."""

import inspect
from typing import ClassVar

import pytest
import torch

from tests.testing.faults import Sound
from tests.testing.test_stepping import DecaysWithoutGradient
from trimtab.testing import OptimizerConformance
from trimtab.testing.audit import LONGEST, audit_optimizer, cases, shortened
from trimtab.testing.promises import PROMISES, promise_of


def names(suite=OptimizerConformance):
    return {
        name.removeprefix("test_") for name, _ in inspect.getmembers(suite, inspect.isfunction) if "test_" in name[:5]
    }


def test_every_check_is_about_one_promise():
    listed = [check for checks in PROMISES.values() for check in checks.split()]
    assert sorted(listed) == sorted(names())
    assert all(promise_of(check) in PROMISES for check in listed)


def test_what_holds_is_broken_or_does_not_apply_is_told_apart():
    found = audit_optimizer(DecaysWithoutGradient, only=("zero_lr", "without_gradients", "refuses", "descends"))
    outcomes = {each.check: each.outcome for each in found}
    assert outcomes["without_gradients"] == outcomes["zero_lr"] == "broken"
    assert outcomes["descends"] == outcomes["refuses[lr=-1.0]"] == "holds"
    assert outcomes["refuses[eps=-1.0]"] == "skipped"
    (seen,) = [each for each in found if each.check == "without_gradients"]
    assert seen.seen == "a step without any gradient moved a parameter (parameter 0)"
    assert seen.contract.startswith("A parameter whose gradient is ``None`` rests")
    assert seen.promise == "The update does what any right one does"


def test_an_error_of_the_optimizer_is_what_was_seen():
    def fails(params, lr=0.1):
        raise KeyError("lr")

    (found,) = audit_optimizer(fails, only=("printed",))
    assert (found.outcome, found.seen) == ("broken", "KeyError: 'lr'")


def test_one_that_ends_python_is_broken():
    def leaves(params, lr=0.1):
        raise SystemExit(3)

    (found,) = audit_optimizer(leaves, only=("printed",))
    assert (found.outcome, found.seen) == ("broken", "SystemExit: 3")


def test_what_is_left_out_says_why():
    (found,) = audit_optimizer(Sound, only=("new_process",), without={"new_process": "it takes seconds"})
    assert (found.outcome, found.seen) == ("skipped", "it takes seconds")


def test_settings_and_shapes_are_used():
    (found,) = audit_optimizer(Sound, {"lr": -1.0}, only=("printed",))
    assert found.seen == "ValueError: lr=-1.0 must lie in [0, inf)"
    seen = []

    def looks(params, **settings):
        params = list(params)
        seen.extend(tuple(param.shape) for param in params)
        return Sound(params, **settings)

    audit_optimizer(looks, only=("printed",), shapes=((1, 2), (3, 4), (5, 6)))
    assert seen[:3] == [(1, 2), (3, 4), (5, 6)]


def test_modes_are_left_as_they_were():
    def switches(params, **settings):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return Sound(params, **settings)

    audit_optimizer(switches, only=("printed",))
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_an_optimizer_with_modes_is_put_into_training():
    class Modes(Sound):
        training = False

        def train(self):
            self.training = True

        def eval(self):
            self.training = False

        def take(self, closure):
            assert self.training, "not in training"
            return super().take(closure)

    (found,) = audit_optimizer(Modes, only=("descends",))
    assert found.outcome == "holds"


def test_cases_are_named_as_in_exceptions():
    class Suite(OptimizerConformance):
        optimizer = Sound
        exceptions: ClassVar = {name: "" for name, _ in cases(OptimizerConformance)}

    assert {"layout[own-channels_last]", "refuses[betas[0]=1.0]", "closure"} <= Suite.exceptions.keys()


@pytest.mark.parametrize("message", ["a\nb", "a  b"])
def test_what_was_seen_is_one_line(message):
    assert shortened(message) == "a b"


def test_values_of_tensors_are_left_out():
    assert shortened("it moved (parameter 1: [1.0,\n 2.0] instead of [2.0])") == "it moved (parameter 1)"
    assert len(shortened("a" * 1000)) == LONGEST

"""Optimizers that do not optimise, or not each group by its own settings."""

import pytest

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases
from trimtab.testing.audit import audit_optimizer


class Climbs(Sound):
    def move(self, group):
        super().move({**group, "maximize": not group["maximize"]})


class DecaysAllAlike(Sound):
    def move(self, group):
        super().move({**group, "weight_decay": self.defaults["weight_decay"]})


class Decays(Sound):
    """Decays by itself, or by the gradient, as many times as it says."""

    by_itself, by_gradient = 1, 0

    def move(self, group):
        for param in group["params"]:
            if param.grad is not None:
                param.mul_((1 - group["lr"] * group["weight_decay"]) ** self.by_itself)
        super().move({**group, "weight_decay": 0.0, "of_gradient": self.by_gradient * group["weight_decay"]})

    def gradient(self, param, grad, group):
        return grad + group["of_gradient"] * param


class DecaysTwice(Decays):
    by_itself = 2


class DecaysAgainByTheGradient(Decays):
    by_gradient = 1


class DecaysTwiceByTheGradient(Decays):
    by_itself, by_gradient = 0, 2


class DecaysByTheGradient(Decays):
    by_itself, by_gradient = 0, 1


class DecaysInAnotherManner(Decays):
    by_itself = 1.5


FAULTS = {
    DecaysTwice: "decays_once",
    DecaysAgainByTheGradient: "decays_once",
    DecaysTwiceByTheGradient: "decays_once",
    Climbs: "descends constant_gradients",
    DecaysAllAlike: "group_settings group_weight_decay kept_entries state_dict",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found


@pytest.mark.parametrize("kind", [Decays, DecaysByTheGradient])
def test_decay_that_counts_once_is_not_said_to_count_twice(kind):
    assert failures(kind, SHORT) == {}


def test_of_decay_that_is_neither_nothing_is_said():
    (found,) = audit_optimizer(DecaysInAnotherManner, only=("decays_once",))
    assert (found.outcome, found.seen) == (
        "skipped",
        "a first step without a gradient is no plain decay, once or twice, so that there is nothing to count",
    )


def test_what_decays_twice_is_told_with_the_settings():
    (found,) = audit_optimizer(DecaysTwice, only=("decays_once",))
    assert found.seen == "a first step without a gradient decays weights twice (weight_decay=0.25, lr=0.0625)"

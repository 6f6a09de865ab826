"""Optimizers that move a group by what another one says."""

import pytest

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases
from trimtab.testing.audit import audit_optimizer


class ReadsTheFirstGroup(Sound):
    def move(self, group):
        super().move({**group, "betas": self.param_groups[0]["betas"]})


class ReadsTheLastGroup(Sound):
    def move(self, group):
        super().move({**group, "betas": self.param_groups[-1]["betas"]})


class ReadsTheMeanOfGroups(Sound):
    def move(self, group):
        first = [each["betas"][0] for each in self.param_groups]
        super().move({**group, "betas": (sum(first) / len(first), group["betas"][1])})


class ReadsItsDefaults(Sound):
    """Reads what its constructor was told, and no group."""

    def move(self, group):
        super().move({**group, "betas": self.defaults["betas"]})


class Dampens(Sound):
    """Has a setting that counts beside another one alone."""

    def __init__(self, params, dampening=0.0, nesterov=False, **settings):
        super().__init__(params, **settings)
        self.keep(dampening=dampening, nesterov=nesterov)

    def gradient(self, param, grad, group):
        return grad * (1 - self.dampening(group)) if group["nesterov"] else grad * 0.75

    def dampening(self, group):
        return min(group["dampening"], 0.875)


class DampensByTheFirstGroup(Dampens):
    def dampening(self, group):
        return super().dampening(self.param_groups[0])


class RefusesInOtherWords(Sound):
    def take(self, closure):
        if len({group["betas"] for group in self.param_groups}) > 1:
            raise ValueError("all groups must say the same")
        return super().take(closure)


class RefusesByName(Sound):
    def take(self, closure):
        if len({group["betas"] for group in self.param_groups}) > 1:
            raise ValueError("betas must be the same in all groups")
        return super().take(closure)


FAULTS = {
    ReadsTheFirstGroup: "group_settings",
    ReadsTheLastGroup: "group_settings",
    ReadsTheMeanOfGroups: "group_settings",
    ReadsItsDefaults: "group_settings",
    DampensByTheFirstGroup: "group_settings",
    RefusesInOtherWords: "group_settings refuses_later",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found


def of_group_settings(optimizer, **settings):
    (found,) = audit_optimizer(optimizer, settings, only=("group_settings",))
    return found.outcome, found.seen


def test_what_is_not_read_is_named():
    for kind in (ReadsTheFirstGroup, ReadsTheLastGroup, ReadsItsDefaults):
        told = "betas=(0.25, 0.25) or betas=(0.5, 0.125)"
        assert of_group_settings(kind) == ("broken", f"a group that says {told} moves like one that does not say so")
    assert of_group_settings(DampensByTheFirstGroup)[1].startswith("a group that says dampening=")
    assert of_group_settings(RefusesInOtherWords) == (
        "broken",
        "betas=(0.25, 0.25) of one of two groups is refused without naming it: all groups must say the same",
    )


@pytest.mark.parametrize("kind", [Sound, Dampens, RefusesByName])
def test_nothing_is_said_of_what_reads_each_group_or_refuses_by_name(kind):
    assert of_group_settings(kind) == ("holds", "")


def test_without_a_number_that_counts_nothing_is_tried():
    class SettlesAll(Sound):
        def __init__(self, params):
            super().__init__(params)

    assert of_group_settings(SettlesAll) == ("skipped", "no number that a group may say makes a difference")

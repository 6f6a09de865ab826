"""The design as a function of outcomes, without running anything."""

import math
from dataclasses import replace

import pytest

from tests.claims.toy import CONFIRMED, TUNED_ARM, claim
from trimtab.claims import CLAIMS, design
from trimtab.claims.claim import Arm, Statement, less, numbered, seeds
from trimtab.claims.design import EXTENSIONS, Unfinished
from trimtab.claims.loading import load_reference
from trimtab.claims.refined import PROBLEMS
from trimtab.study.optuna_trial import waiting_trial
from trimtab.study.outcome import Outcome

GRID = {"lr": (0.1, 0.2, 0.4), "decay": (1.0, 10.0)}
ARM = replace(TUNED_ARM, grid=GRID, tuning_seeds=(0, 1))
CLAIM = claim(Statement("it", "test loss", ("tuned", "tuned"), less, 0.0, "squares"), arms=(ARM,))


def answered(loss, outcomes=None):
    """Gives an outcome to every tuning trial that the design asks for, until it asks for no more."""
    outcomes = dict(outcomes or {})
    for _ in range(20):
        missing = [p for p in design.tuning_points(CLAIM, ARM, outcomes) if p.key not in outcomes]
        if not missing:
            return outcomes
        for point in missing:
            value = loss(point)
            outcomes[point.key] = Outcome("diverged") if value is None else Outcome("complete", loss=value)
    raise AssertionError("the design does not come to an end")


def around(rate):
    return lambda point: abs(math.log(point.settings["lr"] / rate)) + 0.01 * point.settings["decay"]


def rates(outcomes):
    return [s["lr"] for s in design.tried_settings(CLAIM, ARM, outcomes)[6:]]


def test_an_optimum_inside_the_grid_does_not_extend_it():
    outcomes = answered(around(0.2))
    assert len(outcomes) == 2 * 6
    assert design.best_setting(CLAIM, ARM, outcomes) == {"lr": 0.2, "decay": 1.0}
    assert design.at_edge(CLAIM, ARM, outcomes) == ["decay"]


@pytest.mark.parametrize(("optimum", "beyond"), [(0.8, [0.8, 1.6]), (0.05, [0.05, 0.025])])
def test_an_optimum_beyond_the_grid_is_followed_with_the_best_other_settings(optimum, beyond):
    outcomes = answered(around(optimum))
    assert rates(outcomes) == beyond
    assert {s["decay"] for s in design.tried_settings(CLAIM, ARM, outcomes)[6:]} == {1.0}
    assert design.best_setting(CLAIM, ARM, outcomes)["lr"] == optimum


def test_it_is_followed_so_far_and_no_further_and_what_is_left_is_told():
    outcomes = answered(around(1e6))
    assert len(rates(outcomes)) == EXTENSIONS
    assert design.at_edge(CLAIM, ARM, outcomes) == ["lr", "decay"]


def test_a_run_that_diverges_takes_its_setting_out():
    outcomes = answered(lambda p: None if p.settings["lr"] == 0.2 and p.seed == 1 else around(0.2)(p))
    assert design.best_setting(CLAIM, ARM, outcomes)["lr"] in (0.1, 0.4, 0.05, 0.8)


def test_final_runs_wait_for_the_tuning_and_take_fresh_seeds():
    outcomes = answered(around(0.2))
    one_missing = dict(list(outcomes.items())[:-1])
    assert design.final_points(CLAIM, ARM, one_missing) == []
    finals = design.final_points(CLAIM, ARM, outcomes)
    assert [point.seed for point in finals] == list(ARM.test_seeds)
    assert all(point.final and point.settings == {"lr": 0.2, "decay": 1.0} for point in finals)


def test_an_arm_whose_settings_all_diverge_cannot_be_judged():
    with pytest.raises(Unfinished, match="no setting of its grid finished"):
        answered(lambda _: None)


def test_keys_are_unique_and_do_not_change_as_outcomes_come_in():
    outcomes = answered(around(0.8))
    first = {p.key: p for p in design.points(CLAIM, {})}
    last = {p.key: p for p in design.points(CLAIM, outcomes)}
    assert len(last) == len(design.points(CLAIM, outcomes))
    assert all(last[key] == point for key, point in first.items())


OTHER_THAN_THE_METER = {
    f"adahessian, equal {what} against {baseline}": "its statement is one on steps and on time, not on gradients"
    for what in ("steps", "time")
    for baseline in ("adamw", "sgd")
} | {
    f"refined against linear for half as long{problem}": "runs of the same length, after a run that the paper has free"
    for problem in ("", *(f", {name}" for name in PROBLEMS))
}


_MATCHED = "its statement is that what was tuned is matched without tuning"
WITHOUT_TUNING = {
    **{f"learned against tuned{what}": _MATCHED for what in ("", ", accuracy")},
    **{
        f"{what}, {optimizer}": _MATCHED
        for optimizer in ("momentum", "adam")
        for what in (
            "one run of autolrs against 2 % above the best tuned schedule",
            "autolrs against the best constant rate",
        )
    },
}


@pytest.mark.parametrize("reference", sorted(set(CLAIMS.values())))
def test_claims_tune_arms_that_they_compare_with_the_same_effort(reference):
    known = load_reference(reference)
    for comparison in known.comparisons:
        arms = [known.arm(name) for name in comparison.arms]
        efforts = {(len(design.tuning_points(known, arm, {})), arm.tuning_seeds) for arm in arms}
        assert len(efforts) == 1 or comparison.name in WITHOUT_TUNING, comparison.name
        budgets = {
            (task.name, task.steps * task.batch_size)
            for task in (arm.problem() for arm in arms if isinstance(arm, Arm))
        }
        alike = len(budgets) == len({task for task, _ in budgets})
        assert alike or comparison.name in OTHER_THAN_THE_METER, comparison.name
        assert min(arms[0].test_seeds) >= 1000
        assert not set(arms[0].test_seeds) & set(arms[0].tuning_seeds)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": (TUNED_ARM, TUNED_ARM)}, "names of arms must differ"),
        ({"arms": (replace(TUNED_ARM, name="a/b"),)}, "be without '/'"),
        ({"comparisons": (Statement("it", "test loss", ("nobody",), less, 0.0, ""),)}, "unknown {'nobody'}"),
        ({"comparisons": (Statement("it", "beauty", ("tuned",), less, 0.0, ""),)}, "unknown 'beauty'"),
        ({"comparisons": (Statement("it", "steps", ("tuned",), less, 0.0, ""),)}, "unknown 'steps'"),
        ({"arms": (replace(TUNED_ARM, tuning_seeds=()), CONFIRMED.arms[1])}, "'tuned': its grid needs tuning_seeds"),
        (
            {"arms": (TUNED_ARM, replace(CONFIRMED.arms[1], test_seeds=seeds(5000, 6)))},
            "its arms have different test seeds",
        ),
    ],
)
def test_a_claim_that_contradicts_itself_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(CONFIRMED, **changes)


def test_a_grid_has_round_numbers():
    assert numbered(1e-4, 10**0.5, 4) == (1e-4, 3.162e-4, 1e-3, 3.162e-3)


@pytest.mark.parametrize("reference", sorted(set(CLAIMS.values())))
def test_every_point_that_is_known_at_first_can_be_kept_in_a_store(reference):
    points = design.points(load_reference(reference), {})
    assert points
    for point in points:
        assert waiting_trial(point).params == point.settings

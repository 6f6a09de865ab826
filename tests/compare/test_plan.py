import pytest

from trimtab.catalog.candidates import parse_candidates
from trimtab.compare.plan import Plan
from trimtab.study.errors import InputError
from trimtab.study.outcome import Outcome


def plan(candidates="lion,sgd", trials=4, seeds=3, **more):
    return Plan("toy", "hash", tuple(parse_candidates(candidates)), trials, seeds, budget=100, **more)


def finish(points, loss):
    return {point.key: Outcome("complete", loss=loss(point)) for point in points}


def test_every_candidate_gets_the_same_points_of_the_unit_square():
    lion, sgd = plan().candidates
    units = [
        [
            tuple(round(_unit(candidate.tunables[name], value), 9) for name, value in point.settings.items())
            for point in plan().tuning_points(candidate)
        ]
        for candidate in (lion, sgd)
    ]
    assert units[0] == units[1]
    assert len(units[0]) == 4


def _unit(tunable, value):
    import math

    return math.log(value / tunable.low) / math.log(tunable.high / tunable.low)


def test_final_runs_are_known_when_a_candidate_is_tuned_and_use_its_best_settings_on_fresh_seeds():
    p = plan()
    lion = p.candidates[0]
    assert len(p.points({})) == 8
    outcomes = finish(p.tuning_points(lion), lambda point: abs(point.index - 2))
    points = p.points(outcomes)
    finals = [point for point in points if point.group == "toy/final/lion"]
    assert len(points) == 8 + 3
    assert {tuple(point.settings.items()) for point in finals} == {tuple(p.tuning_points(lion)[2].settings.items())}
    assert [point.seed for point in finals] == [1000, 1001, 1002]
    assert all(point.final for point in finals)
    assert not any(point.final or point.seed >= 1000 for point in points if "tune" in point.group)


def test_seeds_may_have_numbers_of_their_own():
    p = plan("lion", trials=0, seeds=2, final_seeds=(7, 3))
    assert [point.seed for point in p.points({})] == [7, 3]
    assert list(plan(seeds=2).seed_numbers) == [1000, 1001]
    with pytest.raises(InputError, match=r"final_seeds=\(7,\): 2 are needed, as many as seeds says"):
        plan(seeds=2, final_seeds=(7,))
    for seeds in [(7, 7), [7, 3], (7, 3.0), (True, 2)]:
        with pytest.raises(InputError, match="final_seeds="):
            plan(seeds=2, final_seeds=seeds)


def test_candidates_take_turns_in_the_tuning():
    p = plan("lion,sgd(lr=0.1, weight_decay=0.001)", trials=2)
    assert [point.key for point in p.points({})] == [
        "toy/tune/lion/0",
        "toy/tune/sgd(lr=0.1, weight_decay=0.001)/0",
        "toy/tune/lion/1",
    ]


def test_failed_trials_are_not_chosen_and_a_candidate_without_any_other_has_no_final_runs():
    p = plan("lion")
    (lion,) = p.candidates
    points = p.tuning_points(lion)
    outcomes = finish(points, lambda point: point.index)
    outcomes[points[0].key] = Outcome("diverged", error="inf")
    assert p.best(lion, outcomes) == points[1]
    assert p.points(dict.fromkeys(outcomes, Outcome("failed"))) == points


def test_the_count_of_trials_is_that_of_the_points():
    p = plan("lion,sgd(lr=0.1, weight_decay=0.001)")
    outcomes = finish(p.points({}), lambda point: point.index)
    assert p.total_trials == len(p.points(outcomes)) == (4 + 3) + (1 + 3)


@pytest.mark.parametrize("name", ["trials", "seeds"])
def test_numbers_have_to_be_positive(name):
    least = 0 if name == "trials" else 1  # where nothing is tuned, there are none
    with pytest.raises(InputError, match=f"{name}={least - 1}"):
        plan(**{name: least - 1})


def test_candidates_and_seeds_may_grow_and_nothing_else_may_change():
    assert plan().manifest() == plan("lion,sgd,adamw", seeds=9).manifest()
    assert plan().manifest() != plan(pruning="median").manifest()

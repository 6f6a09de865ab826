import pytest

from trimtab.catalog.candidates import parse_candidates
from trimtab.compare.plan import Plan
from trimtab.compare.race import Terms
from trimtab.study.errors import InputError
from trimtab.study.outcome import CurvePoint, Outcome


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


RACE = Terms("lion")


def test_a_race_opens_settings_in_waves_and_seeds_look_by_look():
    p = plan("lion,sgd", trials=6, seeds=5, race=RACE)
    lion, sgd = p.candidates
    assert [point.key for point in p.points({})] == [f"toy/tune/{c}/{i}" for i in range(4) for c in ("lion", "sgd")]
    outcomes = finish(p.tuning_points(lion)[:4], lambda point: point.index)
    assert len(p.points(outcomes)) == 8 + 2
    outcomes |= finish(p.tuning_points(lion), lambda point: point.index)
    assert [point.seed for point in p.final_points(lion, outcomes)] == [1000, 1001]
    outcomes |= finish(p.tuning_points(sgd) + p.final_points(lion, outcomes), lambda point: point.index)
    assert len(p.final_points(lion, outcomes)) == len(p.final_points(sgd, outcomes)) == 2
    outcomes |= finish(p.final_points(sgd, outcomes), lambda point: 100 + point.index)
    assert p.raced(outcomes).pairs
    assert p.points(outcomes) == plan("lion,sgd", trials=6, seeds=5, race=RACE).points(outcomes)


def test_a_candidate_without_a_setting_that_ended_takes_no_part_in_a_race():
    p = plan("lion,sgd", trials=2, seeds=3, race=RACE)
    lion, sgd = p.candidates
    outcomes = finish(p.tuning_points(lion), lambda point: point.index)
    outcomes |= dict.fromkeys((point.key for point in p.tuning_points(sgd)), Outcome("failed"))
    while not p.raced(outcomes).over:
        outcomes |= finish(p.final_points(lion, outcomes), lambda point: point.index)
    assert p.raced(outcomes).seeds == {"lion": 3}
    assert p.final_points(sgd, outcomes) == []


def test_a_race_drops_settings_that_are_behind_earlier_ones():
    p = plan("lion", trials=7, seeds=3, race=RACE)
    points = p.tuning_points(p.candidates[0])
    curve = tuple(CurvePoint(cost, None, 1.0, 0.0) for cost in (0, 50, 100))
    outcomes = {point.key: Outcome("complete", loss=1.0, cost=100, curve=curve) for point in points[:6]}
    assert p.hopeless(outcomes, points[4], 50, 1.5)
    assert not p.hopeless(outcomes, points[4], 50, 0.5)
    assert not p.hopeless(outcomes, points[3], 50, 1.5)
    outcomes |= dict.fromkeys((point.key for point in points[:2]), Outcome("diverged"))
    assert not p.hopeless(outcomes, points[6], 50, 1.5)  # the last two are of its own wave


def test_plans_without_a_race_know_of_none():
    assert "race" not in plan().manifest()
    assert plan(race=RACE).manifest()["race"] is True
    with pytest.raises(ValueError, match="do not race"):
        plan().raced({})

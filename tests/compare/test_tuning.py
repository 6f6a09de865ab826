import math

import pytest

from trimtab.compare.cautions import gone_on
from trimtab.compare.tuning import Tuning, containing, may_go_on
from trimtab.study.outcome import Outcome
from trimtab.study.tunable import Choice, LogUniform, Uniform

RANGES = {"lr": LogUniform(1e-3, 1.0), "weight_decay": LogUniform(1e-3, 1.0)}


def tuning(trials=8, seeds=3, goes_on=("lr", "weight_decay"), tunables=RANGES):
    return Tuning("toy", "lion", tunables, trials, seeds, goes_on)


def near(rate, decay=0.03):
    """A loss whose optimum is known, and which every seed sees alike."""
    return lambda p: abs(math.log(p.settings["lr"] / rate)) + 0.01 * abs(math.log(p.settings["weight_decay"] / decay))


def played(tuned, loss):
    """Runs whatever is asked for until nothing is, and returns the standing, the outcomes and the numbers of runs."""
    outcomes, counts = {}, []
    while not (standing := tuned.standing(outcomes)).over:
        missing = [point for point in standing.points if point.key not in outcomes]
        assert missing
        counts.append(len(missing))
        for point in missing:
            found = loss(point)
            outcomes[point.key] = Outcome("diverged") if found is None else Outcome("complete", loss=found)
    return standing, outcomes, counts


def test_all_settings_run_once_and_the_best_four_with_further_seeds():
    standing, outcomes, counts = played(tuning(), near(0.03))
    assert counts == [8, 8]
    assert [point.seed for point in standing.points] == [0] * 8 + [1] * 4 + [2] * 4
    assert len({point.key for point in standing.points}) == 16
    assert [point.key for point in standing.points[:8]] == [f"toy/tune/lion/{i}" for i in range(8)]
    assert tuning().usual == 16
    assert all(point.seed < 1000 for point in standing.points)
    assert outcomes.keys() == {point.key for point in standing.points}


def test_the_mean_over_all_seeds_decides():
    def lucky_first(point):
        return point.index if point.seed == 0 else 10 - point.index % 12

    standing, outcomes, _ = played(tuning(goes_on=()), lucky_first)
    best = standing.best(outcomes)
    assert best.index == 3
    assert standing.losses(best, outcomes) == [3, 7, 7]
    assert standing.mean(outcomes) == pytest.approx(17 / 3)


def test_a_setting_of_which_a_seed_diverged_loses_to_any_that_did_not():
    standing, outcomes, _ = played(
        tuning(goes_on=()), lambda point: None if point.seed == 2 and point.index % 12 == 0 else point.index % 12
    )
    assert standing.best(outcomes).index == 1
    standing, outcomes, _ = played(tuning(goes_on=()), lambda point: None if point.seed == 2 else point.index % 12)
    assert standing.best(outcomes).index == 0  # of those that all have one, the best of what is left


def test_only_settings_that_ended_get_further_seeds():
    standing, _, counts = played(tuning(goes_on=()), lambda point: None if point.index > 1 else 1.0)
    assert counts == [8, 4]
    standing, outcomes, counts = played(tuning(), lambda _: None)
    assert (counts, standing.best(outcomes), standing.mean(outcomes)) == ([8], None, None)


def test_with_one_seed_or_one_setting_nothing_runs_again():
    assert played(tuning(seeds=1), near(0.03))[2] == [8]
    standing, outcomes, counts = played(tuning(tunables={}), lambda _: 1.0)
    assert counts == [1]
    assert standing.best(outcomes).settings == {}
    assert tuning(trials=0).standing({}).points == ()


def test_settings_that_are_drawn_twice_run_again_once():
    tuned = tuning(tunables={"kind": Choice(("a", "b"))}, goes_on=())
    assert played(tuned, lambda point: float(ord(point.settings["kind"])))[2] == [8, 4]


def test_a_range_goes_on_as_long_as_that_is_better():
    standing, outcomes, counts = played(tuning(), near(6.0))
    (extension,) = standing.extensions(outcomes)
    assert counts == [8, 8, 3, 3, 3]
    assert (extension.setting, extension.end, extension.bound, extension.settings) == ("lr", "high", 1.0, 3)
    best = standing.best(outcomes)
    assert best.settings["lr"] > 3
    assert extension.reached > best.settings["lr"]  # one step too far shows where it ends
    assert extension.chosen
    assert best.tunables["lr"].high == best.settings["lr"]


def test_a_range_goes_on_four_steps_at_most_and_says_where_nothing_is_better():
    standing, outcomes, counts = played(tuning(), near(1e9))
    assert counts == [8, 8, 3, 3, 3, 3]
    assert standing.extensions(outcomes)[0].settings == 4
    first = max(point.settings["lr"] for point in tuning().first())
    standing, outcomes, counts = played(tuning(), near(1.1 * first))
    (extension,) = standing.extensions(outcomes)
    assert (extension.settings, extension.chosen) == (1, False)
    assert tuning().most == 16 + 12


def test_the_first_step_beyond_a_few_settings_may_stay_within_the_range_and_is_said_to():
    tuned = tuning(trials=6, tunables={**RANGES, "weight_decay": LogUniform(0.005, 5.0)}, goes_on=("weight_decay",))
    most = max(point.settings["weight_decay"] for point in tuned.first())
    standing, outcomes, _ = played(tuned, lambda p: abs(math.log(p.settings["weight_decay"] / (2.5 * most))))
    (extension,) = standing.extensions(outcomes)
    best = standing.best(outcomes).settings
    assert most < best["weight_decay"] < 5.0 < extension.reached
    assert (extension.settings, extension.chosen, extension.left) == (2, True, True)
    assert gone_on(extension, best).endswith("went on beyond 5, to 12.8: it is best at 4.04")

    standing, outcomes, _ = played(tuned, lambda p: abs(math.log(p.settings["weight_decay"] / most)))
    (extension,) = standing.extensions(outcomes)
    assert (extension.settings, extension.chosen, extension.left) == (1, False, False)
    words = gone_on(extension, standing.best(outcomes).settings)
    assert words == "weight_decay was tried at 4.04 as well, nearer to the end of its range: nothing better was found"


def test_both_ends_go_on_but_less_weight_decay_than_there_is_is_none():
    standing, outcomes, _ = played(tuning(), near(1e-4))
    assert standing.extensions(outcomes)[0].end == "low"
    little = played(tuning(), lambda p: near(0.03)(p) / 100 + math.log(p.settings["weight_decay"]))
    assert all(each.setting == "lr" for each in little[0].extensions(little[1]))
    much = played(tuning(), lambda p: near(0.03)(p) / 100 - math.log(p.settings["weight_decay"]))
    assert "weight_decay" in [each.setting for each in much[0].extensions(much[1])]


@pytest.mark.parametrize("name", ["my_opt.py:Mine.weight_decay", "WEIGHT_DECAY"])
def test_weight_decay_by_another_name_goes_on_upwards_alone_too(name):
    tuned = tuning(tunables={name: LogUniform(5e-3, 5.0)}, goes_on=(name,))
    assert played(tuned, lambda p: p.settings[name])[0].beyond == ()
    assert played(tuned, lambda p: -p.settings[name])[0].beyond


def test_no_range_goes_on_that_may_not_or_of_few_settings():
    assert played(tuning(goes_on=()), near(1e9))[2] == [8, 8]
    assert played(tuning(trials=5), near(1e9))[2] == [5, 8]


@pytest.mark.parametrize("name", ["lr", "learning_rate", "finetune_lr", "my_opt.py:Mine.lr", "weight_decay", "d_coef"])
def test_rates_and_weight_decay_may_go_on(name):
    assert may_go_on({name: LogUniform(1e-3, 1.0)}) == (name,)
    assert may_go_on({name: LogUniform(1e-3, 1.0)}, [name]) == ()
    assert may_go_on({name: Uniform(1e-3, 1.0)}) == may_go_on({name: Choice((0.1, 1.0))}) == ()


@pytest.mark.parametrize("name", ["dropout", "clip.fraction", "label_smoothing", "rate", "dropout_rate", "my.momentum"])
def test_what_may_be_a_share_stays_within_its_range(name):
    assert may_go_on({name: LogUniform(1e-3, 1.0)}) == ()


def test_ranges_are_made_as_wide_as_it_takes():
    wide = containing({"lr": LogUniform(1e-3, 1.0), "kind": Choice((1,))}, {"lr": 2.0, "kind": 1})
    assert wide == {"lr": LogUniform(1e-3, 2.0), "kind": Choice((1,))}

import itertools

import numpy as np
import pytest

from trimtab.compare.pairs import raced_pairs, raced_ranks
from trimtab.compare.race import Terms, race
from trimtab.study.statistics import holm

TERMS = Terms("a")


def losses(shifts, seeds=10, seed=0):
    noise = np.random.default_rng(seed).standard_normal((len(shifts), seeds))
    return {label: tuple(map(float, row + shift)) for (label, shift), row in zip(shifts.items(), noise, strict=True)}


def play(runs, seeds=10, terms=TERMS, **more):
    return race(terms, seeds, runs, **{"waiting": False, **more})


def reasons(found):
    return {each.candidate: each.reason for each in found.departures}


def test_who_is_shown_to_differ_leaves_and_so_does_who_hardly_can():
    found = play(losses({"a": 0, "b": -30, "c": 30, "d": 0}))
    assert reasons(found) == {"b": "better", "c": "worse", "d": "chance"}
    assert found.over
    assert found.seeds["a"] == max(found.seeds[label] for label in "bcd") < 10
    verdicts = {frozenset((p.first, p.second)): p.shown for p in raced_pairs(found, "abcd")}
    assert verdicts[frozenset("ab")]
    assert verdicts[frozenset("bc")]
    assert not verdicts[frozenset("ad")]


@pytest.mark.parametrize("others", [{}, {"c": (0.3, 0.2, 0.3, 0.4, 0.5)}])
def test_scores_that_are_zero_each_time_are_a_constant_like_any_other(others):
    zeros, constants = ({"a": (ever,) * 5, "b": (ever,) * 5, **others} for ever in (0.0, 0.1))
    found = play(zeros, seeds=5)
    assert found.departures[0] == play(constants, seeds=5).departures[0]
    assert reasons(found)["b"] == "chance"


def test_the_first_look_comes_when_everyone_has_two_seeds():
    runs = losses({"a": 0, "b": 9})
    assert play({label: own[:1] for label, own in runs.items()}).seeds == {"a": 2, "b": 2}
    assert not play(runs, waiting=True).pairs
    assert play(runs, waiting=True).seeds == {"a": 2, "b": 2}


def test_it_depends_on_the_runs_and_not_on_their_order():
    """However runs come in, nobody is asked for a seed that would not have been run anyway."""
    runs = losses({"a": 0, "b": -2, "c": 1, "d": 3}, seed=3)
    whole, generator = play(runs), np.random.default_rng(0)
    for _ in range(5):
        there = dict.fromkeys(runs, 0)
        asked = dict.fromkeys(runs, 0)
        while True:
            found = play({label: runs[label][:n] for label, n in there.items()})
            assert all(found.seeds[label] >= asked[label] for label in runs)
            asked = dict(found.seeds)
            missing = [label for label in runs if there[label] < found.seeds[label]]
            if not missing:
                break
            there[generator.choice(missing)] += 1
        assert found == whole
        assert there == whole.seeds


def test_runs_that_did_not_finish_end_it_for_a_candidate():
    runs = losses({"a": 0, "b": 1, "c": 2})
    runs["b"] = (0.1, None, *runs["b"][2:])
    found = play(runs)
    assert reasons(found)["b"] == "unfinished"
    assert found.seeds["b"] == 2
    assert not any("b" in pair for pair in found.pairs)


def test_without_the_reference_everyone_runs_all_seeds():
    runs = losses({"a": 0, "b": 40, "c": 0}, seeds=4)
    runs["a"] = (None, *runs["a"][1:])
    found = play(runs, seeds=4)
    assert found.seeds == {"a": 2, "b": 4, "c": 4}
    assert list(found.pairs) == [("b", "c")]
    alone = play(runs, seeds=4, terms=Terms("a", against_reference=True))
    assert alone.over
    assert alone.seeds == {"a": 2, "b": 2, "c": 2}


def test_who_left_comes_back_when_a_later_run_of_the_reference_does_not_finish():
    runs = losses({"a": 0, "b": 40, "c": 0, "d": 0}, seeds=8)
    before = play(runs, seeds=8)
    left = before.departures[0]
    assert left.seeds < 8
    dies = left.seeds  # the next run, which is there whoever has left
    runs["a"] = (*runs["a"][:dies], None, *runs["a"][dies + 1 :])
    short = {label: own[: before.seeds[label]] for label, own in runs.items()}
    found = play(short, seeds=8)
    assert not found.over
    assert found.seeds[left.candidate] == dies + 1
    whole = play(runs, seeds=8)
    assert whole.seeds == {"a": dies + 1, "b": 8, "c": 8, "d": 8}
    assert reasons(whole) == {"a": "unfinished"}
    assert {("b", "c"), ("b", "d"), ("c", "d")} <= whole.pairs.keys()
    alone = play(runs, seeds=8, terms=Terms("a", against_reference=True))
    assert alone.over
    assert alone.seeds["a"] == dies + 1


def test_one_that_is_left_without_the_reference_runs_all_seeds():
    runs = losses({"a": 0, "b": 0}, seeds=6)
    runs["a"] = (*runs["a"][:2], None, *runs["a"][3:])
    assert play(runs, seeds=6).seeds == {"a": 3, "b": 6}


def test_against_the_reference_alone_fewer_pairs_are_tested():
    found = play(losses({"a": 0, "b": -30, "c": 30}), terms=Terms("a", against_reference=True))
    assert list(found.pairs) == [("a", "b"), ("a", "c")]
    pairs = raced_pairs(found, "abc", reference="a")
    assert [(p.first, p.second, p.verdict) for p in pairs] == [("b", "a", "helps"), ("c", "a", "hurts")]


def test_who_is_compared_with_nobody_runs_all_seeds():
    alone, runs = play(losses({"a": 0})), losses({"a": 0, "b": 0})
    assert (alone.over, alone.seeds, alone.departures) == (True, {"a": 10}, ())
    runs["b"] = (None, *runs["b"][1:])
    assert play(runs).seeds == {"a": 10, "b": 2}


def test_ranks_follow_the_pairs_and_not_means_over_different_seeds():
    runs = losses({"a": 0, "b": -30, "c": 30}, seed=1)
    found = play(runs)
    assert raced_ranks(list(runs), raced_pairs(found, runs)) == {"b": 1, "a": 2, "c": 3}


def test_what_is_detectable_of_pairs_that_nobody_ran_for_is_what_their_look_would_have_shown():
    runs = losses({"a": 0, "b": 0.1, "c": 0.2}, seed=4)
    pairs = {frozenset((p.first, p.second)): p for p in raced_pairs(play(runs), runs)}
    beside = pairs[frozenset("bc")]
    assert beside.simultaneous_detectable > (beside.simultaneous_high - beside.simultaneous_low) / 2
    assert pairs[frozenset("ab")].simultaneous_detectable < beside.simultaneous_detectable


def shown(found):
    """Which pairs are shown to differ; without intervals, which take ten times as long."""
    p_values = holm([each.p_value for each in found.pairs.values()])
    return [pair for pair, p_value in zip(found.pairs, p_values, strict=True) if p_value < 0.05]


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 5), (4, 6)])
def test_equals_are_told_apart_in_one_of_twenty_families_at_most(candidates, seeds):
    generator, families = np.random.default_rng(candidates), 300
    told = 0
    for _ in range(families):
        runs = {str(c): tuple(map(float, generator.standard_normal(seeds))) for c in range(candidates)}
        told += bool(shown(play(runs, seeds, Terms("0"))))
    assert told / families < 0.05 + 2.5 * (0.05 * 0.95 / families) ** 0.5


def test_what_is_called_detectable_is_found_three_times_out_of_four_at_least():
    generator, seeds, size, found = np.random.default_rng(5), 10, 2.7, 0
    for _ in range(120):
        runs = {str(c): tuple(map(float, generator.standard_normal(seeds) + size * (c == 1))) for c in range(5)}
        found += ("0", "1") in shown(play(runs, seeds, Terms("0")))
    assert found / 120 > 0.75
    sizes = []
    for _ in range(12):
        runs = {str(c): tuple(map(float, generator.standard_normal(seeds))) for c in range(5)}
        pairs = raced_pairs(play(runs, seeds, Terms("0")), runs)
        sizes += [pair.simultaneous_detectable for pair in pairs if "0" in (pair.first, pair.second)]
    assert np.median(sizes) == pytest.approx(size, rel=0.1)


def test_a_race_takes_fewer_runs_and_reverses_nothing():
    generator, runs_made, runs_of_all = np.random.default_rng(7), 0, 0
    for _ in range(20):
        shifts = dict(zip("abcdef", 2 * generator.standard_normal(6), strict=True))
        runs = losses(shifts, seed=int(generator.integers(1 << 30)))
        found = play(runs)
        runs_made, runs_of_all = runs_made + sum(found.seeds.values()), runs_of_all + 60
        for first, second in shown(found):
            assert (found.pairs[first, second].estimate.mean > 0) == (shifts[second] > shifts[first])
    assert runs_made < 0.6 * runs_of_all


def test_each_pair_is_that_of_its_candidates():
    runs = losses({"a": 0, "b": -30, "c": 0.2})
    found = play(runs)
    for first, second in itertools.combinations("abc", 2):
        test = found.pairs[first, second]
        n = test.estimate.n
        expected = np.mean(np.subtract(runs[second][:n], runs[first][:n]))
        assert test.estimate.mean == pytest.approx(expected)

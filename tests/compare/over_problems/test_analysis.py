import dataclasses
import json
import math

import pytest

from tests.compare.test_analysis import result_of, study
from trimtab.compare.over_problems.analysis import analyse_over_problems


def problem(costs, target=0.5, **more):
    """A problem on which candidates reach the target at these costs; ``None`` is never."""
    result = result_of(*study(",".join(costs), target=target))
    candidates = tuple(dataclasses.replace(c, cost_to_target=costs[c.label]) for c in result.candidates)
    return dataclasses.replace(result, candidates=candidates, **more)


ONE = {"adamw": 100.0, "lion": 50.0, "sgd": None}
TWO = {"adamw": 10.0, "lion": 30.0, "sgd": 41.0}
NOBODY = dict.fromkeys(ONE)


def over(problems, unfinished=()):
    return analyse_over_problems(problems, unfinished, "adamw")


def by_label(result):
    return {profile.label: profile for profile in result.profiles}


def test_scores_are_those_of_the_profiles_and_the_highest_comes_first():
    result = over({"one": problem(ONE), "two": problem(TWO)})
    assert [p.label for p in result.profiles] == ["adamw", "lion", "sgd"]
    assert [p.score for p in result.profiles] == pytest.approx([(2 + 3) / 6, (3 + 1) / 6, 0.0])
    found = by_label(result)
    assert found["lion"].ratios == {"one": 1.0, "two": 3.0}
    assert found["sgd"].ratios == {"one": None, "two": 4.1}
    assert found["sgd"].costs == {"one": None, "two": 41.0}
    assert (found["lion"].taus, found["lion"].shares) == ((1.0, 3.0, 4.0), (0.5, 1.0, 1.0))
    assert result.counted == ("one", "two")


def test_a_problem_whose_target_nobody_reaches_counts_for_none():
    alone = by_label(over({"one": problem(ONE)}))
    both = by_label(over({"one": problem(ONE), "two": problem(NOBODY)}))
    assert {label: p.score for label, p in both.items()} == {label: p.score / 2 for label, p in alone.items()}


@pytest.mark.parametrize(
    ("second", "unfinished", "reason"),
    [
        (lambda: problem(TWO), ["two"], "it is not finished"),
        (lambda: problem({**TWO, "lion": 0.0}), [], "its target is met before anything is spent"),
    ],
)
def test_problems_that_say_nothing_yet_are_left_out_and_named(second, unfinished, reason):
    result = over({"one": problem(ONE), "two": second()}, unfinished)
    assert result.counted == ("one",)
    assert result.left_out == {"two": reason}
    assert by_label(result) == by_label(over({"one": problem(ONE)}))
    assert f"two does not count for the scores: {reason}." in result.conclusion


def test_without_a_target_of_the_problem_the_reference_needs_complete_runs():
    whole = problem(TWO, target=None)
    broken = tuple(dataclasses.replace(c, rank=None if c.label == "adamw" else c.rank) for c in whole.candidates)
    assert over({"two": whole}).counted == ("two",)
    result = over({"two": dataclasses.replace(whole, candidates=broken)})
    assert result.left_out == {"two": "it has no target: the reference has no complete runs"}
    assert [p.score for p in result.profiles] == [None, None, None]
    assert "Nothing can be said over the problems yet: none of them counts." in result.conclusion
    assert "adamw is not ranked on two; the page of the problem says why." in result.conclusion
    assert not result.ranked


def test_the_conclusion_says_how_many_problems_there_were_and_that_scores_are_no_test():
    words = " ".join(over({"one": problem(ONE), "two": problem(TWO)}).conclusion)
    assert words.startswith(
        "Use lion instead of adamw: it helps on both problems. Against adamw, by the test of each problem: "
    )
    assert (
        "adamw comes closest to the fastest over 2 problems, with a score of 0.83 (1 is the fastest everywhere); then "
        "lion 0.67 and sgd 0.00. Scores describe these 2 problems and are no test: they have no interval"
    ) in words
    assert "by the test of each problem: lion helps on one and two." in words
    assert "corrected within a problem, not over the problems" in words
    assert "No difference from adamw was shown on any problem for sgd." in words


def test_equal_scores_share_the_first_place_in_words_too():
    words = over({"one": problem(ONE), "two": problem({"adamw": 10.0, "lion": 20.0, "sgd": None})}).conclusion
    shared = "lion and adamw come closest to the fastest over 2 problems, with a score of 0.83"
    assert any(sentence.startswith(shared) for sentence in words)
    assert (
        "No candidate reaches the target of any problem in most of its runs, so that all scores are 0."
        in over({"one": problem(NOBODY)}).conclusion
    )


def test_results_are_strict_json():
    text = json.dumps(over({"one": problem(ONE), "two": problem(NOBODY)}).to_dict(), allow_nan=False)
    values = json.loads(text)
    assert list(values["problems"]) == ["one", "two"]
    assert not any(math.isinf(p["score"]) for p in values["profiles"])

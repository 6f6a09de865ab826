"""Who wins for which duration: evaluations and a candidate's own time together, in equal time."""

from dataclasses import replace

import pytest

from trimtab.compare.durations import NAMED, AtDuration, at_durations, in_words
from trimtab.compare.result import TrialResult
from trimtab.lab.blackbox.functions import Branin
from trimtab.study.outcome import CurvePoint

FACTS = Branin().facts("branin", (), 10)


def run(candidate, seed, losses, own, *, phase="final", status="complete"):
    """A run of ten evaluations, each of which costs a candidate so many seconds of its own."""
    curve = tuple(CurvePoint(cost, None, loss, loss) for cost, loss in enumerate(losses, 1))
    trace = tuple((cost, own * cost) for cost in range(1, len(losses) + 1))
    return TrialResult(
        key=f"{candidate}/{seed}", candidate=candidate, phase=phase, seed=seed, settings={}, status=status,
        loss=losses[-1], metric=None, cost=len(losses), seconds=1.0, error=None, curve=curve, measures={},
        traces={FACTS.overhead: trace},
    )  # fmt: skip


FAST = [10.0 - cost for cost in range(10)]  # ends at 1
SLOW = [10.0 - 2 * cost if cost < 5 else 0.5 for cost in range(10)]  # ends at 0.5, but takes a second for each


def runs(seeds=(1, 2, 3)):
    return [
        each
        for seed in seeds
        for each in (
            run("quick", seed, [loss + 0.01 * seed for loss in FAST], 0.0),
            run("clever", seed, [loss + 0.01 * seed for loss in SLOW], 1.0),
        )
    ]


def test_each_has_the_time_in_which_the_quickest_uses_up_its_evaluations():
    short, second, long = at_durations(runs(), FACTS, [0.01, 1.0, 3600.0], ["quick", "clever"])
    assert short.losses["quick"] == pytest.approx((1.01, 1.02, 1.03))
    assert short.losses["clever"] == pytest.approx(
        (10.01, 10.02, 10.03)
    )  # its first look, which it had not had by then
    assert second.losses["clever"] == pytest.approx((2.01, 2.02, 2.03))  # five evaluations of two seconds each
    # ten hours, in which it has made nine and is nearly through with the tenth
    assert long.losses["clever"] == pytest.approx((0.51, 0.52, 0.53))
    assert long.losses["quick"] == short.losses["quick"]


def test_a_pool_takes_less_time():
    (found,) = at_durations(runs(), replace(FACTS, at_once=4), [4.0], ["quick", "clever"])
    (alone,) = at_durations(runs(), FACTS, [1.0], ["quick", "clever"])
    assert found.losses == alone.losses


def test_what_is_not_known_is_left_out():
    assert at_durations([], FACTS, [1.0], ["quick"]) == []
    assert at_durations(runs(), FACTS, [1.0], ["quick"]) == []  # nobody to compare with
    some = [each for each in runs() if (each.candidate, each.seed) != ("clever", 2)]
    (found,) = at_durations(some, FACTS, [1.0], ["quick", "clever"])
    assert len(found.losses["quick"]) == len(found.losses["clever"]) == 2
    tuned = [run("quick", 1, FAST, 0.0, phase="tune"), run("clever", 1, SLOW, 1.0, status="failed")]
    assert at_durations(tuned, FACTS, [1.0], ["quick", "clever"]) == []


def test_leaders_are_those_that_are_not_shown_to_be_worse():
    apart = AtDuration(1.0, {"a": (1.0, 1.1, 1.2), "b": (3.0, 3.1, 3.2), "c": (1.05, 1.0, 1.25)})
    assert apart.leaders() == ["a", "c"]
    assert AtDuration(1.0, {"a": (1.0,), "b": (3.0,)}).leaders() == ["a", "b"]


def test_where_only_the_last_look_tells_the_truth_all_have_to_come_to_it():
    lucky = [[0.0] * 9 + [loss] for loss in (1.0, 1.1)]
    given = [run(who, seed, lucky[seed], own) for seed in (0, 1) for who, own in (("quick", 0.0), ("slow", 0.05))]
    facts = replace(FACTS, true_at_end=True)
    # half a second later than the quickest, it is in the middle of its last evaluation
    assert at_durations(given, facts, [0.1], ["quick", "slow"]) == []
    (found,) = at_durations(given, facts, [0.1, 1.0], ["quick", "slow"])
    assert (found.seconds, found.losses) == (1.0, {"quick": (1.0, 1.1), "slow": (1.0, 1.1)})
    assert at_durations(given, FACTS, [0.1], ["quick", "slow"])[0].losses["slow"] == (0.0, 0.0)


def at(*leaders):
    """What is found where these lead of a, b and c."""
    return AtDuration(1.0, {label: (0.0, 0.1, 0.2) if label in leaders else (9.0, 9.3, 9.1) for label in "abc"})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([at("a")] * 4, "Whether an evaluation takes 0.1 s, 1 s, 1 min or 1 h, a comes first in equal time."),
        ([at("a", "b")] * 4, "Whether an evaluation takes 0.1 s, 1 s, 1 min or 1 h, a and b come first in equal time."),
        (
            [at("a", "b", "c")] * 4,
            "In equal time, none is shown to come first, whether an evaluation takes 0.1 s, 1 s, 1 min or 1 h.",
        ),
        (
            [at("a"), at("a", "b", "c"), at("b"), at("b")],
            "First in equal time, by how long an evaluation takes: a where it takes 0.1 s; any of them where it takes "
            "1 s; b where it takes 1 min or 1 h.",
        ),
        ([], ""),
        ([at("a")], "Where an evaluation takes 0.1 s, a comes first in equal time."),
    ],
)
def test_words(found, words):
    assert len(NAMED) == 4
    known = [replace(each, seconds=seconds) for each, seconds in zip(found, NAMED.values(), strict=False)]
    assert in_words(known) == words

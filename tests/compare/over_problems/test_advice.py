"""The first sentence of a conclusion over several problems, state by state."""

import dataclasses

import pytest

from tests.compare.test_analysis import result_of, study
from trimtab.compare.over_problems.advice import advise

MEANINGS = {"+": "helps", "-": "hurts", "=": "no difference shown", "?": None}
KEEP = "Keep adamw: nothing was shown to be better"
WHOLE = result_of(*study())


def over(*problems, erratic=(), seeds=5):
    """Problems named a, b, c: each with the verdict of lion and sgd; ``erratic`` names a problem and a candidate."""
    made = {}
    for name, verdicts in zip("abcde", problems, strict=False):
        found = dict(zip(("lion", "sgd", "nadam"), verdicts, strict=False))
        candidates = [
            dataclasses.replace(
                c, verdict=MEANINGS[found[c.label]] if c.label in found else None, erratic=(name, c.label) in erratic
            )
            for c in WHOLE.candidates
            if c.label in ("adamw", *found)
        ]
        protocol = dataclasses.replace(WHOLE.protocol, seeds=seeds)
        made[name] = dataclasses.replace(WHOLE, candidates=tuple(candidates), protocol=protocol)
    return made


@pytest.mark.parametrize(
    ("problems", "sentence"),
    [
        (["", ""], "No advice: adamw is the only candidate; add others to compare it with."),
        (["??", "??"], "No advice: nothing could be tested against adamw on any problem."),
        (["+=", "+=", "+="], "Use lion instead of adamw: it helps on all 3 problems."),
        (["+-", "+-"], "Use lion instead of adamw: it helps on both problems."),
        (["+-"], "Use lion instead of adamw: it helps on the only problem."),
        (["++", "++"], "Use lion or sgd instead of adamw: each helps on both problems."),
        (["+=", "==", "=="], "Keep adamw, or try lion: it helps on 1 of 3 problems, and hurts on none."),
        (["+=", "?="], "Keep adamw, or try lion: it helps on 1 of 2 problems, and hurts on none."),
        (["+=", "=+"], "Keep adamw, or try lion or sgd: each helps on 1 of 2 problems, and hurts on none."),
        (["+=", "-+"], "Keep adamw, or try sgd: it helps on 1 of 2 problems, and hurts on none."),
        (["+=", "+=", "-="], "Choose by the problem: lion helps on 2 of 3 problems, and hurts on 1."),
        (["++", "--"], "Choose by the problem: lion or sgd helps on 1 of 2 problems, and hurts on 1."),
        (["==", "=="], f"{KEEP} on either of 2 problems."),
        (["=="], f"{KEEP} on the only problem."),
        (["=-", "=-", "=="], f"{KEEP} on any of 3 problems, and sgd is worse on a and b."),
        (["=-"] * 4 + ["=="], f"{KEEP} on any of 5 problems, and sgd is worse on 4 of them."),
        (["=-"] * 4, f"{KEEP} on any of 4 problems, and sgd is worse on all of them."),
        (["=-", "=-"], f"{KEEP} on either of 2 problems, and sgd is worse on all of them."),
        (["=-"], f"{KEEP} on the only problem, and sgd is worse on it."),
        (["--"], f"{KEEP} on the only problem, and lion and sgd are worse there."),
        (["=-", "-="], f"{KEEP} on either of 2 problems, lion is worse on b, and sgd on a."),
        (["--", "=="], f"{KEEP} on either of 2 problems, and lion and sgd are worse on a."),
        (["--", "--"], f"{KEEP} on either of 2 problems, and lion and sgd are worse on all of them."),
        (["---", "==="], f"{KEEP} on either of 2 problems, and all 3 others are worse on a."),
        (["--=", "=--"], f"{KEEP} on either of 2 problems, and all 3 others are worse on some."),
        (["==", "??"], f"{KEEP} on a (little can be shown on b)."),
    ],
)  # fmt: skip
def test_the_advice(problems, sentence):
    assert advise(over(*problems), "adamw") == sentence


@pytest.mark.parametrize(
    ("problems", "erratic", "sentence"),
    [
        (
            ["+=", "+="],
            [("b", "lion")],
            "Look at the runs of lion on b before you use it: it helps on both problems, but its seeds differ widely.",
        ),
        (["++", "++"], [("b", "lion")], "Use sgd instead of adamw: it helps on both problems."),
        (
            ["+=", "=="],
            [("b", "lion")],
            "Keep adamw, or try lion: it helps on 1 of 2 problems, and hurts on none.",
        ),
        (
            ["==", "=="],
            [("b", "adamw")],
            "Look at the runs of adamw on b before you keep it: its seeds differ so much that little can be shown "
            "against it there. Nothing was shown to be better on a.",
        ),
        (
            ["=-", "==", "=="],
            [("b", "adamw")],
            "Look at the runs of adamw on b before you keep it: its seeds differ so much that little can be shown "
            "against it there. Nothing was shown to be better on a and c, and sgd is worse on a.",
        ),
        (
            ["==", "=="],
            [("a", "lion"), ("b", "lion"), ("b", "sgd")],
            f"{KEEP} on either of 2 problems; of lion on a and b and sgd on b nothing could be, for their seeds differ "
            "widely.",
        ),
        (
            ["===", "==="],
            [("a", "lion"), ("b", "sgd"), ("b", "nadam")],
            f"{KEEP} on either of 2 problems; of lion on a, sgd on b and nadam on b nothing could be, for their seeds "
            "differ widely.",
        ),
        (["-=", "=="], [("a", "lion")], f"{KEEP} on either of 2 problems, and lion is worse on a."),
        (
            ["==", "=="],
            [("a", "adamw"), ("b", "adamw")],
            "Look at the runs of adamw before you keep it: its seeds differ so much that little can be shown against "
            "it.",
        ),
    ],
)
def test_whose_seeds_differ_widely_is_not_recommended_blindly(problems, erratic, sentence):
    assert advise(over(*problems, erratic=erratic), "adamw") == sentence


@pytest.mark.parametrize("others", [(1.0, 2.0), (1.0,)])  # of a race, others may have left before the reference did
@pytest.mark.parametrize(
    ("alike", "sentence"),
    [
        ("ab", "Check that what is compared reaches the runs: all ended exactly like adamw with every seed."),
        (
            "b",
            "Check that what is compared reaches the runs on b: all ended exactly like adamw there. Nothing was shown "
            "to be better on a.",
        ),
    ],
)
def test_runs_that_end_alike_are_no_ground_to_keep_anything(alike, sentence, others):
    problems = over("==", "==")
    for name in alike:
        ends = {"adamw": (1.0, 2.0)}
        candidates = tuple(
            dataclasses.replace(c, final_losses=ends.get(c.label, others)) for c in problems[name].candidates
        )
        problems[name] = dataclasses.replace(problems[name], candidates=candidates)
    assert advise(problems, "adamw") == sentence


@pytest.mark.parametrize(
    ("seeds", "problems", "sentence"),
    [
        (1, ["??", "??"], "Run more seeds before you choose: with one, no difference can be shown."),
        (2, ["==", "=="], "Run more seeds: with two, no difference from adamw was shown, and hardly any could be."),
        (2, ["+=", "+="], "Use lion instead of adamw: it helps on both problems."),
        (3, ["==", "=="], f"{KEEP} on either of 2 problems."),
    ],
)
def test_few_seeds_are_no_ground_to_keep_anything(seeds, problems, sentence):
    assert advise(over(*problems, seeds=seeds), "adamw") == sentence

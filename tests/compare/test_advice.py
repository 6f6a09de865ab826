"""The first sentence of a conclusion, state by state."""

import itertools
import re
from pathlib import Path

import pytest

from trimtab.compare.advice import advise
from trimtab.compare.result import CandidateResult, Pair
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.training_facts import training_facts
from trimtab.study.metric import Metric


def facts_of_commands(metric):
    return command_facts("train", "train.py", metric, source="", rate=None, timeout=None)


TASK = training_facts("toy", "toy", Metric("accuracy", "max"), samples={}, parameters=1, batch_size=1, budget=1)
LESS, MORE = facts_of_commands(Metric("val_loss", "min")), facts_of_commands(Metric("acc", "max"))


def candidate(label, rank, verdict=None, by=0.0, ends=None, *, against="adamw", detectable=0.01, erratic=False):
    """A candidate as far as advice looks at it; ``ends`` are those of its improvement's interval."""
    pair = None
    if verdict is not None:
        low, high = ends or (by - 0.01, by + 0.01)
        p_value = 0.5 if verdict == "same" else 0.01
        pair = Pair(label, against, by, low, high, low, high, p_value, detectable, detectable, 5, 4.0, 1.0)
    return CandidateResult(
        label=label, title=label, kind="method", summary="", settings={}, rank=rank, note="", against_reference=pair,
        verdict=None if pair is None else pair.verdict, loss=None, metric=None,
        final_losses=(1.0 - by, float(ord(label[-1]))), tuned_loss=None, cost_to_target=None, reached_target=0,
        rate_decades=None, measures={}, prices={}, trouble={}, code="", erratic=erratic,
    )  # fmt: skip


def alike(label, like):
    """A candidate that ended as another one did, whatever the seed."""
    made = candidate(label, 1, "same")
    return CandidateResult(**{**vars(made), "final_losses": like.final_losses})


ADAMW = candidate("adamw", 1)
SECOND = candidate("adamw", 2)
WILD = candidate("adamw", 1, erratic=True)
LOST = candidate("adamw", None)
LION = candidate("lion", 1, "helps", 0.0312, (0.0118, 0.0506))

STATES = {
    "nothing is ranked": ([LOST, candidate("lion", None)], "No advice: no candidate has all its final runs."),
    "nobody else was there": ([ADAMW], "No advice: adamw is the only candidate; add others to compare it with."),
    "nobody else is ranked": (
        [ADAMW, candidate("lion", None)],
        "Keep adamw for now: no other candidate has all its final runs.",
    ),
    "only another one is ranked": (
        [candidate("lion", 1), LOST],
        "No advice: of all candidates only lion has all its final runs.",
    ),
    "one helps": (
        [LION, SECOND],
        "Use lion instead of adamw: it lowers validation loss by 0.031 (0.012 to 0.051).",
    ),
    "one just helps": (
        [candidate("lion", 1, "helps", 0.03, (0.0, 0.05)), SECOND],
        "Use lion instead of adamw: it lowers validation loss by 0.03 (up to 0.05).",
    ),
    "one helps by what is known well": (
        [candidate("lion", 1, "helps", 0.00996, (0.0098, 0.0102)), SECOND],
        "Use lion instead of adamw: it lowers validation loss by 0.00996 (0.0098 to 0.0102).",
    ),
    "one helps, and is told from the next that helps": (
        [LION, candidate("sgd", 2, "helps", 0.02), candidate("adamw", 3)],
        "Use lion instead of adamw: it lowers validation loss by 0.031 (0.012 to 0.051).",
    ),
    "one helps, and one that shares its rank does not": (
        [candidate("nadam", 1, "same", 0.04), LION, SECOND],
        "Use lion instead of adamw: it lowers validation loss by 0.031 (0.012 to 0.051).",
    ),
    "two help and share a rank": (
        [LION, candidate("sgd", 1, "helps", 0.02), candidate("adamw", 3)],
        "Use lion or sgd instead of adamw: they lower validation loss by 0.031 and 0.02.",
    ),
    "many help and share a rank": (
        [*(candidate(f"c{i}", 1, "helps", 0.05 - i / 100) for i in range(5)), candidate("adamw", 6)],
        "Use c0, c1 or one of 3 others instead of adamw: they lower validation loss by 0.01 to 0.05.",
    ),
    "the best of those that help is erratic": (
        [candidate("nadam", 1, "helps", 0.5, erratic=True), LION, candidate("adamw", 3)],
        "Use lion instead of adamw: it lowers validation loss by 0.031 (0.012 to 0.051).",
    ),
    "whoever helps is erratic": (
        [candidate("nadam", 1, "helps", 0.5, erratic=True), SECOND],
        "Look at the runs of nadam before you use it: it lowers validation loss by 0.5, but its seeds differ "
        "widely.",
    ),
    "one helps against an erratic reference": (
        [LION, candidate("adamw", 2, erratic=True)],
        "Use lion instead of adamw: it lowers validation loss by 0.031 (0.012 to 0.051).",
    ),
    "nobody helps against an erratic reference": (
        [candidate("lion", 1, "same"), WILD, candidate("sgd", 3, "hurts", -0.3)],
        "Look at the runs of adamw before you keep it: its seeds differ so much that little can be shown against it.",
    ),
    "the other one hurts": ([ADAMW, candidate("lion", 2, "hurts", -0.0209)], "Keep adamw: lion is worse by 0.021."),
    "both others hurt": (
        [ADAMW, candidate("lion", 2, "hurts", -0.0209), candidate("sgd", 2, "hurts", -1234.5)],
        "Keep adamw: lion and sgd are worse by 0.021 and 1200.",
    ),
    "all of many hurt": (
        [ADAMW, *(candidate(f"c{i}", 2, "hurts", -0.1) for i in range(3))],
        "Keep adamw: all 3 others are worse.",
    ),
    "all that are ranked hurt": (
        [ADAMW, *(candidate(f"c{i}", 2, "hurts", -0.1) for i in range(3)), candidate("lion", None)],
        "Keep adamw: nothing was shown to be better, and 3 of 4 others are worse.",
    ),
    "one of several hurts": (
        [ADAMW, candidate("sgd", 1, "same"), candidate("lion", 2, "hurts", -0.0209)],
        "Keep adamw: nothing was shown to be better, and lion is worse by 0.021.",
    ),
    "no difference from the only other": (
        [ADAMW, candidate("lion", 1, "same", 0.001, detectable=0.0123)],
        "Keep adamw: no difference was shown, and one of 0.012 would probably have been found.",
    ),
    "no difference from several": (
        [ADAMW, candidate("lion", 1, "same", 0.001, detectable=0.024), candidate("sgd", 1, "same", detectable=0.0055)],
        "Keep adamw: no difference was shown, and one of 0.0055 to 0.024, by candidate, would probably have been "
        "found.",
    ),
    "no difference, and one of the others is erratic": (
        [ADAMW, candidate("lion", 1, "same", 0.001), candidate("sgd", 1, "same", -9e5, detectable=4e6, erratic=True)],
        "Keep adamw: no difference was shown, and one of 0.01 would probably have been found; of sgd none could be, "
        "for its seeds differ widely.",
    ),
    "no difference from what is erratic": (
        [ADAMW, candidate("sgd", 1, "same", -9e5, detectable=4e6, erratic=True)],
        "Keep adamw: no difference was shown, but the seeds of sgd differ too widely for one to be found.",
    ),
    "no difference from several that are erratic": (
        [ADAMW, *(candidate(label, 1, "same", -9e5, detectable=4e6, erratic=True) for label in ("sgd", "lion"))],
        "Keep adamw: no difference was shown, but the seeds of 2 candidates differ too widely for one to be found.",
    ),
    "no difference at all": (
        [ADAMW, alike("lion", ADAMW)],
        "Check that what is compared reaches the runs: all ended exactly like adamw with every seed.",
    ),
    "no difference at all from one of two": (
        [ADAMW, alike("lion", ADAMW), candidate("sgd", 1, "same", 0.01, detectable=0.1)],
        "Keep adamw: no difference was shown, and one of 0.1 would probably have been found.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_the_advice(state):
    results, sentence = STATES[state]
    assert advise(results, (), "adamw", 5, TASK).sentence == sentence


@pytest.mark.parametrize(
    ("seeds", "by", "sentence"),
    [
        (1, None, "Run more seeds before you choose: with one, no difference can be shown."),
        (2, 0.001, "Run more seeds: with two, no difference from adamw was shown, and hardly any could be."),
        (3, 0.001, "Keep adamw: no difference was shown, and one of 0.01 would probably have been found."),
        (2, 0.5, "Use lion instead of adamw: it lowers validation loss by 0.5 (0.49 to 0.51)."),
        (2, -0.5, "Keep adamw: lion is worse by 0.5."),
    ],
)
def test_few_seeds_are_no_ground_to_keep_anything(seeds, by, sentence):
    verdict = {None: None, 0.001: "same", 0.5: "helps", -0.5: "hurts"}[by]
    assert advise([ADAMW, candidate("lion", 1, verdict, by or 0.0)], (), "adamw", seeds, TASK).sentence == sentence


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (LESS, "Use lion instead of adamw: it lowers val_loss by 0.031 (0.012 to 0.051)."),
        (MORE, "Use lion instead of adamw: it raises acc by 0.031 (0.012 to 0.051)."),
    ],
)
def test_the_metric_of_a_command_is_lowered_or_raised(task, sentence):
    assert advise([LION, SECOND], (), "adamw", 5, task).sentence == sentence
    several = advise([LION, candidate("sgd", 1, "helps", 0.02), SECOND], (), "adamw", 5, task).sentence
    assert several.endswith(f"they {'raise acc' if task is MORE else 'lower val_loss'} by 0.031 and 0.02.")


def pairs(labels, shown):
    """All pairs, of which some show a difference."""
    return [
        Pair(a, b, 0.1, 0.0, 0.2, 0.0, 0.2, 0.01 if a + b in shown else 0.5, 0.1, 0.1, 5, 4.0, 1.0)
        for a, b in itertools.combinations(labels, 2)
    ]


@pytest.mark.parametrize(
    ("ranks", "shown", "erratic", "sentence"),
    [
        ((1, 1, 1), (), "", "No advice: adamw is not ranked, and no difference was shown between the others."),
        ((1, 2, 2), ("ab", "ac"), "", "Use a: it is better than every other that is ranked, and adamw is not."),
        ((1, 1, 3), ("ac", "bc"), "", "Use a or b: no other was shown to be better, but adamw is not ranked."),
        ((1, 1, 3), ("ac", "bc"), "a", "Use b: no other was shown to be better, but adamw is not ranked."),
        (
            (1, 2, 2),
            ("ab", "ac"),
            "a",
            "Look at the runs of a before you use it: its seeds differ widely, and adamw is not ranked.",
        ),
    ],
)
def test_without_a_reference_the_ranks_advise(ranks, shown, erratic, sentence):
    results = [candidate(label, rank, erratic=label == erratic) for label, rank in zip("abc", ranks, strict=True)]
    assert advise([*results, LOST], pairs("abc", shown), "adamw", 5, TASK).sentence == sentence


def test_the_docs_quote_what_is_said():
    said = {sentence for _, sentence in STATES.values()}
    said |= {
        "Run more seeds: with two, no difference from adamw was shown, and hardly any could be.",
        "No advice: adamw is not ranked, and no difference was shown between the others.",
        "Use a or b: no other was shown to be better, but adamw is not ranked.",
        "Keep adamw, or try lion: it helps on 1 of 3 problems, and hurts on none.",
    }
    text = (Path(__file__).parents[2] / "docs" / "comparison.md").read_text(encoding="utf-8")
    table = text.split("## The first sentence")[1].split("## Other columns")[0]
    quoted = re.findall(r"^\| .* \| (.*) \|$", table, re.MULTILINE)
    assert len(quoted) == 10
    assert set(quoted[1:]) <= said


def test_what_is_told_need_not_be_said_again():
    assert advise([LION, SECOND], (), "adamw", 5, TASK).told == {"lion"}
    assert advise([ADAMW, candidate("lion", 2, "hurts", -0.02)], (), "adamw", 5, TASK).told == {"lion"}
    assert advise([ADAMW, candidate("lion", 1, "same")], (), "adamw", 5, TASK).told == frozenset()
    many = [candidate(f"c{i}", 2, "hurts", -0.1) for i in range(3)]
    assert advise([ADAMW, *many], (), "adamw", 5, TASK).told == frozenset()

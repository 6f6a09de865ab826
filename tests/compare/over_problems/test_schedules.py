"""Which verdicts hold whatever the schedule."""

import dataclasses
import io

import pytest
from rich.console import Console

from tests.compare.over_problems.test_advice import WHOLE, over
from trimtab.compare.over_problems.advice import advise
from trimtab.compare.over_problems.analysis import analyse_over_problems
from trimtab.compare.over_problems.places import headings, places_of
from trimtab.compare.over_problems.schedules import by_schedule, whatever_the_schedule
from trimtab.report.overview import render_overview
from trimtab.report.tables import ranks_table


def posed(*verdicts, bases=("digits",), schedules=("none", "cosine", "linear")):
    """Each base with each of as many schedules as there are verdicts for it."""
    names = [(base, schedule) for base in bases for schedule in schedules[: len(verdicts) // len(bases)]]
    made = {}
    for (base, schedule), each in zip(names, verdicts, strict=True):
        name = base if schedule == "none" else f"{base}+{schedule}"
        (found,) = over(each).values()
        facts = dataclasses.replace(found.problem, name=name, schedule=schedule)
        place = schedules.index(schedule)
        moved = tuple(
            dataclasses.replace(c, final_losses=tuple(loss + place for loss in c.final_losses))
            for c in found.candidates
        )
        made[name] = dataclasses.replace(found, problem=facts, candidates=moved)
    return made


def test_problems_by_schedule():
    problems = posed("++", "--", "==", "+-", bases=("digits", "a+b"))
    assert by_schedule(problems) == {
        "digits": {"none": "digits", "cosine": "digits+cosine"},
        "a+b": {"none": "a+b", "cosine": "a+b+cosine"},
    }
    places = places_of(problems)
    assert (places.count(4), places.many) == ("4 combinations", "combinations")
    words = advise(problems, "adamw", places)
    assert words == "Choose by the problem and its schedule: lion helps on 2 of 4 combinations, and hurts on 1."
    assert places_of(over("++", "--")).noun == "problem"
    assert headings(problems) == {name: name for name in problems}


def test_one_problem_is_called_by_its_schedules():
    problems = posed("++", "--")
    assert places_of(problems).noun == "schedule"
    assert headings(problems) == {"digits": "constant", "digits+cosine": "cosine"}


def test_a_problem_without_a_schedule_is_none_with_several():
    assert by_schedule(over("++", "--")) == {}
    assert by_schedule(posed("++")) == {}
    assert whatever_the_schedule(over("++", "--"), "adamw") == []


@pytest.mark.parametrize(
    ("verdicts", "bases", "sentences"),
    [
        (["+-", "+-"], ["digits"], ["Under both schedules: lion helps; sgd hurts."]),
        (["++", "++", "++"], ["digits"], ["Under all 3 schedules: lion and sgd help."]),
        (
            ["+=", "=="],
            ["digits"],
            ["Nobody is shown to help, and nobody to hurt, under both schedules."],
        ),
        (
            ["+-", "-="],
            ["digits"],
            [
                "Nobody is shown to help, and nobody to hurt, under both schedules.",
                "With the schedule the verdict turns: lion helps under constant and hurts under cosine.",
            ],
        ),
        (
            ["+=", "==", "==", "=="],
            ["a", "b"],
            ["Nobody is shown to help, and nobody to hurt, under both schedules of any problem."],
        ),
        (["==", "=?"], ["digits"], []),
        (
            ["+-", "--", "+-"],
            ["digits"],
            [
                "Under all 3 schedules: sgd hurts.",
                "With the schedule the verdict turns: lion helps under constant and linear and hurts under cosine.",
            ],
        ),
        (
            ["+=", "+=", "-+", "=-"],
            ["a", "b"],
            [
                "Under both schedules: lion helps on a.",
                "With the schedule the verdict turns: sgd helps under constant and hurts under cosine on b.",
            ],
        ),
    ],
)
def test_what_holds_whatever_the_schedule(verdicts, bases, sentences):
    assert whatever_the_schedule(posed(*verdicts, bases=bases), "adamw") == sentences


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["+=", "+="], "Use lion instead of adamw: it helps under both schedules."),
        (["+=", "=="], "Keep adamw, or try lion: it helps under 1 of 2 schedules, and hurts under none of them."),
        (["+=", "-="], "Choose by the schedule: lion helps under 1 of 2 schedules, and hurts under 1."),
        (["=-", "=="], "Keep adamw: nothing was shown to be better under either of 2 schedules, and sgd is worse under "
                       "constant."),
    ],
)  # fmt: skip
def test_advice_on_schedules(verdicts, sentence):
    problems = posed(*verdicts)
    named = {headings(problems)[name]: result for name, result in problems.items()}
    assert advise(named, "adamw", places_of(problems)) == sentence


def test_a_page_over_problems_and_schedules_says_how_many_of_each():
    page = render_overview(analyse_over_problems(posed("++", "--", "==", "+-", bases=("digits", "wine")), [], "adamw"))
    assert "<h1>What helps over <em>2 problems with 2 schedules</em>?</h1>" in page
    assert "Scores over the combinations" in page


@pytest.mark.parametrize("verdicts", [("==", "=="), ("+=", "+=")])
def test_a_candidate_that_no_schedule_reaches_is_named(verdicts):
    problems = posed(*verdicts)
    assert not any("exactly alike" in sentence for sentence in whatever_the_schedule(problems, "adamw"))
    losses = next(c.final_losses for c in problems["digits"].candidates if c.label == "lion")
    for name, result in problems.items():
        ran = losses if name == "digits" else losses[:2]  # of a race, with one schedule perhaps fewer seeds
        candidates = [dataclasses.replace(c, final_losses=ran) if c.label == "lion" else c for c in result.candidates]
        problems[name] = dataclasses.replace(result, candidates=tuple(candidates))
    words = "lion ended exactly alike under both schedules, which change nothing of it, as of one that keeps its own."
    assert whatever_the_schedule(problems, "adamw")[-1] == words


def test_scores_say_nothing_of_one_problem_with_several_schedules():
    problems = posed("+-", "--")
    problems = {
        name: dataclasses.replace(
            result,
            candidates=tuple(
                dataclasses.replace(c, rank={"lion": 1, "adamw": 2, "sgd": 3}[c.label]) for c in result.candidates
            ),
        )
        for name, result in problems.items()
    }
    result = analyse_over_problems(problems, [], "adamw")
    assert not result.scored
    assert [profile.label for profile in result.profiles] == ["lion", "adamw", "sgd"]
    assert result.conclusion[0].startswith("Choose by the schedule: lion helps under 1 of 2 schedules")
    assert result.conclusion[1].startswith("Against adamw, by the test of each schedule: lion helps under constant and")
    assert "Under both schedules: sgd hurts." in result.conclusion
    assert not any("score" in sentence for sentence in result.conclusion)
    page = render_overview(result)
    assert "<h1>What helps under <em>2 schedules</em>?</h1>" in page
    assert "<dt>problem</dt><dd>digits</dd>" in page
    assert "<dt>schedules</dt><dd>constant; cosine</dd>" in page
    assert "Scores over the problems" not in page
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(ranks_table(result))
    first, second, lion, *_ = console.export_text().splitlines()
    assert first.split() == ["constant,", "rank", "cosine,", "rank"]
    assert second.split() == ["candidate", "and", "loss", "and", "loss"]
    mean = next(c for c in WHOLE.candidates if c.label == "lion").loss.mean
    cells = lion.split()
    assert [float(cells.pop(2)), float(cells.pop(4))] == [pytest.approx(mean, abs=0.005)] * 2
    assert cells == ["lion", "1", "helps", "1", "hurts"]

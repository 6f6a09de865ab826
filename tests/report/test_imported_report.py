"""The report of runs that others made says what is known of them, and nothing of tuning or of lines to paste."""

import io
import re

import pytest
from rich.console import Console

from trimtab.compare.imported.outcomes import analyse
from trimtab.report import console, words, words_over_problems, write_all
from trimtab.report.export import to_csv, to_json
from trimtab.report.figures import figures_of
from trimtab.report.overview import render_overview
from trimtab.report.page import render_page
from trimtab.report.trials import trials_table

SCORES = {"adamw": (0.80, 0.81, 0.805, 0.807), "lion": (0.90, 0.912, 0.905, 0.906)}


def rows(problem="digits", seeds=(1, 2, 3, 4), *, cost=None):
    return [
        {"candidate": name, "problem": problem, "seed": seed, "score": score}
        | ({} if cost is None else {"curve": f"0:0.1;{cost / 2}:{score / 2};{cost}:{score}"})
        for name, scores in SCORES.items()
        for seed, score in zip(seeds, scores, strict=True)
    ]


@pytest.fixture(scope="module")
def plain():
    return analyse(rows(), direction="max")


@pytest.fixture(scope="module")
def costed():
    return analyse(rows(cost=5), direction="max")


@pytest.mark.parametrize("name", ["plain", "costed"])
def test_nothing_is_said_of_tuning_or_of_lines_to_paste(name, request):
    page = render_page(request.getfixturevalue(name))
    said = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    told = said.replace("whether every candidate was tuned alike, is not known here", "")
    assert "tuned alike" in said
    for word in ("tuned", "tuning", "fresh seed", "Lines to paste", "settings tried", "None"):
        assert word not in told
    assert "Whether a candidate has a higher score than adamw" in said


def test_without_costs_there_is_no_price_and_no_course(plain, costed):
    assert set(figures_of(plain)) == {"ranking", "differences"}
    assert set(figures_of(costed)) == {"ranking", "differences", "curves", "cost"}
    without, with_costs = render_page(plain), render_page(costed)
    for there in ("cost to target", "How they get there", 'href="#figures"', "Learning curves"):
        assert there in with_costs
        assert there not in re.sub(r"<script.*?</script>", "", without, flags=re.DOTALL)
    assert "cost to target" not in dict(words.columns(plain))
    assert "Target" not in dict(words.protocol(plain))
    assert "Target" in dict(words.protocol(costed))


def test_costs_of_whole_runs_are_a_price_and_no_course():
    found = [{**each, "cost": 10 + place / 4} for place, each in enumerate(rows())]
    result = analyse(found, direction="max")
    assert set(figures_of(result)) == {"ranking", "differences", "cost"}
    page = render_page(result)
    assert "cost to target" in page
    assert "What quality costs" in page
    assert "Learning curves" not in page


def test_curves_that_share_no_costs_are_left_out():
    found = [each | {"curve": f"{place}:0;{place + 0.5}:{each['score']}"} for place, each in enumerate(rows())]
    drawn = figures_of(analyse(found, direction="max"))["curves"]
    assert "cover the same costs" in drawn.to_json()
    found[:4] = [each | {"curve": f"0:0.1;2:{each['score']}"} for each in found[:4]]
    drawn = figures_of(analyse(found, direction="max"))["curves"]
    assert {trace.name for trace in drawn.data} == {"adamw"}


def test_the_protocol_says_where_runs_come_from(plain):
    found = dict(words.protocol(plain))
    assert found["Source"] == "Columns of source: candidate, seed, score, problem. More of the score is better."
    assert found["Runs"] == (
        "8 runs from source, made elsewhere: how, and whether every candidate was tuned alike, is not known here. 2 "
        "candidates ran with 4 seeds (seeds 1 to 4); runs with the same seed are compared with each other."
    )


@pytest.mark.parametrize(
    ("seeds", "said"),
    [((7, 1, 40, 3), "(seeds 1, 3, 7 and 40)"), ((5, 6, 7, 8), "(seeds 5 to 8)")],
)
def test_seeds_are_named_as_they_are(seeds, said):
    assert said in dict(words.protocol(analyse(rows(seeds=seeds), direction="max")))["Runs"]


def test_many_seeds_that_do_not_follow_each_other_are_not_all_named():
    many = [{"candidate": name, "seed": seed**2, "score": seed} for name in "ab" for seed in range(20)]
    assert "(seeds from 0 to 361)" in dict(words.protocol(analyse(many, direction="max")))["Runs"]


def test_what_is_not_known_has_no_column_among_the_trials(plain, costed):
    def keys(result):
        return {column["key"] for column in trials_table(result)["columns"]}

    assert not {"cost", "seconds"} & keys(plain)
    assert "cost" in keys(costed)
    assert to_csv(plain)


def test_an_overview_without_costs_has_verdicts_alone():
    result = analyse([*rows("one"), *rows("two")], direction="max")
    page = render_overview(result)
    assert "Verdicts, problem by problem" in page
    for word in ("score <span", "does not count", "Profile", "AlgoPerf"):
        assert word not in page
    assert [name for name, _ in words_over_problems.method(result)] == ["Each problem"]
    assert [name for name, _ in words_over_problems.columns(result)] == ["rank, helps, hurts"]
    assert [name for name, _ in words_over_problems.reading(result)] == ["Verdict"]
    assert "targets reached by any candidate" not in dict(words_over_problems.facts(result))
    assert to_json(result)


def test_an_overview_with_costs_has_scores():
    result = analyse([*rows("one", cost=5), *rows("two", cost=3)], direction="max")
    page = render_overview(result)
    assert "Scores over the problems" in page
    found = dict(words_over_problems.method(result))
    assert "looked at 20 times" not in found["Cost"]
    assert "where this takes the runs that were read" in found["Not AlgoPerf"]


def test_the_terminal_shows_scores_where_there_are_any(tmp_path):
    for cost, there in ((None, False), (5, True)):
        result = analyse([*rows("one", cost=cost), *rows("two", cost=cost)], direction="max")
        out = io.StringIO()
        console.print_summary(Console(file=out, width=80), result, write_all(result, tmp_path))
        assert ("one, cost" in out.getvalue()) == there
        assert "helps by 0.1" in out.getvalue()

"""The page over several problems: complete, escaped, with the way to each problem's page."""

import re
from dataclasses import replace

import pytest

from tests.report import synthetic
from tests.report.synthetic import HOSTILE
from tests.report.test_page import Reader, data
from trimtab.report import words_over_problems as words
from trimtab.report import write_all
from trimtab.report.figures.over_problems import FIGURES_OVER_PROBLEMS
from trimtab.report.overview import render_overview
from trimtab.report.page import render_page
from trimtab.study.facts import Unit


@pytest.fixture(scope="module")
def page(over_problems):
    return Reader(render_overview(over_problems))


def test_the_scores_stand_beside_what_was_shown_on_each_problem(page, over_problems):
    first, *_, last = over_problems.profiles
    assert (first.label, last.label) == ("lion", synthetic.BROKEN)
    assert first.score == pytest.approx((4 - 2 + 4 - 1) / 9)
    row = page.words[page.words.index(f"{first.label} {first.score:.2f} ") :]
    helps = "helps rank 1 ·"
    assert row.startswith(f"lion 0.56 {helps} 2.00 × the lowest cost {helps} 1.00 × the lowest cost {helps} target not")
    assert "not ranked target not reached" in page.words
    assert "reference rank 3 · 2.50 × the lowest cost" in page.words


def test_everything_is_said(page, over_problems):
    for sentence in over_problems.conclusion:
        assert sentence in page.words
    for found in over_problems.problems.values():
        for sentence in found.conclusion:
            assert sentence in page.words
        assert found.target in page.words
    assert page.words.index(over_problems.conclusion[0]) < page.words.index(over_problems.conclusion[1])
    assert "score 1 for who is the fastest on every problem" in page.words
    assert "× the lowest cost Sample-gradients until the problem's target" in page.words
    for name in ("AlgoPerf", "sample-gradients", "No interval", "Scores are of 3 problems", "Dolan and Moré"):
        assert name in page.words


def test_it_leads_to_the_pages_of_the_problems_and_loads_nothing(page):
    links = {a["href"] for tag, a in page.elements if tag == "a" and not a["href"].startswith("#")}
    assert links >= {"digits/report.html", "diabetes/report.html"}
    assert len(links) == 3
    assert all(re.fullmatch(r"[\w%().=-]+(/[\w%().=-]+)*/report\.html", link) for link in links)
    assert not [tag for tag, a in page.elements if "src" in a or tag in ("link", "iframe", "object", "embed", "base")]


def test_text_from_elsewhere_stays_text(page):
    assert not [tag for tag, _ in page.elements if tag in ("b", "img")]
    assert HOSTILE in "".join(page.text)
    assert len(page.scripts) == 4


def test_every_figure_has_its_place_its_data_and_a_description(page):
    places = [a for _, a in page.elements if "data-figure" in a]
    drawn = data(page, "figures-data")["figures"]
    assert [a["data-figure"] for a in places] == list(FIGURES_OVER_PROBLEMS) == list(drawn)
    assert all(len(a["aria-label"]) > 40 for a in places)


def test_a_problem_that_does_not_count_is_shown_and_says_why():
    page = Reader(render_overview(synthetic.over_problems(("digits", "diabetes"), ["diabetes"])))
    assert "diabetes does not count for the scores: it is not finished." in page.words
    assert "does not count" in page.words
    nothing = Reader(render_overview(synthetic.over_problems(("digits",), ["digits"])))
    assert "None" not in nothing.words
    assert "Nothing can be said over the problems yet" in nothing.words


@pytest.mark.parametrize("unfinished", [[], ["digits", "diabetes"]])
def test_where_nobody_reaches_a_target_that_is_said_and_nothing_is_drawn(unfinished):
    result = synthetic.over_problems(("digits", "diabetes"), never=True, unfinished=unfinished)
    page = Reader(render_overview(result))
    assert not [a for _, a in page.elements if "data-figure" in a or a.get("href") == "#figures"]
    assert "Performance profiles" not in page.words
    assert ("targets reached by any candidate", f"0 of {2 - len(unfinished)}") in words.facts(result)
    said = "No candidate reaches the target of any problem in most of its runs, so that all scores are 0."
    assert page.words.count(said) == (0 if unfinished else 1)
    assert "counts for nobody" not in page.words


def test_what_some_candidate_reaches_is_counted(over_problems):
    assert ("targets reached by any candidate", "2 of 3") in words.facts(over_problems)


def test_where_nothing_is_tuned_no_tuning_is_told_of():
    tuned = synthetic.over_problems(("digits", "diabetes"))
    found = {
        name: replace(
            each, protocol=replace(each.protocol, trials=0), problem=replace(each.problem, cost=Unit("evaluation"))
        )
        for name, each in tuned.problems.items()
    }
    result = replace(tuned, problems=found)
    assert ("settings tried for each", "12 on each problem") in words.facts(tuned)
    assert ("fresh seeds, after tuning", "5 to 10") in words.facts(tuned)
    assert ("seeds", "5 to 10") in words.facts(result)
    assert "settings tried for each" not in dict(words.facts(result))
    told, method = dict(words.method(tuned)), dict(words.method(result))
    assert told["Each problem"].startswith(
        "Candidates were tuned and run on fresh seeds on each problem by itself, with"
    )
    assert method["Each problem"].startswith("Candidates ran with several seeds on each problem by itself. Its page")
    assert method["Cost"].startswith("The evaluations after which")
    assert "where this takes fresh seeds of the setting that was best at the end" in told["Not AlgoPerf"]
    assert "it takes the fastest of five tuning runs, where nothing is tuned here" in method["Not AlgoPerf"]


def test_pages_of_problems_lead_back(result):
    back = [a["href"] for t, a in Reader(render_page(result, overview="../report.html")).elements if t == "a"]
    assert "../report.html" in back


def test_all_files_are_written_together(tmp_path):
    paths = write_all(synthetic.over_problems(("digits", "diabetes")), tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == {
        "report.html",
        "results.json",
        *(
            f"{problem}/{name}"
            for problem in ("digits", "diabetes")
            for name in ("report.html", "results.json", "results.csv")
        ),
    }
    assert paths.csv is None
    assert '"../report.html"' in paths.problems["digits"].page.read_text(encoding="utf-8")

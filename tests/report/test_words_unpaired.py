import re
from dataclasses import replace

import pytest

from trimtab.compare.imported.outcomes import analyse
from trimtab.report import words, words_over_problems, words_unpaired
from trimtab.report.export import to_json
from trimtab.report.figures import figures_of
from trimtab.report.figures.ranking import differences_from_mean
from trimtab.report.page import render_page

SCORES = {"adamw": (0.80, 0.81, 0.805, 0.807), "lion": (0.90, 0.912, 0.905), "sgd": (0.801, 0.809)}


def rows(names=("adamw", "lion", "sgd"), problem="digits"):
    return [{"candidate": name, "problem": problem, "score": score} for name in names for score in SCORES[name]]


@pytest.fixture(scope="module")
def several():
    return analyse(rows(), direction="max", unpaired=True)


@pytest.fixture(scope="module")
def two():
    return analyse(rows(("adamw", "lion")), direction="max", unpaired=True)


def test_nothing_is_said_of_seeds_that_are_shared(several, two):
    for result in (several, two):
        page = re.sub(r"<script.*?</script>|<style.*?</style>", "", render_page(result), flags=re.DOTALL)
        for word in (
            "with its seed",
            "same seed",
            "shared seeds",
            "each seed runs both",
            "coins",
            "seeds 0 to",
            "paired t",
        ):
            assert word not in page
        assert "no run is matched with another one" in page
        drawn = "".join(figure.to_json() for figure in figures_of(result).values())
        assert "run by run" in drawn
        for word in ("seed by seed", "shared seeds", "these seeds"):
            assert word not in drawn


def test_it_says_how_many_runs_there_are(several):
    assert words_unpaired.runs_each(several) == "2 to 4"
    assert dict(words.facts(several))["runs of a candidate"] == "2 to 4"
    assert "3 candidates ran 2 to 4 times each." in words_unpaired.matched(several)
    alike = [candidate for candidate in several.candidates if candidate.runs == 3]
    assert words_unpaired.runs_each(replace(several, candidates=tuple(alike))) == "3"
    overview = analyse([*rows(problem="one"), *rows(problem="two")], direction="max", unpaired=True)
    assert dict(words_over_problems.facts(overview))["runs of a candidate"] == "2 to 4"
    assert to_json(overview)


def test_the_test_is_named(several, two):
    assert "by Welch's t test: 1 pair, p-values corrected" in dict(words.protocol(two))["Statistics"]
    told = dict(words.protocol(several))["Statistics"]
    assert "by Welch's t test whose spreads all candidates' runs tell of" in told
    assert "degrees of freedom; a candidate that varies far more" in told
    assert words_unpaired.statistics(two, "none.").endswith("is added to each candidate's.")


def test_runs_stand_beside_the_mean_of_the_reference(several):
    dots = differences_from_mean(several)
    mean = sum(SCORES["adamw"]) / 4
    assert dots["lion"] == pytest.approx([score - mean for score in SCORES["lion"]])
    assert set(dots) == {"lion", "sgd"}

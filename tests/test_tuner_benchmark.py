"""The benchmark of samplers that tune: every way costs the same, and the rule of the protocol is followed."""

import json
import math
from pathlib import Path

import numpy as np
import optuna
import pytest
import tuner
import tuner_analysis

from trimtab.catalog.candidates import parse_candidates
from trimtab.compare.tuning import Tuning, may_go_on
from trimtab.study.outcome import Outcome
from trimtab.study.tunable import quasi_random_settings

ROOT = Path(__file__).parents[1]

optuna.logging.set_verbosity(optuna.logging.WARNING)


class MadeUp:
    """Runs whose loss is a bowl around a learning rate, with noise that follows from the seed."""

    def __init__(self, best=0.01, diverges_from=math.inf):
        self.best, self.diverges_from, self.made = best, diverges_from, 0

    def loss(self, task, steps, label, settings, seed):
        self.made += 1
        if settings["lr"] >= self.diverges_from:
            return None
        noise = np.random.default_rng([seed, len(label)]).standard_normal()
        return 1 + math.log10(settings["lr"] / self.best) ** 2 + 0.05 * noise


@pytest.fixture(scope="module")
def row():
    return tuner.replication(MadeUp(), "digits", 60, "sgd", 0, count=12, fresh=3)


def test_every_way_has_the_same_runs_but_for_ranges_that_go_on(row):
    assert {"halton", "tpe", "gp"} <= set(row) <= set(tuner_analysis.WAYS)
    for each in row.values():
        assert each["runs"] == 12 + 4 * 2 + 3 * each["steps"] <= row["halton"]["runs"]
        assert len(each["losses"]) == 3


def test_halton_is_what_a_comparison_does():
    (candidate,) = parse_candidates("lion")
    settings = quasi_random_settings(candidate.tunables, 12, 0)
    given = tuner.Given("digits", "lion", candidate.tunables, 12, 3, may_go_on(candidate.tunables), given=settings)
    own = Tuning("digits", "lion", candidate.tunables, 12, 3, may_go_on(candidate.tunables))
    assert [point.settings for point in given.first()] == [point.settings for point in own.first()]
    assert [point.key for point in given.first()] == [point.key for point in own.first()]
    runs = MadeUp(best=0.1)  # beyond Lion's range, which has to go on
    found = tuner.tuned(given, lambda settings, seed: runs.loss("digits", 1, "lion", settings, seed))
    outcomes, standing = {}, own.standing({})
    while not standing.over:
        for point in standing.points:
            loss = runs.loss("digits", 1, "lion", point.settings, point.seed)
            outcomes[point.key] = Outcome("complete", loss=loss)
        standing = own.standing(outcomes)
    assert found.chosen == standing.best(outcomes).settings
    assert found.steps == len(standing.beyond) > 0
    assert len(found.runs) == len(standing.points)


def test_no_more_steps_than_allowed_are_taken():
    (candidate,) = parse_candidates("lion")
    settings = quasi_random_settings(candidate.tunables, 12, 0)
    given = tuner.Given("digits", "lion", candidate.tunables, 12, 3, may_go_on(candidate.tunables), given=settings)
    runs = MadeUp(best=0.1)
    found = tuner.tuned(given, lambda settings, seed: runs.loss("digits", 1, "lion", settings, seed), most_steps=1)
    assert found.steps == 1
    assert len(found.runs) == 12 + 8 + 3


@pytest.mark.parametrize("way", tuner.SAMPLERS)
def test_rounds_do_not_depend_on_who_finishes_first_but_on_outcomes(way):
    (candidate,) = parse_candidates("adamw")
    seen = []

    def settings(best):
        def loss(settings, seed):
            seen.append(settings)
            return MadeUp(best).loss("digits", 1, "adamw", settings, seed)

        return tuner.in_rounds(candidate.tunables, 16, 3, tuner.SAMPLERS[way], loss)

    one, again, other = settings(0.001), settings(0.001), settings(0.1)
    assert one == again
    assert len(one) == 16
    assert one[:8] == other[:8] == quasi_random_settings(candidate.tunables, 8, 3)
    assert one[8:] != other[8:]
    assert all(list(each) == ["lr", "weight_decay"] for each in one)


def test_scores_are_of_ranks_and_diverged_runs_are_last():
    scores = tuner.normal_scores([3.0, None, 1.0, 1e9])
    assert np.argsort(scores).tolist() == [2, 0, 3, 1]
    assert sum(scores) == pytest.approx(0)


def made(gain, order=("adamw", "sgd")):
    """Ten replications of two candidates, in which samplers gain about so much on Halton."""
    generator = np.random.default_rng(0)
    found = {}
    for place, label in enumerate(order):
        rows = []
        for _ in range(10):
            noise = generator.standard_normal(8)
            rows.append(
                {
                    way: {
                        "settings": {"lr": float(number)},
                        "runs": 20,
                        "losses": (
                            10 + 9 * place + noise - gain * (way != "halton") * generator.uniform(0.9, 1.1)
                        ).tolist(),
                    }
                    for number, way in enumerate(("halton", "tpe", "gp"))
                }
            )
        found[label] = rows
    return found


def test_what_gains_on_two_tasks_with_equal_verdicts_is_worth_an_option():
    rich, poor = tuner_analysis.analysed(made(1.0)), tuner_analysis.analysed(made(0.0))
    assert rich["ways"]["tpe"]["gain"] == pytest.approx(1.0, abs=0.2)
    assert rich["ways"]["halton"]["gain"] == 0
    assert rich["ways"]["tpe"]["order"] == ["adamw", "sgd"]
    assert rich["ways"]["tpe"]["verdicts"] == {"sgd": "hurts"}
    assert rich["agreement"]["tpe and gp"] == 1
    decided = tuner_analysis.decided({"a": rich, "b": rich, "c": poor})
    assert decided == {"recommend": [], "tpe": ["a", "b"], "gp": ["a", "b"]}
    rich["ways"]["gp"]["order"] = ["sgd", "adamw"]
    assert tuner_analysis.decided({"a": rich})["tpe"] == []


def test_a_fresh_run_that_diverges_counts_as_the_worst():
    found = made(0.0)
    found["sgd"][0]["tpe"]["losses"][0] = None
    worst = max(loss for row in found["sgd"] for way in row.values() for loss in way["losses"] if loss is not None)
    found["sgd"][0]["tpe"]["losses"][1] = worst
    analysed = tuner_analysis.analysed(found)
    assert analysed["ways"]["tpe"]["diverged"] == 1
    assert tuner_analysis._finite(found["sgd"], "tpe")[0, :2].tolist() == [worst, worst]


def test_the_page_has_what_the_command_prints():
    facts = json.loads((ROOT / "benchmarks" / "recorded" / "tuner.json").read_text(encoding="utf-8"))
    page = " ".join((ROOT / "docs" / "comparison.md").read_text(encoding="utf-8").split())
    assert " ".join(tuner_analysis.markdown(facts).split()) in page
    analyses = {task: tuner_analysis.analysed(found) for task, found in facts["found"].items()}
    assert not any(tuner_analysis.decided(analyses).values())
    assert "So there is no such option" in page
    first, second = ("tpe and gp", "halton and halton in the next replication")
    shares = [[f"{each['agreement'][pair]:.0%}".rstrip("%") for each in analyses.values()] for pair in (first, second)]
    assert [f"{a}, {b} and {c} %" in page for a, b, c in shares] == [True, True]
    assert all(row["diverged"] == 0 for each in analyses.values() for row in each["ways"].values())
    assert facts["steps"] == tuner.TASKS

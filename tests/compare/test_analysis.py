import json
import math

import numpy as np
import pytest
from scipy import stats

from trimtab.compare.analysis import analyse
from trimtab.compare.candidate import parse_candidates
from trimtab.compare.plan import Plan
from trimtab.compare.result import TaskFacts
from trimtab.lab.trial import CurvePoint, Outcome

SEEDS = 5
NOISE = np.random.default_rng(0).normal(0, 0.01, size=(3, SEEDS))
SHARED = np.linspace(0.0, 1.0, SEEDS)  # what the seeds have in common, much larger than the differences
LOSSES = {
    "adamw": 1.0 + SHARED + NOISE[0],
    "lion": 0.9 + SHARED + NOISE[1],
    "sgd": 1.012 + SHARED + NOISE[2],
    "nadam": 1.2 + SHARED,
}


def outcome(loss, metric=0.5, test=False, curve=()):
    more = {"test_loss": loss + 0.1, "test_metric": metric} if test else {}
    return Outcome("complete", loss, metric, **more, cost=100, steps=10, step_seconds=0.01, state_bytes=8, curve=curve)


def study(candidates="adamw,lion,sgd,nadam", target=None, seeds=SEEDS, losses=LOSSES):
    plan = Plan("toy", "hash", tuple(parse_candidates(candidates)), trials=4, seeds=seeds, budget=1000)
    outcomes = {p.key: outcome(1.0 + p.index) for p in plan.points({})}
    for candidate in plan.candidates:
        for point in plan.final_points(candidate, outcomes):
            loss = float(losses[candidate.label][point.index])
            curve = tuple(CurvePoint(50 * i, 1.0, loss + 1.0 - i / 4, i / 4) for i in range(5))
            outcomes[point.key] = outcome(loss, test=True, curve=curve)
    facts = TaskFacts("toy", "toy", "accuracy", "max", target, {"train": 1}, 10, 10)
    return plan, outcomes, facts


def result_of(plan, outcomes, facts, reference="adamw"):
    return analyse(plan, outcomes, facts, reference=reference, environment={"torch": "2"})


def by_label(result):
    return {candidate.label: candidate for candidate in result.candidates}


def test_ranks_and_verdicts_follow_from_paired_tests_with_holms_correction():
    result = result_of(*study())
    found = by_label(result)
    assert [c.label for c in result.candidates] == ["lion", "adamw", "sgd", "nadam"]
    assert {label: c.rank for label, c in found.items()} == {"lion": 1, "adamw": 2, "sgd": 2, "nadam": 4}
    assert {label: c.verdict for label, c in found.items()} == {
        "lion": "helps", "sgd": "no difference shown", "nadam": "hurts", "adamw": None,
    }  # fmt: skip


def test_numbers_agree_with_scipy():
    result = result_of(*study())
    pair = by_label(result)["lion"].against_reference
    test = stats.ttest_rel(LOSSES["adamw"], LOSSES["lion"])
    interval = test.confidence_interval(0.95)
    assert pair.improvement == pytest.approx(np.mean(LOSSES["adamw"] - LOSSES["lion"]))
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high))
    raw = sorted(
        stats.ttest_rel(LOSSES[a], LOSSES[b]).pvalue for i, a in enumerate(LOSSES) for b in list(LOSSES)[i + 1 :]
    )
    stepped = np.minimum(np.maximum.accumulate([p * (6 - i) for i, p in enumerate(raw)]), 1)
    assert sorted(pair.p_value for pair in result.pairs) == pytest.approx(list(stepped))
    unpaired = stats.ttest_ind(LOSSES["adamw"], LOSSES["lion"]).pvalue
    assert unpaired > 0.5 > 0.05 > pair.p_value  # only pairing shows it


def test_the_improvement_is_turned_towards_the_candidate():
    forward = by_label(result_of(*study("adamw,lion")))["lion"].against_reference
    backward = by_label(result_of(*study("lion,adamw")))["lion"].against_reference
    assert (forward.first, forward.second) == (backward.first, backward.second) == ("lion", "adamw")
    assert forward.improvement == pytest.approx(backward.improvement)
    assert (forward.low, forward.high) == pytest.approx((backward.low, backward.high))
    assert forward.low < forward.improvement < forward.high


def test_a_candidate_with_a_broken_final_run_is_not_ranked():
    plan, outcomes, facts = study()
    key = "toy/final/lion/2"
    outcomes[key] = Outcome("diverged", error="the loss was inf after 3 steps")
    result = result_of(plan, outcomes, facts)
    lion = by_label(result)["lion"]
    assert lion.rank is None
    assert lion.verdict is None
    assert lion.note == "not ranked: 1 of 5 final runs diverged"
    assert lion.trouble == {"diverged": 1}
    assert result.candidates[-1] is lion
    assert {pair.first for pair in result.pairs} | {pair.second for pair in result.pairs} == {"adamw", "sgd", "nadam"}
    assert any("lion: not ranked" in sentence for sentence in result.conclusion)
    assert next(trial for trial in result.trials if trial.key == key).error.startswith("the loss was inf")


def test_an_unfinished_study_is_shown_as_far_as_it_is():
    plan, outcomes, facts = study()
    for key in ["toy/tune/lion/3", "toy/final/sgd/4"]:
        del outcomes[key]
    found = by_label(result_of(plan, outcomes, facts))
    assert found["lion"].note == "not ranked: 3 of 4 tuning trials are finished"
    assert found["sgd"].note == "not ranked: 4 of 5 final runs are finished"
    assert found["adamw"].rank == 1
    assert result_of(plan, {}, facts).conclusion[0].startswith("Nothing can be ranked yet")


def test_a_candidate_all_of_whose_trials_fail():
    plan, outcomes, facts = study()
    outcomes = {key: value for key, value in outcomes.items() if "lion" not in key}
    outcomes |= {f"toy/tune/lion/{i}": Outcome("failed", error="Traceback") for i in range(4)}
    lion = by_label(result_of(plan, outcomes, facts))["lion"]
    assert lion.note.startswith("not ranked: no tuning trial finished")
    assert (lion.loss, lion.code, lion.trouble) == (None, "", {"failed": 4})


def test_one_seed_shows_nothing():
    result = result_of(*study(seeds=1))
    assert {c.rank for c in result.candidates} == {1}
    assert result.pairs == ()
    assert all(c.loss.low is None for c in result.candidates)
    assert "With one seed no difference can be shown" in result.conclusion[0]


def test_the_target_of_the_task():
    result = result_of(*study(target=0.5))
    assert result.target == "validation accuracy >= 0.5"
    assert by_label(result)["lion"].cost_to_target == 100  # the metric is i / 4 at cost 50 i
    assert by_label(result)["lion"].reached_target == SEEDS


def test_without_a_target_runs_are_timed_until_they_are_where_the_reference_ends():
    losses = {**LOSSES, "lion": LOSSES["adamw"] - 0.6, "nadam": LOSSES["adamw"] + 5}
    found = by_label(result_of(*study(losses=losses)))
    # lion ends 0.6 below and falls by 0.25 every 50: its middle seed, from 1.9 to 0.9, is below 1.5 at 100
    assert found["lion"].cost_to_target == 100
    assert found["nadam"].cost_to_target is None
    assert found["nadam"].reached_target == 0


def test_conclusions_say_no_more_than_was_shown():
    text = " ".join(result_of(*study()).conclusion)
    assert text.startswith("lion is better than every other candidate.")
    assert "Better than adamw in validation loss: lion by" in text
    assert "Worse than adamw in validation loss: nadam by" in text
    assert "No difference from adamw was shown for sgd." in text
    alike = {label: LOSSES["adamw"] + NOISE[i % 3] for i, label in enumerate(LOSSES)}
    text = " ".join(result_of(*study(losses=alike)).conclusion)
    assert text.startswith("No difference was shown between any two of")
    assert "four times out of five" in text


def test_the_edge_of_the_range_is_pointed_out():
    plan, outcomes, facts = study()
    rates = {p.key: p.settings["lr"] for p in plan.tuning_points(plan.candidates[0])}
    highest = max(rates, key=rates.get)
    outcomes[highest] = outcome(0.01)
    for point in plan.final_points(plan.candidates[0], outcomes):
        outcomes[point.key] = outcome(1.0, test=True)
    adamw = by_label(result_of(plan, outcomes, facts))["adamw"]
    assert adamw.note.startswith("the best lr is the most extreme")


def test_results_are_strict_json():
    plan, outcomes, facts = study(seeds=1)
    outcomes["toy/tune/lion/0"] = Outcome("diverged", error="inf")
    text = json.dumps(result_of(plan, outcomes, facts).to_dict(), allow_nan=False)
    assert not any(isinstance(v, float) and not math.isfinite(v) for v in json.loads(text)["protocol"].values())

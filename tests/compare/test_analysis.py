import dataclasses
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from trimtab.catalog.candidates import parse_candidates
from trimtab.compare.analysis import analyse
from trimtab.compare.cautions import seedless
from trimtab.compare.frames import Frames
from trimtab.compare.pairs import compare_losses
from trimtab.compare.plan import Plan
from trimtab.compare.race import Terms
from trimtab.lab.measures import STATE_BYTES, STEP_SECONDS, STEPS, TEST_LOSS, TEST_METRIC
from trimtab.lab.training_facts import training_facts
from trimtab.report.export import to_json
from trimtab.report.page import render_page
from trimtab.study.again import FEWEST
from trimtab.study.metric import Metric
from trimtab.study.outcome import CurvePoint, Outcome
from trimtab.study.phrases import rounded

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
    more = {TEST_LOSS: loss + 0.1, TEST_METRIC: metric} if test else {}
    measures = {**more, STEPS: 10, STEP_SECONDS: 0.01, STATE_BYTES: 8}
    return Outcome("complete", loss, metric, cost=100, measures=measures, curve=curve)


def study(candidates="adamw,lion,sgd,nadam", target=None, seeds=SEEDS, losses=LOSSES, trials=4):
    plan = Plan("toy", "hash", tuple(parse_candidates(candidates)), trials=trials, seeds=seeds, budget=1000)
    outcomes = {p.key: outcome(1.0 + p.index) for p in plan.points({})}
    for candidate in plan.candidates:
        for point in plan.final_points(candidate, outcomes):
            loss = float(losses[candidate.label][point.index])
            curve = tuple(CurvePoint(50 * i, 1.0, loss + 1.0 - i / 4, i / 4) for i in range(5))
            outcomes[point.key] = outcome(loss, test=True, curve=curve)
    metric = Metric("accuracy", "max", target)
    facts = training_facts("toy", "toy", metric, samples={"train": 1}, parameters=10, batch_size=10, budget=1000)
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


def test_of_two_candidates_numbers_agree_with_scipy():
    result = result_of(*study("adamw,lion"))
    pair = by_label(result)["lion"].against_reference
    test = stats.ttest_rel(LOSSES["adamw"], LOSSES["lion"])
    interval = test.confidence_interval(0.95)
    assert pair.improvement == pytest.approx(np.mean(LOSSES["adamw"] - LOSSES["lion"]))
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high))
    assert pair.p_value == pytest.approx(test.pvalue)
    unpaired = stats.ttest_ind(LOSSES["adamw"], LOSSES["lion"]).pvalue
    assert unpaired > 0.5 > 0.05 > pair.p_value  # only pairing shows it


def test_of_several_they_are_those_of_compare_losses():
    result = result_of(*study())
    expected = compare_losses(LOSSES)
    assert [(p.first, p.second, p.seeds) for p in result.pairs] == [(p.first, p.second, p.seeds) for p in expected]
    assert [p.p_value for p in result.pairs] == pytest.approx([p.p_value for p in expected])
    lion = by_label(result)["lion"].against_reference
    test = stats.ttest_rel(LOSSES["adamw"], LOSSES["lion"])
    assert lion.freedom > 4
    assert lion.high - lion.low < np.ptp(test.confidence_interval(0.95))
    assert lion.pairing > 2  # the seeds move all candidates alike


def test_against_the_reference_alone_more_is_found_and_nobody_has_a_rank():
    plan, outcomes, facts = study()
    result = analyse(plan, outcomes, facts, reference="adamw", environment={}, against_reference=True)
    assert {(pair.first, pair.second) for pair in result.pairs} == {(x, "adamw") for x in ("lion", "sgd", "nadam")}
    assert [c.label for c in result.candidates] == ["lion", "adamw", "sgd", "nadam"]
    assert {c.place for c in result.candidates} == {"–"}
    assert [c.standing for c in result.candidates] == ["helps", "the reference", "no difference shown", "hurts"]
    text = " ".join(result.conclusion)
    assert text.startswith("Use lion instead of adamw")
    assert "rank" not in text
    assert "every other" not in text
    among = by_label(result_of(plan, outcomes, facts))["lion"].against_reference
    assert by_label(result)["lion"].against_reference.simultaneous_low > among.simultaneous_low


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
    outcomes[key] = Outcome("diverged", error="the loss was inf at step 3")
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
    assert found["lion"].note == "not ranked yet: 3 of 4 tuning trials are finished"
    assert found["sgd"].note == "not ranked yet: 4 of 5 final runs are finished"
    assert found["adamw"].rank == 1
    assert result_of(plan, {}, facts).conclusion == ("No advice yet: no candidate has all its final runs.",)


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
    assert result.conclusion == ("Run more seeds before you choose: with one, no difference can be shown.",)


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
    first, *others = result_of(*study()).conclusion
    assert first == "Use lion instead of adamw: it lowers validation loss by 0.099 (0.085 to 0.11)."
    assert others[:3] == [
        "lion is better than every other candidate.",
        "Worse than adamw in validation loss: nadam by 0.2.",
        "No difference from adamw was shown for sgd.",
    ]
    alike = {label: LOSSES["adamw"] + NOISE[i % 3] for i, label in enumerate(LOSSES)}
    text = " ".join(result_of(*study(losses=alike)).conclusion)
    assert text.startswith("Keep adamw: no difference was shown, and one of 0.0")
    assert "No difference was shown between any two of " in text
    assert "four times out of five" in text


@pytest.mark.parametrize(("trials", "said"), [(6, True), (5, False)])  # of few one or the other is the most extreme
def test_the_edge_of_the_range_is_pointed_out(trials, said):
    plan, outcomes, facts = study(trials=trials)
    rates = {p.key: p.settings["lr"] for p in plan.tuning_points(plan.candidates[0])}
    highest = max(rates, key=rates.get)
    outcomes[highest] = outcome(0.01)
    for point in plan.final_points(plan.candidates[0], outcomes):
        outcomes[point.key] = outcome(1.0, test=True)
    adamw = by_label(result_of(plan, outcomes, facts))["adamw"]
    assert adamw.note.startswith("the best lr is the most extreme") == said


def test_results_are_strict_json():
    plan, outcomes, facts = study(seeds=1)
    outcomes["toy/tune/lion/0"] = Outcome("diverged", error="inf")
    text = json.dumps(result_of(plan, outcomes, facts).to_dict(), allow_nan=False)
    assert not any(isinstance(v, float) and not math.isfinite(v) for v in json.loads(text)["protocol"].values())


def in_unit(found, unit):
    """An outcome whose losses were multiplied."""
    curve = tuple(replace(point, loss=unit * point.loss, train_loss=unit * point.train_loss) for point in found.curve)
    measures = found.measures | ({TEST_LOSS: unit * found.measures[TEST_LOSS]} if TEST_LOSS in found.measures else {})
    return replace(found, loss=unit * found.loss, measures=measures, curve=curve)


@pytest.mark.parametrize("target", [None, 0.5])
@pytest.mark.parametrize("unit", [2.0**40, 2.0**-40, 1e-12, 1e6, 1e12, 1e300, 1e-300])
def test_the_unit_of_the_losses_does_not_matter(unit, target):
    plan, outcomes, facts = study(target=target, trials=FEWEST)
    one = result_of(plan, outcomes, facts)
    other = result_of(plan, {key: in_unit(found, unit) for key, found in outcomes.items()}, facts)
    tolerance = 0 if math.frexp(unit)[0] == 0.5 else 1e-6

    def near(value):
        return pytest.approx(value, rel=tolerance, abs=0)

    for ours, theirs in zip(one.candidates, other.candidates, strict=True):
        for name in ("label", "rank", "verdict", "note", "cost_to_target", "reached_target", "metric"):
            assert getattr(theirs, name) == getattr(ours, name)
        assert ours.rate_decades
        assert theirs.rate_decades == near(ours.rate_decades)
        for name in ("mean", "low", "high"):
            assert getattr(theirs.loss, name) == near(unit * getattr(ours.loss, name))
    for ours, theirs in zip(one.pairs, other.pairs, strict=True):
        assert theirs.p_value == near(ours.p_value)
        assert theirs.smallest_detectable == near(unit * ours.smallest_detectable)


# what a rank is worth


def test_a_simultaneous_interval_goes_with_each_verdict():
    result = result_of(*study())
    for pair in result.pairs:
        assert (pair.simultaneous_low < 0 < pair.simultaneous_high) != pair.shown
        assert pair.simultaneous_low <= pair.low < pair.high <= pair.simultaneous_high or pair.shown
        assert pair.simultaneous_detectable > pair.smallest_detectable
    lion = by_label(result)["lion"].against_reference
    half = (lion.high - lion.low) / 2 * stats.t.ppf(1 - 0.025 / 6, lion.freedom) / stats.t.ppf(0.975, lion.freedom)
    assert lion.simultaneous_low == pytest.approx(max(0, lion.improvement - half))
    assert lion.simultaneous_high == pytest.approx(lion.improvement + half)


def test_a_pair_is_turned_as_a_whole():
    pair = result_of(*study()).pairs[0]
    turned = pair.turned()
    assert (turned.first, turned.second, turned.improvement) == (pair.second, pair.first, -pair.improvement)
    assert (turned.simultaneous_low, turned.simultaneous_high) == (-pair.simultaneous_high, -pair.simultaneous_low)
    assert turned.turned() == pair


def calm(center):
    return center + 0.01 * np.array([0.31, -0.77, 0.05, 1.03, -0.52])


def test_one_exploding_seed_is_said_to_hide_what_there_is():
    losses = {"adamw": calm(0.3), "lion": calm(0.4) + NOISE[0], "sgd": calm(0.5) + NOISE[1], "nadam": calm(0.3)}
    losses["nadam"] = np.array([0.301, 0.312, 8.1, 0.29, 0.305])
    result = result_of(*study(losses=losses))
    nadam = by_label(result)["nadam"]
    assert (nadam.rank, nadam.erratic) == (1, True)
    assert nadam.note.startswith(
        "one of its 5 seeds ended at 8.1, the others between 0.29 and 0.312: that it is not ranked after adamw, lion "
        "and sgd, whose means are better, says only that nothing could be shown"
    )
    assert not any(by_label(result)[label].erratic for label in ("adamw", "lion", "sgd"))
    said = "The seeds of nadam differ so much that nothing could be shown against adamw, lion and sgd, whose means are "
    assert f"{said}better." in result.conclusion


def test_whose_seeds_hide_something_of_whom_is_told():
    wild = 30 + np.array([1.2, 1.3, -7.3, 7.7, -2.7])
    losses = {"adamw": calm(9.0), "lion": calm(18.0) + NOISE[0], "sgd": 24 + 40 * calm(0), "nadam": wild}
    result = result_of(*study(losses=losses))
    nadam = by_label(result)["nadam"]
    assert (nadam.place, nadam.verdict) == ("3?", "hurts")
    assert "that it is not ranked after sgd, whose mean is better, says only that nothing could be shown" in nadam.note
    said = "The seeds of nadam differ so much that nothing could be shown against sgd, whose mean is better."
    assert said in result.conclusion

    alone = analyse(*study(losses=losses), reference="adamw", environment={}, against_reference=True)
    note = by_label(alone)["nadam"].note
    assert re.search(r"lie [\d,]+ times as far apart as is usual here", note)
    assert "could be shown" not in note  # nobody compared it with sgd
    assert "The seeds of sgd and nadam differ widely." in alone.conclusion


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_whether_seeds_differ_too_much_does_not_depend_on_the_unit(factor):
    losses = {"adamw": calm(0.3), "lion": calm(0.4), "nadam": np.array([0.301, 0.312, 8.1, 0.29, 0.305])}
    found = by_label(result_of(*study("adamw,lion,nadam", losses={k: factor * v for k, v in losses.items()})))
    assert {label: c.erratic for label, c in found.items()} == {"adamw": False, "lion": False, "nadam": True}


def test_a_run_that_ends_far_above_its_best_is_pointed_out():
    plan, outcomes, facts = study()
    point = plan.final_points(plan.candidates[0], outcomes)[1]
    end = outcomes[point.key].loss
    curve = tuple(CurvePoint(50 * i, 1.0, loss, 0.5) for i, loss in enumerate([2.0, 0.4, end]))
    outcomes[point.key] = outcome(end, test=True, curve=curve)
    note = by_label(result_of(plan, outcomes, facts))["adamw"].note
    assert note.startswith("one of its 5 final runs lost more than half of what they had gained: ")
    assert f"{end:.3g} at the end after 0.4 on the way" in note


def test_what_would_have_been_found_is_not_said_of_whom_nothing_could_be_shown():
    losses = {"adamw": SHARED, "lion": SHARED + NOISE[0], "sgd": np.array([0.301, 0.312, 8.1, 0.29, 0.305])}
    result = result_of(*study("adamw,lion,sgd", losses=losses))
    assert by_label(result)["sgd"].erratic
    assert by_label(result)["sgd"].verdict == "no difference shown"
    text = " ".join(result.conclusion)
    assert "of sgd none could be, for its seeds differ widely" in text
    (sentence,) = [each for each in result.conclusion if "four times out of five" in each]
    assert "for lion" in sentence
    assert "sgd" not in sentence


def test_what_would_have_been_found_is_said_for_each_candidate():
    alike = {label: SHARED + (i + 1) * NOISE[i % 3] for i, label in enumerate(LOSSES)}
    result = result_of(*study(losses=alike))
    found = by_label(result)
    sizes = {label: found[label].against_reference.simultaneous_detectable for label in ("lion", "sgd", "nadam")}
    sentence = next(s for s in result.conclusion if "four times out of five" in s)
    assert all(f"{size:.2g} for {label}" in sentence for label, size in sizes.items())


def test_without_any_variance_nothing_is_promised():
    losses = dict.fromkeys(LOSSES, SHARED)
    result = result_of(*study(losses=losses))
    assert "adamw, lion, sgd and nadam ended exactly alike with every seed." in result.conclusion
    assert sum("exactly alike" in sentence for sentence in result.conclusion) == 1
    assert not any("four times out of five" in sentence for sentence in result.conclusion)
    constant = result_of(*study(losses={label: np.full(SEEDS, 0.5) for label in LOSSES}))
    assert not any("of 0 " in sentence for sentence in constant.conclusion)
    assert all(c.loss.low is None for c in constant.candidates)


def test_seeds_that_all_agree_on_a_difference_are_no_certainty():
    losses = {"adamw": calm(0.3), "lion": calm(0.3) - 0.125}
    lion = by_label(result_of(*study("adamw,lion", losses=losses)))["lion"]
    assert lion.verdict == "no difference shown"
    assert lion.against_reference.p_value == pytest.approx(1 / 16)
    assert lion.against_reference.low < 0 < lion.against_reference.high


def test_two_seeds_come_with_a_warning():
    text = " ".join(result_of(*study(seeds=2)).conclusion)
    assert "With two seeds, a difference is found four times out of five only if it is 4.4 times" in text
    assert "and that only where the candidates agree on this; with 5, 1.7 times are enough" in text
    near = {"adamw": calm(0.3), "lion": calm(0.3)[::-1]}
    two = " ".join(result_of(*study("adamw,lion", seeds=2, losses=near)).conclusion)
    assert "only if it is 12 times its standard deviation between seeds; with 5, 1.7 times are enough" in two
    assert "With two seeds" not in " ".join(result_of(*study(seeds=3)).conclusion)
    shown = result_of(*study("adamw,lion", seeds=2))
    assert [pair.shown for pair in shown.pairs] == [True]
    assert "With two seeds" not in " ".join(shown.conclusion)
    alone = analyse(*study(seeds=2), reference="adamw", environment={}, against_reference=True)
    assert "four times out of five only if it is 3.6 times" in " ".join(alone.conclusion)
    alone = analyse(*study(seeds=2), reference="adan", environment={}, against_reference=True)
    assert "With two seeds" not in " ".join(alone.conclusion)


# what numbers can be


def test_intervals_of_accuracies_and_losses_stay_within_what_is_possible():
    plan, outcomes, facts = study(losses={label: np.array([0.01, 0.2, 0.02, 0.03, 0.9]) for label in LOSSES})
    for i, point in enumerate(plan.final_points(plan.candidates[0], outcomes)):
        loss = outcomes[point.key].loss
        outcomes[point.key] = outcome(loss, metric=(0.9, 0.99, 1.0, 1.0, 1.0)[i], test=True)
    adamw = by_label(result_of(plan, outcomes, facts))["adamw"]
    for interval in (adamw.metric, adamw.measures[TEST_METRIC]):
        assert 0.7 < interval.low < interval.mean < interval.high < 1
    assert 0 < adamw.loss.low < adamw.loss.mean < adamw.loss.high


def test_a_loss_that_can_be_negative_has_the_t_interval():
    plan, outcomes, facts = study(losses={label: LOSSES[label] - 5 for label in LOSSES})
    adamw = by_label(result_of(plan, outcomes, facts))["adamw"]
    expected = stats.t.interval(0.95, 4, LOSSES["adamw"].mean() - 5, stats.sem(LOSSES["adamw"]))
    assert (adamw.loss.low, adamw.loss.high) == pytest.approx(expected)


@pytest.mark.parametrize("loss", [1e149, -1e149, 1e30])
def test_numbers_up_to_what_counts_as_diverged_end_neither_the_analysis_nor_the_report(loss):
    losses = {**LOSSES, "lion": LOSSES["adamw"].copy(), "sgd": np.full(SEEDS, loss)}
    losses["lion"][2] = loss
    result = result_of(*study(losses=losses))
    found = by_label(result)
    assert found["sgd"].verdict == ("hurts" if loss > 0 else "helps")
    assert found["lion"].verdict == "no difference shown"
    assert f"one of its 5 seeds ended at {loss:.3g}" in found["lion"].note
    assert '"rank"' in to_json(result)
    assert len(Frames(result).pairs()) == 6
    assert "</html>" in render_page(result)


def test_a_penalty_of_a_script_is_no_loss():
    plan, outcomes, facts = study()
    stored = {
        key: Outcome.from_dict(replace(value, loss=1.7e308).to_dict()) if "/final/sgd/" in key else value
        for key, value in outcomes.items()
    }
    result = result_of(plan, stored, facts)
    assert by_label(result)["sgd"].note == "not ranked: 5 of 5 final runs diverged"
    assert [c.rank for c in result.candidates] == [1, 2, 3, None]
    assert to_json(result)


def test_a_difference_that_is_equal_with_every_seed_is_said_to_show_little():
    plan, outcomes, facts = study("adamw,sgd")
    for i in range(5):
        loss = outcomes[f"toy/final/adamw/{i}"].loss
        outcomes[f"toy/final/sgd/{i}"] = dataclasses.replace(outcomes[f"toy/final/sgd/{i}"], loss=loss + 0.25)
    result = result_of(plan, outcomes, facts)
    assert by_label(result)["sgd"].against_reference.p_value == 2**-4
    assert (
        "The difference of sgd is equal with all 5 seeds, which shows no more than 5 coins that fall alike"
        in " ".join(result.conclusion)
    )
    assert "coins" not in " ".join(result_of(*study("adamw,sgd")).conclusion)


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        ((0.25, 0.25), "equal with both seeds, which shows no more than 2 coins that fall alike"),
        ((4.31e-7, 4.07e-7), None),  # as an optimizer's that does the same in another order
        ((-4.31e-7, -4.07e-7), None),
        ((1e-3, 1e-3), "equal with both seeds"),  # as an accuracy's of three digits
    ],
)
def test_differences_that_rounding_may_have_made_are_not_said_to_be_equal(shift, said):
    losses = {"adamw": [0.11166737981177102, 0.11055260754305121]}
    losses["sgd"] = [loss - more for loss, more in zip(losses["adamw"], shift, strict=True)]
    words = " ".join(result_of(*study("adamw,sgd", seeds=2, losses=losses)).conclusion)
    assert ("coins" in words) == (said is not None)
    assert (said or "") in words


def test_the_winners_curse_is_in_standard_deviations_of_the_fresh_seeds():
    found = by_label(result_of(*study()))["adamw"]
    fresh = LOSSES["adamw"]
    assert found.tuned_loss == 1.0  # the setting of index 0
    assert found.winners_curse == pytest.approx((fresh.mean() - 1.0) / fresh.std(ddof=1))


def test_another_problem_in_the_same_store_changes_nothing():
    plan, outcomes, facts = study()
    other = replace(plan, problem="densities")  # whose losses and metrics contradict what is taken to bound toy's
    more = {p.key: outcome(-2.0, metric=1500.0) for p in other.points({})}
    assert analysed_facts(plan, {**outcomes, **more}, facts) == analysed_facts(plan, outcomes, facts)


def analysed_facts(plan, outcomes, facts):
    found = result_of(plan, outcomes, facts)
    return [(c.loss, c.metric, c.against_reference) for c in found.candidates], found.trials


def test_lines_to_paste_have_the_steps_that_the_runs_took():
    plan, outcomes, facts = study("adamw,adamw+cosine", losses={**LOSSES, "adamw+cosine": LOSSES["lion"]})
    code = by_label(result_of(plan, outcomes, facts))["adamw+cosine"].code
    assert "total_steps = 10  # of a run" in code  # where a step costs ten times as much as a plain one
    failed = {k: replace(each, status="diverged", measures={STEPS: 3}) for k, each in outcomes.items() if "final" in k}
    code = by_label(result_of(plan, {**outcomes, **failed}, facts))["adamw+cosine"].code
    assert "total_steps = 100  # of a run" in code


def several(loss):
    """A study with three tuning seeds and ranges that may go on, whose trials end as a function of them says."""
    candidates = tuple(parse_candidates("adamw,lion"))
    goes_on = {each.label: ("lr",) for each in candidates}
    plan = Plan("toy", "hash", candidates, trials=8, seeds=5, budget=1000, tuning_seeds=3, goes_on=goes_on)
    outcomes = {}
    while missing := [point for point in plan.points(outcomes) if point.key not in outcomes]:
        outcomes |= {point.key: outcome(loss(point), test=point.final) for point in missing}
    return plan, outcomes, study()[2]


def test_a_range_that_went_on_is_in_the_result_and_in_the_words_beside_it():
    plan, outcomes, facts = several(lambda p: abs(math.log(p.settings["lr"] / 0.2)) + p.seed % 7 / 100)
    found = by_label(result_of(plan, outcomes, facts))
    (extension,) = found["adamw"].extensions
    assert (extension.setting, extension.end, extension.bound) == ("lr", "high", 0.1)
    assert found["adamw"].settings["lr"] > 0.1
    assert re.search(r"the range of lr went on beyond 0\.1, to [\d.]+: it is best at 0\.\d+", found["adamw"].note)
    assert "most extreme" not in found["adamw"].note
    assert found["adamw"].tuned_loss == pytest.approx(
        np.mean([abs(math.log(found["adamw"].settings["lr"] / 0.2)) + seed / 100 for seed in range(3)])
    )
    page = render_page(result_of(plan, outcomes, facts))
    assert "Then the best 4 ran with seeds 1 to 2 as well" in page
    assert re.search(r"more values? of lr, as far as [\d.]+, beyond 0\.1", page)
    assert "Winner" in page


def test_a_candidate_waits_for_its_further_seeds():
    plan, outcomes, facts = several(lambda p: p.settings["lr"] + p.seed % 7 / 100)
    some = {key: each for key, each in outcomes.items() if "/tune/" in key and int(key.rpartition("/")[2]) < 8}
    note = by_label(result_of(plan, some, facts))["adamw"].note
    assert note == "not ranked yet: 8 of 16 tuning trials are finished"


def test_who_is_ranked_before_a_better_mean_is_told():
    scatter = 0.5 * np.array([0.9, -0.8, 0.7, -0.9, 0.35])
    losses = {**LOSSES, "lion": LOSSES["lion"] - 0.4, "nadam": LOSSES["adamw"] + 0.02 + scatter}
    found = {c.label: c for c in result_of(*study(losses=losses)).candidates}
    assert (found["nadam"].rank, found["adamw"].rank) == (1, 2)
    assert not found["nadam"].erratic
    assert found["nadam"].note == (
        "its mean is worse than that of adamw and sgd, ranked after it: less is shown of seeds that differ so much"
    )
    assert [found[label].note for label in ("adamw", "lion", "sgd")] == [""] * 3


def test_who_ended_exactly_as_others_did_is_named():
    losses = {**LOSSES, "sgd": LOSSES["lion"], "nadam": LOSSES["adamw"]}
    notes = {c.label: c.note for c in result_of(*study(losses=losses)).candidates}
    assert notes == {
        "adamw": "",
        "nadam": "with every seed it ended exactly as adamw did",
        "lion": "with every seed it ended exactly as sgd did",
        "sgd": "with every seed it ended exactly as lion did",
    }
    alike = {label: np.ones(SEEDS) for label in LOSSES}
    assert not any("exactly as" in c.note for c in result_of(*study(losses=alike)).candidates)


def course(*losses):
    return tuple(CurvePoint(50 * place, 1.0, loss, 0.5) for place, loss in enumerate(losses))


SEEDLESS = "does it depend on the seed?"


@pytest.mark.parametrize(
    ("courses", "said"),
    [
        # the first evaluation is at random, the others are the same: a sequence that is not scrambled
        ([(9, 5, 4, 3), (8, 5, 4, 3), (7, 5, 4, 3)], f"all 3 seeds ended at exactly the same value: {SEEDLESS}"),
        ([(9, 5, 4, 3)] * 2, f"all 2 seeds ended at exactly the same value: {SEEDLESS}"),
        (
            [(9, 5, 4, 3), (8, 5, 4, 3), (7, 5, 4, 3), (2, 2, 2, 2)],
            f"3 of its 4 seeds went the same way to exactly the same value: {SEEDLESS}",
        ),
        ([(9, 5, 4, 3), (8, 5, 4, 3), (2, 2, 2, 2)], ""),  # two may be chance
        ([(9, 5, 4, 3), (8, 5, 4, 3), (7, 5, 4, 3), (2, 2, 2, 2), (1, 1, 1, 1), (6, 5, 4, 1)], ""),  # half
        ([(9, 6, 3, 3), (8, 7, 5, 3), (4, 3, 3, 3)], ""),  # each found the best that there is in a way of its own
        ([(9, 6, 3, 3), (8, 6, 5, 3), (9, 3, 3, 3)], ""),
        ([(), (), ()], f"all 3 seeds ended at exactly the same value: {SEEDLESS}"),  # nothing is known of the way
        ([(3,), (3,)], f"all 2 seeds ended at exactly the same value: {SEEDLESS}"),
        ([(), (), (), (2,)], ""),
    ],
)
def test_seeds_that_went_the_same_way_are_asked_about(courses, said):
    runs = [outcome((each or (3,))[-1], curve=course(*each)) for each in courses]
    assert seedless(runs) == ([said] if said else [])


def test_the_question_stands_beside_the_candidate():
    losses = {**LOSSES, "sgd": np.array([1.3, 1.3, 1.3, 1.3, 1.1])}
    notes = {c.label: c.note for c in result_of(*study(losses=losses)).candidates}
    assert notes["sgd"] == f"4 of its 5 seeds went the same way to exactly the same value: {SEEDLESS}"
    assert not any(SEEDLESS in notes[label] for label in ("adamw", "lion", "nadam"))


def test_in_a_race_who_left_early_ended_exactly_as_others_did_with_the_seeds_that_both_ran():
    noise = np.random.default_rng(1).normal(0, 0.05, size=(2, 8))
    losses = {"adamw": 1 + noise[0], "lion": 0.96 + noise[1], "nadam": 1 + noise[0]}
    plan, outcomes, facts = study("adamw,lion,nadam", seeds=8, losses=losses)
    whole, plan = outcomes, replace(plan, race=Terms("adamw"))
    outcomes = {p.key: whole[p.key] for p in plan.points({})}
    while missing := [p for p in plan.points(outcomes) if p.key not in outcomes]:
        outcomes |= {p.key: whole[p.key] for p in missing}
    result = result_of(plan, outcomes, facts)
    found = by_label(result)
    assert len(found["nadam"].final_losses) < len(found["adamw"].final_losses)
    assert found["nadam"].note == "with every seed it ended exactly as adamw did"
    assert "adamw and nadam ended exactly alike with every seed." in result.conclusion
    assert not any("for nadam" in sentence for sentence in result.conclusion)
    size = rounded(found["lion"].against_reference.simultaneous_detectable)
    assert result.conclusion[0] == (
        f"Keep adamw: no difference was shown, and one of {size} would probably have been found."
    )

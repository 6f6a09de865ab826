"""What is said about a comparison agrees with it."""

import dataclasses
import io
import re

from rich.console import Console

from trimtab.lab.commands.problem import command_facts
from trimtab.report import words
from trimtab.report.page import render_page
from trimtab.report.tables import ranking_table
from trimtab.study.metric import Metric


def test_the_protocol_in_words(result):
    protocol = dict(words.protocol(result))

    assert list(protocol) == ["Task", "Tuning", "Choice", "Final runs", "Statistics", "Target"]
    assert protocol["Task"] == (
        "digits: 1,077 samples to train on, 360 samples to choose by, 360 samples to test; "
        "133,898 trainable parameters."
    )
    assert "Each of 6 candidates got 12 quasi-random settings" in protocol["Tuning"]
    assert "quasi-random settings (drawn to cover its own ranges more evenly than chance would)" in protocol["Tuning"]
    assert "12,800 sample-gradients, which is 200 plain steps of 64 samples. A sample-gradient is" in protocol["Tuning"]
    assert "given up" not in protocol["Tuning"]
    assert "10 fresh seeds (seeds 1000 to 1009, which tuning has not seen), the same for all." in protocol["Final runs"]
    assert "touched once" in protocol["Final runs"]
    assert "10 pairs" in protocol["Statistics"]
    assert "level 5 %" in protocol["Statistics"]
    assert "whose spread all candidates' runs tell of, as far as they agree on it (" in protocol["Statistics"]
    assert " degrees of freedom instead of 9)" in protocol["Statistics"]
    alike = "the same with every seed counts as no more than 10 coins that fall alike"
    assert f"By itself, a difference that is {alike} (p is at least 0.002)." in protocol["Statistics"]


def test_the_protocol_of_one_candidate_and_one_seed(lonely):
    protocol = dict(words.protocol(lonely))

    assert "The candidate got 1 quasi-random setting (drawn" in protocol["Tuning"]
    assert "1 fresh seed (seed 1000, which tuning has not seen). The" in protocol["Final runs"]
    assert protocol["Statistics"] == "No two candidates could be tested against each other."


def test_who_has_nothing_to_tune_is_told_from_who_was_tuned(result):
    assert ("settings tried for each", "12") in words.facts(result)
    lion = result.candidates[1].label
    first, *others = [trial for trial in result.trials if trial.candidate == lion and trial.phase == "tune"]
    trials = [trial for trial in result.trials if trial not in others and trial is not first]
    alone = dataclasses.replace(result, trials=(*trials, dataclasses.replace(first, settings={})))
    assert ("settings tried for each", "12, one for 1 with nothing to tune") in words.facts(alone)


def test_pruning_is_said(result):
    pruned = dataclasses.replace(result, protocol=dataclasses.replace(result.protocol, pruning="median"))

    assert dict(words.protocol(pruned))["Tuning"].endswith("Hopeless tuning runs were given up early (median).")


def test_a_target_that_is_met_at_the_start_is_told(result):
    target = dict(words.protocol(result))["Target"]
    assert target.endswith(f"until this is seen: {result.target}.")
    sgd, *others = result.candidates
    met = dataclasses.replace(result, candidates=(dataclasses.replace(sgd, cost_to_target=0.0), *others))
    assert dict(words.protocol(met))["Target"] == (
        f"{target} {sgd.label} met it before anything was spent: a target that is harder to meet says more."
    )


def test_facts_and_trouble(result):
    facts = dict(words.facts(result))

    assert facts["steps a run"] == "200 × 64 samples"
    assert facts["ranked by"] == "validation loss, lower is better"
    assert facts["not ranked by"] == "validation accuracy, higher is better"
    sgd = next(c for c in result.candidates if c.label == "sgd")
    assert words.trouble(sgd, 22) == "1 diverged, 1 failed of 22 trials"
    assert words.trouble(dataclasses.replace(sgd, trouble={}), 22) == ""
    assert facts["samples to train on / choose by / test"] == "1,077 / 360 / 360"
    assert [term for term, _ in words.glossary(result)] == ["Rank", "95 % interval", "Verdict", "Holm's correction"]


def test_columns_are_explained_below_the_table(result):
    columns = dict(words.columns(result))

    assert columns["rank"].endswith("The validation accuracy decides nothing: the best may stand anywhere.")
    assert columns["smallest detectable"].startswith("The true difference that 10 seeds would have found")
    assert columns["cost to target"] == (
        "Median of the sample-gradients until this was first seen: validation accuracy >= 0.97. A dash means that half "
        "of the runs or more did not get there. A sample-gradient is the gradient of one sample's loss: a step on 64 "
        "costs 64."
    )
    assert "powers of ten the good values of the learning rate span" in columns["lr decades"]
    assert list(columns)[-2:] == ["ms a step", "state"]


def test_a_rank_that_says_little_has_a_question_mark(result):
    first, *others = result.candidates
    doubtful = dataclasses.replace(result, candidates=(dataclasses.replace(first, erratic=True), *others))
    said = "A question mark: its seeds differ so much that its rank says little."
    assert said in dict(words.columns(doubtful))["rank"]
    assert said not in dict(words.columns(result))["rank"]
    assert [doubtful.candidates[0].place, first.place] == ["1?", "1"]
    assert dataclasses.replace(first, rank=None, erratic=True).place == "–"
    ranking = re.search(r'<table class="ranking.*?</table>', render_page(doubtful), re.DOTALL)[0]
    assert re.findall(r'class="rank">([^<]+)<', ranking)[0] == "1?"
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(ranking_table(doubtful))
    assert f"  1? {first.label} " in console.export_text()


def test_columns_of_a_command_speak_of_its_metric(result):
    metric = Metric("acc", "max")
    problem = command_facts("train", "train.py", metric, source="last printed", rate="step_size", timeout=None)
    columns = dict(words.columns(dataclasses.replace(result, problem=problem)))

    assert list(columns) == ["rank", "smallest detectable", "cost to target", "step_size decades", "seconds a run"]
    assert columns["rank"] == "First comes who is shown to have a higher acc; who cannot be told apart shares a rank."
    assert columns["cost to target"].startswith("Median of the reported values until")
    assert "good values of step_size span" in columns["step_size decades"]
    untuned = dataclasses.replace(result, problem=dataclasses.replace(problem, rate=None))
    assert "step_size decades" not in dict(words.columns(untuned))

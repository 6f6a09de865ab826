"""Stores that the first version wrote: opened, gone on with, and drawn with the same numbers.

``stores/`` holds what ``trimtab compare`` left then: breast-cancer; breast-cancer and diabetes; ``train.py``.
"""

import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.compare.making import command_comparison
from trimtab import Comparison
from trimtab.compare.stored import load_any
from trimtab.report.export import to_json
from trimtab.report.overview import render_overview
from trimtab.report.page import render_page
from trimtab.study.errors import StudyMismatchError

STORES = Path(__file__).parent / "stores"


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(STORES / "train.py", tmp_path)

    def unpack(name):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "study.db").write_bytes(gzip.decompress((STORES / f"{name}.db.gz").read_bytes()))
        return directory

    return unpack


def written(name):
    found = json.loads(gzip.decompress((STORES / f"{name}.json.gz").read_bytes()))
    for each in found["tasks"].values() if "tasks" in found else [found]:
        leave_out_spreads(each)
        # of whom nothing could be shown, what would have been found is no longer said
        each["conclusion"] = [words for words in each["conclusion"] if not words.endswith(": 0.81 for sgd.")]
        for candidate in each["candidates"]:
            candidate["learning_rate_decades"] = None  # two settings tell none, and are not asked since then
    return found


MEASURES = {"test_loss": "test loss", "test_metric": "test metric", "steps": "steps", "step_seconds": "step seconds"}


def leave_out_spreads(result):
    """Leaves of pairs what does not rest on spreads, which candidates share since then, and nothing that follows."""
    kept = ("first", "second", "improvement", "seeds")
    # what two seeds cannot show is said since then where some pair is open, and nowhere else
    result["conclusion"] = [words for words in result["conclusion"] if not words.startswith("With two seeds")]
    result["pairs"] = [{key: pair[key] for key in kept} for pair in result["pairs"]]
    for candidate in result["candidates"]:
        pair = candidate["against_reference"]
        candidate["against_reference"] = pair and {key: pair[key] for key in kept}
    if len(result["candidates"]) > 2:
        result["conclusion"] = result["conclusion"][:1]
        result["candidates"].sort(key=lambda each: each["label"])
        for candidate in result["candidates"]:
            candidate["rank"] = candidate["verdict"] = None


def as_then(result):
    """The result in the words of then: names of fields and conclusions, and nothing that was not written."""
    assert result.pop("beside") is None
    result["schema_version"] -= 1
    if "problems" in result:
        result["schema"] = result["schema"].replace("problems", "tasks")
        result["conclusion"] = [re.sub(r"\bproblem(s?)\b", r"task\1", each) for each in result["conclusion"]]
        result["tasks"] = {name: as_then(each) for name, each in result.pop("problems").items()}
        return result
    leave_out_spreads(result)
    for name in ("against_reference", "final_seeds", "unpaired", "tuning_seeds", "again"):
        del result["protocol"][name]
    del result["race"]
    result["task"] = facts_of_then(result.pop("problem"), result["protocol"])
    result["conclusion"] = [re.sub("(lowers?) validation", r"\1 the validation", each) for each in result["conclusion"]]
    rank = "its rank says only that nothing could be shown"
    against = r"nothing could be shown against \w+, whose mean is better"
    result["conclusion"] = [re.sub(against, rank, each) for each in result["conclusion"]]
    for candidate in result["candidates"]:
        del candidate["in_all_pairs"], candidate["winners_curse"]
        candidate["note"] = re.sub(
            r"that it is not ranked after \w+, whose mean is better,", "its rank", candidate["note"]
        )
        assert candidate.pop("extensions") == []  # what was begun goes on with its plan
        means, prices = candidate.pop("measures"), candidate.pop("prices")
        candidate |= {name: means.get(MEASURES[name]) for name in ("test_loss", "test_metric")}
        candidate |= {"step_seconds": prices.get("step seconds"), "state_bytes": prices.get("state bytes", 0)}
        candidate |= {"trial_seconds": prices["seconds"], "learning_rate_decades": candidate.pop("rate_decades")}
    for trial in result["trials"]:
        measures, traces = trial.pop("measures"), trial.pop("traces")
        trial.update({name: measures.get(then) for name, then in MEASURES.items()}, steps=measures.get("steps", 0))
        rates = dict(map(tuple, traces.get("learning rate", ())))
        trial["pace"] = [{"cost": x, "lr": rates.get(x), "batch_size": y} for x, y in traces.get("batch size", ())]
    return result


def facts_of_then(problem, protocol):
    """What was written of a task or a command, read from what is said of it now."""
    quoted = problem["quoted"]
    words, sizes = dict(problem["paragraphs"]), dict(problem["sizes"])
    metric = quoted or problem["objective"]
    found = {name: problem[name] for name in ("name", "reference", "rate")}
    found |= {name: metric[name] for name in ("direction", "target", "bounds")}
    found |= {"metric": metric["name"].removeprefix("validation ") if quoted else metric["name"]}
    if quoted is None:
        assert protocol["budget"] is protocol["steps"] is None
        assert sizes == {"time-out": "none"}
        source = words["Metric"].partition(" is better: ")[2].removesuffix(".")
        own = {"samples": {}, "parameters": None, "batch_size": None, "kind": "command", "metric_source": source}
        return found | own | {"timeout": None}
    steps, _, batch = sizes["steps a run"].removesuffix(" samples").partition(" × ")
    assert (int(steps), int(batch)) == (protocol["steps"], problem["step_cost"])
    samples = [int(size.replace(",", "")) for size in sizes["samples to train on / choose by / test"].split(" / ")]
    parameters = int(sizes["parameters"].replace(",", ""))
    own = {"samples": dict(zip(("train", "validation", "test"), samples, strict=True)), "parameters": parameters}
    return found | own | {"batch_size": problem["step_cost"], "kind": "task", "metric_source": "", "timeout": None}


@pytest.mark.parametrize("name", ["task", "tasks", "command"])
def test_the_numbers_are_those_that_were_written_then(unpacked, name):
    now, then = as_then(json.loads(to_json(load_any(unpacked(name))))), written(name)
    if name == "tasks":  # diabetes beside it, whose R² may be below zero, let its accuracies' intervals go beyond 1
        for accuracy, wrong in zip(accuracies(now), accuracies(then), strict=True):
            assert 0 < accuracy.pop("low") < accuracy["mean"] < accuracy.pop("high") < 1 < wrong.pop("high")
            del wrong["low"]
    assert now == then


def accuracies(result):
    """The intervals of a comparison over several problems that what another problem's numbers could be has changed."""
    first, second = result["tasks"]["breast-cancer"]["candidates"]
    return first["metric"], second["test_metric"]


def test_the_pages_are_drawn(unpacked):
    assert "adamw+cosine" in render_page(load_any(unpacked("task")))
    assert "val_acc" in render_page(load_any(unpacked("command")))
    assert "diabetes" in render_overview(load_any(unpacked("tasks")))


GOING_ON = {
    "task": lambda out: Comparison("breast-cancer", "adamw,adamw+cosine,sgd", out, trials=2, seeds=3, steps=12, jobs=2),
    "tasks": lambda out: Comparison(
        ["breast-cancer", "diabetes"], "adamw,sgd", out, trials=2, seeds=3, steps=8, jobs=2
    ),
    "command": lambda out: command_comparison(
        "python train.py --opt {optimizer} --lr {lr} --seed {seed}",
        "sgd,adam",
        tune=["lr=1e-3..1:log"],
        metric="val_acc",
        maximize=True,
        out=out,
        trials=2,
        seeds=3,
        jobs=2,
    ),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_another_seed_is_run_and_nothing_else(unpacked, name):
    then = written(name)
    found = as_then(json.loads(to_json(GOING_ON[name](unpacked(name)).run())))
    for before, after in zip(*(each.get("tasks", {"": each}).values() for each in (then, found)), strict=True):
        known = {trial["key"]: trial for trial in before["trials"]}
        ran = {trial["key"]: trial for trial in after["trials"]}
        assert {key: ran[key] for key in known} == known
        added = ran.keys() - known.keys()
        assert added == {f"{after['task']['name']}/final/{c['label']}/2" for c in after["candidates"]}
        assert all(ran[key]["status"] == "complete" for key in added)


def test_other_tuning_seeds_than_a_study_was_begun_with_are_refused(unpacked):
    with pytest.raises(StudyMismatchError, match=r"tuning seeds: 1 there, 3 here\)\. Go on with --tuning-seeds 1"):
        Comparison(
            "breast-cancer", "adamw,sgd", unpacked("task"), trials=2, seeds=2, steps=12, jobs=1, tuning_seeds=3
        ).run()

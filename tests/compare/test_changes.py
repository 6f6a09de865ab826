"""What has changed, in words."""

from pathlib import Path

import pytest

from trimtab.compare.changes import definition_changes, manifest_changes, remedies

NOTES = {"slot": "optimizer", "facts": {"reference": "task.py:Mine", "cost": {"one": "sample-gradient"}}}
BEFORE = {
    "command": "run {lr}", "shell": False, "ranges": {"lr": "1..2"}, "fixed": {"batch": 16},
    "files": {"train.py": "aa", "b.yaml": "bb", "old.sh": "cc"}, "files_within": {"c.yaml": "dd"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "there", "here", "words"),
    [
        ("task_fingerprint", "aa", "bb", "the file of the problem has changed since"),
        ("task_fingerprint", "", "bb", "the problem is another one"),
        (
            "tunables",
            {},
            {"lr": "3e-05..0.03:log", "first": "0.3..0.9"},
            "what the problem has tuned is none there, lr=3e-05..0.03:log first=0.3..0.9 here",
        ),
        (
            "budget",
            1920,
            None,
            "a run has 1,920 sample-gradients there, no known length here: --steps, or the problem's own",
        ),
        ("maximize", True, False, "more of the metric is better there, less here"),
        ("pruning", None, "median", "--pruner is none there, median here"),
        (
            "beside_state",
            None,
            True,
            "candidates got there what networks hold beside their state dictionaries as another seed draws it",
        ),
        ("evaluations", 20, 10, "evaluations is 20 there, 10 here"),
    ],
)
def test_an_entry_of_the_manifest(key, there, here, words):
    assert manifest_changes({key: there, "task": 1}, {key: here, "task": 1}, NOTES, NOTES) == [words]


@pytest.mark.parametrize(
    ("there", "noted", "words"),
    [
        ({}, {"slot": "sampler"}, "another problem, task.py:Mine with samplers, and not task.py:Mine with optimizers"),
        ({}, {"reference": "problem.py:Mine"}, "another problem, problem.py:Mine, and not task.py:Mine"),
        ({"task": "branin"}, {"reference": "branin"}, "another problem, branin, and not task.py:Mine"),
        (
            {"task": "b", "kind": "several"},
            {"tasks": {"a": {}, "b": {}}},
            "another problem, a and b, and not task.py:Mine",
        ),
        ({}, {"reference": "task.py:Mine(width=3)"}, None),
    ],
)
def test_of_another_problem_nothing_else_is_said(there, noted, words):
    here = {"task": "my-task", "task_fingerprint": "aa", "budget": 1600}
    facts = {"reference": noted.pop("reference", "task.py:Mine"), "cost": {"one": "evaluation"}}
    found = manifest_changes(
        {**here, "task_fingerprint": "bb", "budget": 30, **there}, here, {**NOTES, "facts": facts, **noted}, NOTES
    )
    changed = [
        "the file of the problem has changed since",
        "a run has 30 evaluations there, 1,600 sample-gradients here: --steps, or the problem's own",
    ]
    assert found == (changed if words is None else [words])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"command": "go {lr}"}, ["the command is run {lr} there, go {lr} here"]),
        ({"shell": True}, ["a shell reads the command here only"]),
        ({"ranges": {"lr": "1..3"}}, ["lr is 1..2 there, 1..3 here"]),
        ({"ranges": {}, "fixed": {"batch": 16, "lr": 1.5}}, ["lr is 1..2 there, 1.5 here"]),
        ({"fixed": {}}, ["batch is 16 there, no setting here"]),
        ({"files": {**BEFORE["files"], "train.py": "xx"}}, ["train.py has changed since"]),
        ({"files": {**BEFORE["files"], "train.py": "xx", "b.yaml": "x"}}, ["train.py, b.yaml have changed since"]),
        (
            {"files": {"train.py": "aa", "b.yaml": "bb", "new.sh": "dd"}},
            [
                "old.sh belongs to the command there only, or was no file when it was made",
                "new.sh belongs to the command here only, or was no file when it was made",
            ],
        ),
        ({"files_within": {"c.yaml": "xx"}}, ["c.yaml has changed since"]),
        ({"files_within": {}}, ["c.yaml belongs to the command there only, or was no file when it was made"]),
        ({"other": 1}, ["it is defined in another way"]),
        ({"is_class": False}, []),
    ],
)
def test_a_candidates_definition(change, words):
    found = definition_changes(BEFORE, {**BEFORE, **change})
    assert found == words
    assert not any(hash in " ".join(found) for hash in BEFORE["files"].values())


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (2340, "the recipe is none there, schedule=cosine warmup=0.213675% (5 steps) here"),
        (468, "the recipe is none there, schedule=cosine warmup=0.213675% (1 step) here"),
        (None, "the recipe is none there, schedule=cosine warmup=0.213675% here"),
    ],
)
def test_a_warm_up_is_told_in_steps_as_well(steps, words):
    recipe = {"schedule": "cosine", "warmup": 5 / 2340}
    assert definition_changes(BEFORE, {**BEFORE, "recipe": recipe}, steps) == [words]


def test_a_range_of_the_catalogues_is_no_lack_of_one():
    there = {"name": "adamw"}
    assert definition_changes(there, {**there, "ranges": {"lr": "1e-4..1:log"}}) == [
        "lr is as it comes there, 1e-4..1:log here"
    ]


def test_what_to_do_about_it_names_the_place():
    assert remedies(Path("runs/train")).endswith("remove runs/train/study.db to start again")
    assert "choose another database with --store instead of postgresql://me:***@here/db" in remedies(
        "postgresql://me:x@here/db"
    )

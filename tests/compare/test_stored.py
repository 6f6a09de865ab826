from pathlib import Path

import pytest

from trimtab.compare.stored import stored_plan, stored_result
from trimtab.study.errors import StudyMismatchError
from trimtab.study.stored_study import StoredStudy
from trimtab.study.tunable import LogUniform

MANIFEST = {"task": "toy", "task_fingerprint": "hash", "budget": 100, "pruning": None}
FACTS = {
    "name": "toy", "reference": "toy.py:Toy", "metric": "accuracy", "direction": "max", "target": None,
    "samples": {"train": 5}, "parameters": 10, "batch_size": 5,
}  # fmt: skip
NOTES = {"candidates": ["adamw", "lion"], "seeds": 3, "reference": "adamw", "environment": {}, "task": FACTS}


def test_the_plan_is_made_of_what_was_written_down():
    plan = stored_plan(MANIFEST, {**NOTES, "trials": 4})
    assert (plan.problem, plan.trials, plan.seeds, plan.budget) == ("toy", 4, 3, 100)
    assert list(plan.labels()) == ["adamw", "lion"]


def test_a_store_from_before_there_were_budgets_can_be_read():
    stored = StoredStudy({**MANIFEST, "trials": 4}, NOTES, {}, "study.db", shared=False)
    result = stored_result(stored, Path("old"))
    assert result.protocol.trials == 4
    assert [candidate.label for candidate in result.candidates] == ["adamw", "lion"]


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({}, "the comparison in old was stopped before it began"),
        ({**NOTES, "trials": None}, "the comparison in old is not planned yet"),
        ({"tasks": {"one": {}, "two": {}}}, r"old holds a comparison over several problems \(one, two\), not of one"),
    ],
)
def test_what_is_no_comparison_of_one_problem_yet_is_said(notes, message):
    with pytest.raises(StudyMismatchError, match=message):
        stored_result(StoredStudy(MANIFEST, notes, {}, "study.db", shared=False), Path("old"))


def test_a_study_from_before_further_seeds_has_one_and_its_own_ranges():
    before = {"lr": LogUniform(1e-4, 1e-1), "weight_decay": LogUniform(1e-3, 1.0)}
    plan = stored_plan(MANIFEST, {**NOTES, "trials": 8}, {"toy/tune/adamw": before})
    adamw, lion = plan.candidates
    assert (plan.tuning_seeds, plan.goes_on) == (1, {})
    assert (plan.tunables(adamw), plan.tunables(lion)) == (before, lion.tunables)
    assert max(point.settings["weight_decay"] for point in plan.tuning_points(adamw)) <= 1.0


def test_a_study_of_today_has_its_own_number_of_seeds():
    notes = {**NOTES, "trials": 8, "tuning_seeds": 3, "goes_on": {"adamw": ["lr"], "lion": []}}
    plan = stored_plan(MANIFEST, notes)
    assert [plan.tuning(each).goes_on for each in plan.candidates] == [("lr",), ()]
    assert plan.tuning(plan.candidates[0]).usual == 8 + 8

"""How large a comparison becomes: what its runs take is found out, and a budget is planned for."""

import re

import pytest

from tests.compare.test_comparison import Recorder, comparison
from trimtab import Comparison
from trimtab.compare import sizing
from trimtab.compare.budget import Budget
from trimtab.compare.prices import Price
from trimtab.compare.stored import load_any
from trimtab.compare.template import write_template
from trimtab.study.errors import InputError, StoreUnreachableError, StudyMismatchError
from trimtab.study.store import Store


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "task.py"
    return f"{path}:{write_template(path)}"


def test_the_estimate_is_measured_on_the_workers_and_of_the_right_size(task, tmp_path):
    made = comparison(task, tmp_path / "out", steps=1000, trials=10, seeds=2, jobs=2)
    size = made.estimate()
    assert (size.trials, size.seeds) == (10, 2)
    assert 2 < size.seconds < 600
    assert not (tmp_path / "out").exists()


def priced(monkeypatch, trial, first=0.0):
    """Lets every candidate take so long, instead of measuring it."""

    def prices(part, executor, known=()):
        return [Price(c.label, True, trial, trial, first) for c in part.plan.candidates]

    monkeypatch.setattr(sizing, "measured_prices", prices)
    monkeypatch.setattr(Budget, "spent", 0.0)


def budgeted(task, out, budget="100s", **more):
    options = {"trials": None, "seeds": None, "budget": budget, "jobs": 2, **more}
    return comparison(task, out, **{"candidates": "sgd,adamw", "steps": 2, **options})


def test_a_budget_is_planned_once_and_goes_on_as_it_was_planned(task, tmp_path, monkeypatch):
    priced(monkeypatch, 10.0)
    sizes, first = [], Recorder()
    result = budgeted(task, tmp_path).run(first, sizes.append)
    made = result.protocol
    assert (made.trials, made.seeds) == (6, 3)  # 2 x 9 runs of 10 seconds on two workers
    assert [(size.trials, size.seeds, size.seconds) for size in sizes] == [(6, 3, 90.0)]
    assert 2 * (6 + 3) <= len(first.keys) <= 2 * (6 + 3 + 4)  # ranges may go on, which is not planned for

    priced(monkeypatch, 0.1)  # whatever would be measured now
    again = Recorder()
    assert budgeted(task, tmp_path).run(again, sizes.append).protocol == made
    assert (again.keys, len(sizes)) == ([], 1)

    more = Recorder()
    assert budgeted(task, tmp_path, seeds=4).run(more).protocol.seeds == 4
    assert len(more.keys) == 2
    plain = Recorder()
    assert comparison(task, tmp_path, "sgd,adamw", steps=2, trials=6, seeds=5).run(plain).protocol.seeds == 5
    assert len(plain.keys) == 2
    assert budgeted(task, tmp_path).run().protocol.seeds == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": "200s"}, "trials: 6 there, planned for --budget 1m40s, as many as fit here, for --budget 3m20s"),
        ({"trials": 7}, "trials: 6 there, planned for --budget 1m40s, 7 here, for --budget 1m40s"),
        ({"trials": 7, "seeds": 3, "budget": None}, "7 here). Go on with --trials 6 --seeds 3"),
    ],
)
def test_another_budget_is_refused_with_the_way_to_go_on(task, tmp_path, monkeypatch, change, message):
    priced(monkeypatch, 10.0)
    budgeted(task, tmp_path).run()
    with pytest.raises(StudyMismatchError, match=re.escape(message)):
        budgeted(task, tmp_path, **change).run()


def test_a_budget_that_is_too_short_leaves_room_for_a_longer_one(task, tmp_path, monkeypatch):
    priced(monkeypatch, 10.0)
    with pytest.raises(InputError, match=r"(?s)budget=30s is too short.*Give --budget 1m40s\."):
        budgeted(task, tmp_path, "30s").run()
    with pytest.raises(StudyMismatchError, match="is not planned yet"):
        load_any(tmp_path)
    assert budgeted(task, tmp_path, "100s").run().protocol.trials == 6


@pytest.mark.parametrize(
    "remedy",
    [{"steps": 1}, {"trials": 2, "candidates": "sgd"}, {"budget": None, "trials": 1, "seeds": 1}, {"pruner": "median"}],
)
def test_a_refused_budget_binds_nobody(task, tmp_path, monkeypatch, remedy):
    priced(monkeypatch, 10.0)
    with pytest.raises(InputError, match="budget=30s is too short"):
        budgeted(task, tmp_path, "30s").run()
    priced(monkeypatch, 0.01)
    monkeypatch.setattr("trimtab.compare.fitting.MOST_SEEDS", 3)
    monkeypatch.setattr("trimtab.compare.fitting.MOST_TRIALS", 6)
    made = budgeted(task, tmp_path, **{"budget": "30s", **remedy})
    result = made.run()
    assert result.protocol.budget == made.first.plan.budget
    assert load_any(tmp_path) == result


class StopAtOnce(Recorder):
    def started(self, point):
        raise KeyboardInterrupt


def test_a_plan_that_was_stopped_before_any_outcome_binds_nobody(task, tmp_path, monkeypatch):
    priced(monkeypatch, 10.0)
    with pytest.raises(KeyboardInterrupt):
        budgeted(task, tmp_path, "100s").run(StopAtOnce())
    priced(monkeypatch, 1.0)
    assert budgeted(task, tmp_path, "20s").estimate().trials == 9  # 2 x (9 + 10) runs of a second on two workers
    sizes = []
    with pytest.raises(KeyboardInterrupt):
        budgeted(task, tmp_path, "20s").run(StopAtOnce(), sizes.append)
    assert [size.trials for size in sizes] == [9]


def test_processes_that_plan_at_once_agree(task, tmp_path, monkeypatch, postgres):
    """The second one measures something else, but the first has chosen meanwhile."""
    made = budgeted(task, tmp_path, store=postgres.url)

    def slowly(part, executor, known=()):
        priced(monkeypatch, 10.0)
        budgeted(task, tmp_path / "other", store=postgres.url).run()
        return [Price(c.label, True, 1.0, 1.0) for c in part.plan.candidates]

    monkeypatch.setattr(Budget, "spent", 0.0)
    monkeypatch.setattr(sizing, "measured_prices", slowly)
    made_here = made.run().protocol
    assert (made_here.trials, made_here.seeds) == (6, 3)


def test_a_database_that_is_away_while_numbers_are_written_is_waited_for(task, tmp_path, monkeypatch, warned):
    """Meanwhile somebody else has chosen."""
    priced(monkeypatch, 10.0)
    annotate, changes = Store.annotate, []

    def away(store, change):
        changes.append(change)
        if len(changes) == 2:
            annotate(store, lambda known: change(known) and {**known, "trials": 7, "seeds": 4})
            raise StoreUnreachableError("it is away")
        annotate(store, change)

    monkeypatch.setattr(Store, "annotate", away)
    made = budgeted(task, tmp_path).run().protocol
    assert (made.trials, made.seeds, len(changes)) == (7, 4, 3)
    assert "it is away" in warned[0]


def test_measuring_leaves_no_trial_behind(task, tmp_path, monkeypatch):
    monkeypatch.setattr("trimtab.compare.fitting.MOST_SEEDS", 10)
    sizes, recorder = [], Recorder()
    made = comparison(task, tmp_path, steps=2, trials=1, seeds=None, budget="30m", jobs=2)
    result = made.run(recorder, sizes.append)
    assert [(size.trials, size.seeds) for size in sizes] == [(1, 10)]
    assert {trial.phase for trial in result.trials} == {"tune", "final"}
    assert len(recorder.keys) == len(result.trials) == 2 * (1 + 10)


def test_the_first_step_is_tried_with_the_length_that_was_asked_for(tmp_path):
    options = {"trials": 1, "seeds": 1, "jobs": 1}
    with pytest.raises(InputError, match=r"100 steps, is too short: it needs 161 steps \(--steps\)"):
        Comparison("breast-cancer", "adamw+autolrs", tmp_path, **options).run()
    with pytest.raises(InputError, match=r"adamw\+autolrs cannot run on breast-cancer: .*161 steps"):
        Comparison("breast-cancer", "sgd,adamw+autolrs", tmp_path, **options).estimate()
    assert Comparison("breast-cancer", "adamw+autolrs", tmp_path, steps=200, **options).estimate().trials == 1

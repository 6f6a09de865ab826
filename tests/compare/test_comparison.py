"""A comparison from beginning to end, on the task that the template writes."""

import re
import threading

import pytest

from trimtab import Comparison
from trimtab.compare import comparison as module
from trimtab.compare.budget import Budget
from trimtab.compare.prices import Price
from trimtab.compare.stored import load_any
from trimtab.compare.template import write_template
from trimtab.lab.measures import TEST_LOSS
from trimtab.study.errors import CorruptStoreError, InputError, StudyMismatchError


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "task.py"
    return f"{path}:{write_template(path)}"


def comparison(task, out, candidates="adamw,lion", **more):
    return Comparison(task, candidates, out, **{"trials": 2, "seeds": 2, "steps": 30, **more})


class Recorder:
    def __init__(self):
        self.keys, self.total = [], 0

    def planned(self, points, outcomes):
        self.total = len(points)

    def started(self, point): ...

    def reported(self, point, cost, loss): ...

    def finished(self, point, outcome):
        self.keys.append(point.key)


@pytest.fixture(scope="module")
def finished(task, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    recorder = Recorder()
    return out, comparison(task, out).run(recorder), recorder


def test_every_trial_is_run_and_found_again(finished):
    out, result, recorder = finished
    assert len(recorder.keys) == len(set(recorder.keys)) == recorder.total == 2 * (2 + 2)
    assert {trial.key for trial in result.trials} == set(recorder.keys)
    assert {trial.status for trial in result.trials} == {"complete"}
    assert load_any(out) == result


def test_budgets_are_equal_and_only_final_runs_see_the_test_data(finished):
    _, result, _ = finished
    assert {trial.cost for trial in result.trials} == {30 * 64}
    assert all((TEST_LOSS not in trial.measures) == (trial.phase == "tune") for trial in result.trials)
    assert {trial.seed for trial in result.trials if trial.phase == "tune"} == {0}
    assert {trial.seed for trial in result.trials if trial.phase == "final"} == {1000, 1001}


def test_what_is_reported_is_what_a_plain_loop_gives(finished, task):
    """The whole chain (store, workers, session) against a loop that uses none of it but the task and the seeds."""
    import torch

    from trimtab.lab.loading import load_task
    from trimtab.lab.randomness import derived_seed

    _, result, _ = finished
    trial = next(t for t in result.trials if t.candidate == "adamw" and t.phase == "final" and t.seed == 1001)
    parts = load_task(task)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(1001, 0))
        model = parts.model(torch.Generator())
    optimizer = torch.optim.AdamW(model.parameters(), **trial.settings)
    order = torch.Generator().manual_seed(derived_seed(1001, 1))
    inputs, targets = parts.train.tensors
    rows = torch.randperm(2000, generator=order)
    for step in range(30):
        batch = rows[64 * step : 64 * step + 64]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    assert trial.loss == pytest.approx(parts.evaluate(model).loss, rel=1e-6)
    assert trial.measures[TEST_LOSS] == pytest.approx(parts.evaluate(model, "test").loss, rel=1e-6)
    torch.set_num_threads(threads)


def test_again_runs_nothing(finished, task):
    out, result, _ = finished
    recorder = Recorder()
    again = comparison(task, out).run(recorder)
    assert recorder.keys == []
    assert again.candidates == result.candidates


def test_seeds_and_candidates_extend_a_study(task, tmp_path):
    first = comparison(task, tmp_path, seeds=1).run()
    recorder = Recorder()
    more = comparison(task, tmp_path, "adamw,lion,sgd", seeds=2).run(recorder)
    assert len(recorder.keys) == 2 + (2 + 2)  # a seed each for two candidates, all of the third
    losses = {c.label: c.final_losses[0] for c in first.candidates}
    assert all(c.final_losses[0] == losses[c.label] for c in more.candidates if c.label in losses)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 31}, "a run has 1,920 sample-gradients there, 1,984 sample-gradients here: --steps"),
        ({"trials": 3}, "trials: 2 there, 3 here"),
    ],
)
def test_another_study_is_refused_and_nothing_is_lost(finished, task, change, message):
    out, result, _ = finished
    with pytest.raises(StudyMismatchError, match=re.escape(message)):
        comparison(task, out, **change).run()
    assert load_any(out) == result


def test_an_edited_task_is_another_study(task, tmp_path):
    file = tmp_path / "mine.py"
    write_template(file)
    comparison(f"{file}:MyTask", tmp_path / "out", "sgd", trials=1, seeds=1).run()
    file.write_text(file.read_text() + "# edited\n")
    with pytest.raises(
        StudyMismatchError, match=r"the file of the problem has changed since\..*remove .*study\.db to start again"
    ):
        comparison(f"{file}:MyTask", tmp_path / "out", "sgd", trials=1, seeds=1).run()


def test_a_corrupt_store_is_named(finished, task, tmp_path):
    (tmp_path / "study.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(CorruptStoreError, match=r"study\.db cannot be read"):
        comparison(task, tmp_path).run()
    with pytest.raises(CorruptStoreError, match=r"study\.db cannot be read"):
        load_any(tmp_path)


def test_a_candidate_that_diverges_is_shown_and_the_others_are_ranked(task, tmp_path):
    file = tmp_path / "steep.py"
    write_template(file)
    plain, steep = 'reduction="none")', 'reduction="none") * (1e400 if outputs.abs().max() > 6 else 1)'
    assert plain in file.read_text()
    file.write_text(file.read_text().replace(plain, steep))
    result = comparison(f"{file}:MyTask", tmp_path / "out", "adamw(lr=0.001),sgd(lr=1.0)").run()
    statuses = {trial.status for trial in result.trials if trial.candidate == "sgd(lr=1.0)"}
    assert statuses == {"diverged"}
    assert all(trial.error for trial in result.trials if trial.status == "diverged")
    assert result.candidates[0].label == "adamw(lr=0.001)"
    assert [candidate.rank for candidate in result.candidates] == [1, None]
    assert result.candidates[1].note == "not ranked: no tuning trial finished; the table of trials says why"


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

    monkeypatch.setattr(module, "measured_prices", prices)
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


def test_a_budget_after_explicit_numbers_is_refused(task, finished):
    out, _, _ = finished
    with pytest.raises(StudyMismatchError, match="trials: 2 there, as many as fit here"):
        comparison(task, out, trials=None, seeds=None, budget="20m").run()


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
    monkeypatch.setattr(module, "measured_prices", slowly)
    made_here = made.run().protocol
    assert (made_here.trials, made_here.seeds) == (6, 3)


def test_measuring_leaves_no_trial_behind(task, tmp_path, monkeypatch):
    monkeypatch.setattr("trimtab.compare.fitting.MOST_SEEDS", 10)
    sizes, recorder = [], Recorder()
    made = comparison(task, tmp_path, steps=2, trials=1, seeds=None, budget="30m", jobs=2)
    result = made.run(recorder, sizes.append)
    assert [(size.trials, size.seeds) for size in sizes] == [(1, 10)]
    assert {trial.phase for trial in result.trials} == {"tune", "final"}
    assert len(recorder.keys) == len(result.trials) == 2 * (1 + 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": "lin"}, "did you mean lion"),
        ({"candidates": "lion(betas=(0.9, 2.0))"}, r"cannot be built: betas\[1\]=2.0 must lie in"),
        ({"reference": "sgd"}, "reference='sgd' is not among the candidates"),
        ({"pruner": "medium"}, "did you mean median"),
        ({"jobs": 0}, "jobs=0"),
        ({"trials": 0}, "trials=0"),
        ({"steps": 0}, "steps=0"),
        ({"budget": "20m"}, "nothing to choose"),
        ({"budget": "20"}, "--budget 20m is the time for the whole comparison"),
        ({"task": "digts"}, "unknown problem 'digts'"),
    ],
)
def test_bad_input_is_named_before_anything_is_written(task, tmp_path, change, message):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=message):
        comparison(**{"task": task, "out": out, **change})
    assert not out.exists()


def test_pruning_gives_up_tuning_trials_only(task, tmp_path):
    result = comparison(task, tmp_path, "sgd,adamw", trials=8, seeds=2, steps=40, pruner="median").run()
    pruned = [trial for trial in result.trials if trial.status == "pruned"]
    assert pruned
    assert {trial.phase for trial in pruned} == {"tune"}
    assert all(trial.cost < 40 * 64 for trial in pruned)
    assert {candidate.rank for candidate in result.candidates} <= {1, 2}


def test_a_comparison_in_a_database_is_the_comparison_in_a_directory(task, finished, postgres, tmp_path):
    _, expected, _ = finished
    result = comparison(task, tmp_path, store=postgres.url).run()
    assert load_any(tmp_path, postgres.url) == result
    assert [(t.key, t.loss, t.measures.get(TEST_LOSS), t.curve) for t in result.trials] == [
        (t.key, t.loss, t.measures.get(TEST_LOSS), t.curve) for t in expected.trials
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_at_the_end_is_waited_for(task, postgres, tmp_path):
    class Watcher(Recorder):
        def finished(self, point, outcome):
            super().finished(point, outcome)
            if len(self.keys) == self.total == 8:  # the last outcome is written, and nothing has been read yet
                postgres.refuse_connections()
                threading.Timer(1.0, lambda: postgres.refuse_connections(False)).start()

    result = comparison(task, tmp_path, store=postgres.url).run(Watcher())
    assert [trial.status for trial in result.trials] == ["complete"] * 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"executor": "raye"}, "executor='raye'.*ray"),
        ({"ray_address": "auto"}, "only of use with executor='ray'"),
        ({"store": "runs/digits"}, "store='runs/digits' is not the URL of a database"),
    ],
)
def test_places_that_cannot_work_are_refused(task, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        comparison(task, tmp_path, **arguments)


def test_the_first_step_is_tried_with_the_length_that_was_asked_for(tmp_path):
    options = {"trials": 1, "seeds": 1, "jobs": 1}
    with pytest.raises(InputError, match=r"100 steps, is too short: it needs 161 steps \(--steps\)"):
        Comparison("breast-cancer", "adamw+autolrs", tmp_path, **options).run()
    with pytest.raises(InputError, match=r"adamw\+autolrs cannot run on breast-cancer: .*161 steps"):
        Comparison("breast-cancer", "sgd,adamw+autolrs", tmp_path, **options).estimate()
    assert Comparison("breast-cancer", "adamw+autolrs", tmp_path, steps=200, **options).estimate().trials == 1


def test_callbacks_are_told_of_every_trial_once_resumed_or_not_and_cannot_fail_it(task, tmp_path, caplog):
    first, again, extended = [], [], []

    def breaks(point, outcome):
        raise RuntimeError("no")

    def keys(seen):
        return lambda point, outcome: seen.append(point.key)

    result = comparison(task, tmp_path).run(callbacks=[keys(first), breaks])
    assert sorted(first) == sorted(trial.key for trial in result.trials)
    assert caplog.text.count("callback breaks failed") == 1
    comparison(task, tmp_path).run(callbacks=[keys(again)])  # nothing is left to be run
    assert sorted(again) == sorted(first)
    result = comparison(task, tmp_path, seeds=3).run(callbacks=[keys(extended)])
    assert sorted(extended) == sorted(trial.key for trial in result.trials)
    assert len(extended) == len(first) + 2


def test_a_callback_knows_its_study_wherever_that_is_moved(task, tmp_path):
    class Asks:
        def begun(self, about):
            self.about = about

    asks = [Asks(), Asks(), Asks()]
    comparison(task, tmp_path / "a").run(callbacks=asks[:1])
    (tmp_path / "a").rename(tmp_path / "b")
    comparison(task, tmp_path / "b").run(callbacks=asks[1:2])
    comparison(task, tmp_path / "c").run(callbacks=asks[2:])
    here, moved, other = (each.about for each in asks)
    assert here.id == moved.id != other.id
    assert (here.name, moved.directory) == ("my-task", tmp_path / "b")
    assert here.facts["my-task"].objective.name == "validation loss"


def test_what_is_no_callback_is_refused_before_anything_runs(task, tmp_path):
    with pytest.raises(InputError, match="callbacks=7: a list of callbacks is needed"):
        comparison(task, tmp_path / "out").run(callbacks=7)
    assert not (tmp_path / "out").exists()

"""A comparison from beginning to end, on the task that the template writes."""

import re
import threading

import pytest

from trimtab import CommandProblem, Comparison
from trimtab.compare.stored import load_any
from trimtab.compare.template import write_template
from trimtab.lab.measures import TEST_LOSS
from trimtab.study.activity import look
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


def test_a_budget_after_explicit_numbers_is_refused(task, finished):
    out, _, _ = finished
    with pytest.raises(StudyMismatchError, match="trials: 2 there, as many as fit here"):
        comparison(task, out, trials=None, seeds=None, budget="20m").run()


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


def test_callbacks_are_told_of_every_trial_once_resumed_or_not_and_cannot_fail_it(task, tmp_path, warned):
    first, again, extended = [], [], []

    def breaks(point, outcome):
        raise RuntimeError("no")

    def keys(seen):
        return lambda point, outcome: seen.append(point.key)

    result = comparison(task, tmp_path).run(callbacks=[keys(first), breaks])
    assert sorted(first) == sorted(trial.key for trial in result.trials)
    assert len([each for each in warned if "callback breaks failed" in each]) == 1
    comparison(task, tmp_path).run(callbacks=[keys(again)])  # nothing is left to be run
    assert sorted(again) == sorted(first)
    result = comparison(task, tmp_path, seeds=3).run(callbacks=[keys(extended)])
    assert sorted(extended) == sorted(trial.key for trial in result.trials)
    assert len(extended) == len(first) + 2


def test_trials_are_given_back_before_callbacks_are_waited_for(tmp_path):
    seen = []

    class Slow:
        def ended(self):
            seen.append(look(tmp_path))

    class Interrupts(Recorder):
        def started(self, point):
            raise KeyboardInterrupt

    problem = CommandProblem("echo {optimizer} {seed} loss={rate}", metric="loss")
    compared = Comparison(problem, "a,b", tmp_path, tune=["rate=0..1"], trials=1, seeds=2, jobs=1)
    with pytest.raises(KeyboardInterrupt):
        compared.run(Interrupts(), callbacks=[Slow()])
    assert [(each.running, len(each.waiting), each.alive) for each in seen] == [((), 2, True)]


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

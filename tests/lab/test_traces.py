"""What a run's learning rate and batch size were."""

import itertools

from tests.lab.toy import Toy, session, sgd
from trimtab.lab.measures import BATCH_SIZE, LEARNING_RATE
from trimtab.lab.traces import KEPT, TraceRecorder
from trimtab.lab.trial import run_trial
from trimtab.study.outcome import Outcome


def recorded(steps, change):
    run = session(budget=10**9)
    recorder = TraceRecorder(run)
    for step in range(steps):
        change(run, step)
        run.step()
        recorder.note()
    return recorder.traces()


def test_a_pace_that_never_changes_leaves_nothing():
    assert recorded(5, lambda run, step: None) == {}


def test_changes_are_kept_with_the_end():
    def change(run, step):
        if step == 2:
            run.optimizer.param_groups[0]["lr"] = 0.5
        if step == 4:
            run.batch_size = 20

    assert recorded(7, change) == {
        LEARNING_RATE: ((10, 0.1), (30, 0.5), (60, 0.5), (100, 0.5)),
        BATCH_SIZE: ((10, 10), (30, 10), (60, 20), (100, 20)),
    }


def test_many_changes_are_thinned_evenly():
    def change(run, step):
        run.optimizer.param_groups[0]["lr"] = 1.0 / (step + 1)

    steps = 2 * KEPT + 51
    rates = recorded(steps, change)[LEARNING_RATE]
    assert KEPT / 2 < len(rates) <= KEPT + 1
    costs = [cost for cost, _ in rates]
    gaps = {second - first for first, second in itertools.pairwise(costs[:-1])}
    assert len(gaps) == 1
    assert costs[0] == 10
    assert rates[-1] == (10 * steps, 1.0 / steps)


def test_final_trials_have_it_and_it_survives_being_written_down():
    class Changing(type(sgd(Toy().model(None)))):
        def step_on(self, run):
            self.param_groups[0]["lr"] /= 2
            return self.step(run.closure())

    def make():
        return session(optimizer=lambda model: Changing(model.parameters(), lr=0.1))

    tuning, final = (
        run_trial(make, evaluations=2, test=test, report=lambda cost, loss: False) for test in (False, True)
    )
    assert tuning.traces == {}
    assert len(final.traces[LEARNING_RATE]) == len(final.traces[BATCH_SIZE]) == 20
    assert Outcome.from_dict(final.to_dict()) == final

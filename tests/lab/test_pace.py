"""What a run's learning rate and batch size were."""

import itertools

from tests.lab.toy import Toy, session, sgd
from trimtab.lab.pace import KEPT, PacePoint, PaceRecorder
from trimtab.lab.trial import Outcome, run_trial


def recorded(steps, change):
    run = session(budget=10**9)
    recorder = PaceRecorder(run)
    for step in range(steps):
        change(run, step)
        run.step()
        recorder.note()
    return recorder.points()


def test_a_pace_that_never_changes_leaves_nothing():
    assert recorded(5, lambda run, step: None) == ()


def test_changes_are_kept_with_the_end():
    def change(run, step):
        if step == 2:
            run.optimizer.param_groups[0]["lr"] = 0.5
        if step == 4:
            run.batch_size = 20

    assert recorded(7, change) == (
        PacePoint(10, 0.1, 10),
        PacePoint(30, 0.5, 10),
        PacePoint(60, 0.5, 20),
        PacePoint(100, 0.5, 20),
    )


def test_many_changes_are_thinned_evenly():
    def change(run, step):
        run.optimizer.param_groups[0]["lr"] = 1.0 / (step + 1)

    steps = 2 * KEPT + 51
    points = recorded(steps, change)
    assert KEPT / 2 < len(points) <= KEPT + 1
    costs = [point.cost for point in points]
    gaps = {second - first for first, second in itertools.pairwise(costs[:-1])}
    assert len(gaps) == 1
    assert costs[0] == 10
    assert points[-1] == PacePoint(10 * steps, 1.0 / steps, 10)


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
    assert tuning.pace == ()
    assert len(final.pace) == 20
    assert Outcome.from_dict(final.to_dict()) == final
    old = {name: value for name, value in final.to_dict().items() if name != "pace"}
    assert Outcome.from_dict(old).pace == ()

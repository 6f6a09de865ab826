"""The numbers that the claim on random-matrix scaling makes of rates, on rates that follow the law."""

import pytest

from trimtab.claims import rmt_scaling as claim
from trimtab.lab.problem import Workplace
from trimtab.lab.task import samples_in
from trimtab.lab.task_check import check_task
from trimtab.study.point import Point


def law(knee, power=1.0):
    return tuple(2 / (1 + knee / batch) ** power for batch in claim.BATCHES)


@pytest.mark.parametrize("knee", [2.0, 8.0, 64.0, 1024.0])
def test_the_knee_is_found(knee):
    assert claim.measured_knee(law(knee)) == pytest.approx(knee)


def test_slopes_are_those_below_the_knee():
    linear = tuple(0.01 * min(batch, 16) for batch in claim.BATCHES)
    assert claim.slope(linear, 16) == pytest.approx(1)
    assert claim.slope(linear, 0.5) == pytest.approx(1)  # the three smallest at least
    rates = law(1e5)
    assert claim.sgd_slope(1, 0.75, *rates) == pytest.approx(0.25, abs=0.01)
    assert claim.sgd_slope(-1, 1.25, *rates) == pytest.approx(0.25, abs=0.01)
    assert claim.adam_slope(1, 0.35, *rates, *law(1e5, 0.5)) == pytest.approx(0.15, abs=0.01)


def test_knees_are_compared_in_doublings():
    assert claim.knee_factor(1, 16.0, *law(8)) == pytest.approx(1)
    assert claim.knee_factor(-1, 16.0, *law(8)) == pytest.approx(3)
    assert claim.below_ratio(1.2, 1.0) == pytest.approx(0)
    assert claim.above_margin(0.96, 0.97) == pytest.approx(0)


@pytest.mark.parametrize("place", claim.TASKS)
def test_tasks_are_whole(place):
    task = claim.TASKS[place]()
    check_task(task, place)
    assert samples_in(task.train) in (1000, 20_000)


def test_a_fifth_of_the_labels_is_drawn_anew():
    clean, noisy = claim.Perceptron(), claim.NoisyLabels()
    changed = (clean.train.tensors[1] != noisy.train.tensors[1]).float().mean()
    assert float(changed) == pytest.approx(0.2 * 0.9, abs=0.04)


def test_the_largest_stable_rate_is_found_from_below(monkeypatch):
    monkeypatch.setattr(claim, "STEPS", 20)
    task = claim.Perceptron()
    task.batch_size = 32
    assert 0.1 < claim.largest_stable_rate(claim.SGD, task, 3) < 30
    assert claim.foretold_knee(task, 3) > 1


@pytest.mark.parametrize(
    ("arm", "found"),
    [("sgd, noisy digits, batch 128", 2**0.5), ("adam, teacher, batch 8", 2**-6.5), ("law, teacher", 440.597525)],
)
def test_thresholds_are_trials_of_their_own_at_the_seed_of_their_point(arm, found, monkeypatch, tmp_path):
    monkeypatch.setattr(claim, "STEPS", 5)
    point = Point("rmt_scaling", "final", arm, 0, {}, 1000)
    outcome = claim.CLAIM.arm(arm).outcome(point, lambda *_: False, Workplace(tmp_path))
    assert outcome.measures == {claim.THRESHOLD: pytest.approx(found, rel=1e-4)}
    assert (outcome.status, outcome.loss, outcome.curve) == ("complete", None, ())

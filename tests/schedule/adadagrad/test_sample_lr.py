import math

import pytest
import torch

from trimtab.schedule import SampleLRScheduler


def optimizer(lr=0.5):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rate(optimizer):
    return optimizer.param_groups[0]["lr"]


def course(sizes, **settings):
    sgd = optimizer()
    scheduler = SampleLRScheduler(sgd, 100, **settings)
    found = [rate(sgd)]
    for size in sizes:
        sgd.step()
        scheduler.step(size)
        found.append(rate(sgd))
    return found


def test_a_cosine_by_hand():
    found = course([5, 5, 45, 45, 10], warm_up=0.1, final=0.1, start=0.0)
    assert found == pytest.approx([0, 0.25, 0.5, 0.275, 0.05, 0.05])


def test_linear_decay_falls():
    assert course([50, 50], warm_up=0, decay="linear", final=0.2) == pytest.approx([0.5, 0.3, 0.1])


def test_a_constant_rate_follows_the_warm_up():
    assert course([10, 10, 80], warm_up=0.2, decay="constant", start=0.5) == pytest.approx([0.25, 0.375, 0.5, 0.5])
    assert course([50, 50, 50], warm_up=1.0, start=0.0) == pytest.approx([0, 0.25, 0.5, 0.5])


def test_how_samples_are_spread_over_steps_makes_no_difference():
    assert course([1] * 60)[-1] == pytest.approx(course([20, 40])[-1]) == pytest.approx(course([60])[-1])


def test_with_equal_batches_it_is_torchs_cosine():
    ours, theirs = optimizer(), optimizer()
    scheduler = SampleLRScheduler(ours, 64, warm_up=0, final=0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=16)
    for _ in range(16):
        ours.step()
        theirs.step()
        scheduler.step(4)
        peer.step()
        assert rate(ours) == pytest.approx(rate(theirs), abs=1e-12)
    assert scheduler.get_last_lr() == [pytest.approx(0, abs=1e-12)]


def test_each_group_keeps_its_own_rate_and_tensors_stay_tensors():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, torch.tensor(2.0))]
    sgd = torch.optim.SGD(groups, lr=1.0)
    held = sgd.param_groups[1]["lr"]
    scheduler = SampleLRScheduler(sgd, 10, warm_up=0, decay="linear", final=0)
    sgd.step()
    scheduler.step(5)
    assert [float(group["lr"]) for group in sgd.param_groups] == [0.5, 1.0]
    assert sgd.param_groups[1]["lr"] is held


def test_it_resumes_bit_for_bit(tmp_path):
    straight, stopped, resumed = optimizer(), optimizer(), optimizer()
    schedulers = [SampleLRScheduler(each, 100) for each in (straight, stopped, resumed)]
    for size in (3, 10, 20):
        for one, scheduler in ((straight, schedulers[0]), (stopped, schedulers[1])):
            one.step()
            scheduler.step(size)
    torch.save([stopped.state_dict(), schedulers[1].state_dict()], tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.load_state_dict(saved[0])
    schedulers[2].load_state_dict(saved[1])
    for one, scheduler in ((straight, schedulers[0]), (resumed, schedulers[2])):
        one.step()
        scheduler.step(7)
    assert rate(straight) == rate(resumed) < 0.5
    assert math.isfinite(rate(straight))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"samples": 0}, ValueError, "samples=0 must be a whole number >= 1"),
        ({"samples": 2.5}, TypeError, "samples=2.5 must be a whole number"),
        ({"warm_up": 1.5}, ValueError, r"warm_up=1.5 must lie in \[0, 1\]"),
        ({"final": -0.1}, ValueError, r"final=-0.1 must lie in \[0, 1\]"),
        ({"start": math.nan}, ValueError, "start=nan must lie in"),
        ({"decay": "step"}, ValueError, "decay='step' must be 'cosine' or 'linear' or 'constant'"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        SampleLRScheduler(optimizer(), settings.pop("samples", 10), **settings)


def test_samples_are_not_taken_back():
    sgd = optimizer()
    scheduler = SampleLRScheduler(sgd, 10)
    sgd.step()
    with pytest.raises(ValueError, match="samples=-1 must be"):
        scheduler.step(-1)

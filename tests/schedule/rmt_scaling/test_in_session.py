"""The learner in a session: what it is charged, what it leaves alone, and that it resumes."""

import io

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy, session
from trimtab.schedule.rmt_scaling.in_session import LearnedByLanczos


def wrapped(**settings):
    own = {"every": 3, "steps": 4, **settings}
    return lambda model: LearnedByLanczos(torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), **own)


class Smooth(Toy):
    def model(self, generator):
        return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 3))


def run(**settings):
    return session(task=Smooth(), optimizer=wrapped(**settings), budget=10**6)


def test_a_refresh_comes_before_the_first_step_and_then_at_its_pace():
    own = run()
    for _ in range(7):
        own.step()
    assert [record["step"] for record in own.controllers[0].history] == [0, 3, 6]
    assert own.optimizer.param_groups[0]["lr"] == own.controllers[0].history[-1]["lr"]


def test_a_warm_up_keeps_the_optimizers_own_settings():
    own = run(warmup=2)
    own.step()
    assert (own.optimizer.param_groups[0]["lr"], own.controllers[0].history) == (0.01, [])
    own.step()
    assert [record["step"] for record in own.controllers[0].history] == [2]


@pytest.mark.parametrize(("settings", "charged"), [
    ({}, 10 * (1 + 8)),
    ({"matrix": "ggn"}, 10 * (1 + 8)),
    ({"curvature_batch": 40}, 40 * (1 + 8) + 3 * 40),
    ({"curvature_batch": 40, "matrix": "ggn"}, 40 * (1 + 8)),
])  # fmt: skip
def test_everything_is_charged(settings, charged):
    own = run(every=100, **settings)
    own.step()
    assert own.meter.used == 10 + charged


def test_running_statistics_and_global_randomness_are_left_alone():
    plain = session(task=Smooth(), optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    own = run(every=100, largest_change=1.0, largest_momentum=0.9)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    own.step()
    assert torch.equal(before, torch.get_rng_state())
    plain.step()
    for name, buffer in plain.model.named_buffers():
        assert torch.equal(buffer, dict(own.model.named_buffers())[name]), name
    plain_batch, own_batch = plain.next_batch(), own.next_batch()
    assert all(torch.equal(a, b) for a, b in zip(plain_batch, own_batch, strict=True))


@pytest.mark.parametrize("settings", [{}, {"curvature_batch": 40}, {"matrix": "ggn", "curvature_batch": 64}])
def test_it_resumes_bit_for_bit(settings):
    one = run(**settings)
    for _ in range(4):
        one.step()
    file = io.BytesIO()
    torch.save(one.snapshot(), file)
    for _ in range(5):
        one.step()
    file.seek(0)
    other = run(**settings)
    other.restore(torch.load(file, weights_only=True), refund=True)
    for _ in range(5):
        other.step()
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))
    assert one.controllers[0].history == other.controllers[0].history
    assert one.meter.used == other.meter.used


def test_the_rate_to_begin_with_can_be_given_and_is_not_gone_back_to():
    own = run(warmup=2, initial_lr=0.25)
    own.step()
    assert own.optimizer.param_groups[0]["lr"] == 0.25
    own.step()
    learned = own.optimizer.param_groups[0]["lr"]
    assert 0.0625 <= learned <= 1.0
    other = run(warmup=2, initial_lr=0.25)
    other.restore(own.snapshot())
    other.step()
    assert other.optimizer.param_groups[0]["lr"] == learned != 0.25


def test_a_batch_of_another_size_keeps_the_batch_of_curvature():
    """It may be another controller's to set, and must not decide what a resumed run measures."""
    own = run(every=1)
    own.batch_size = 20
    own.step()
    assert own.meter.used == 20 + 2 * 10 * (1 + 8)


def test_bad_input_is_named():
    sgd = torch.optim.SGD([nn.Parameter(torch.ones(2))], momentum=0.1)
    with pytest.raises(ValueError, match="curvature_batch=0"):
        LearnedByLanczos(sgd, curvature_batch=0)
    with pytest.raises(ValueError, match="divides gradients"):
        LearnedByLanczos(torch.optim.Adam([nn.Parameter(torch.ones(2))]))
    with pytest.raises(ValueError, match="curvature_batch=65 must be at most the number of training samples, 64"):
        run(curvature_batch=65).step()

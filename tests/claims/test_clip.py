"""What exists for the claim on coordinate clipping only."""

import pytest
import torch
from torch import nn

from trimtab import Session
from trimtab.claims import clip
from trimtab.claims.claim import Run
from trimtab.lab.task_check import check_task

RUN = Run(steps=10, seed=7)


def test_a_clipped_norm_is_torchs():
    def follow(make, before_step):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
        optimizer = make(model)
        for step in range(5):
            optimizer.zero_grad()
            model(torch.full((3, 5), 1.0 + step)).square().sum().backward()
            before_step(model)
            optimizer.step()
        return [param.detach() for param in model.parameters()]

    def clipped(model):
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)

    settings = {"lr": 0.1, "max_norm": 0.5}
    ours = follow(lambda model: clip.norm_clip(model, settings, RUN), lambda model: None)
    theirs = follow(lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), clipped)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def watched(steps, monkeypatch, measured_at):
    monkeypatch.setattr(clip, "MEASURED_AT", measured_at)
    monkeypatch.setattr(clip, "FROM", measured_at[-1])
    session = Session(clip.SmallLM(steps), lambda model: clip.watched_adam(model, {}, RUN), seed=7)
    while not session.meter.exhausted:
        session.step()
    return session


def test_adam_that_looks_around_is_adam(monkeypatch):
    session = watched(3, monkeypatch, (1, 3))
    plain = Session(
        clip.SmallLM(3), lambda model: torch.optim.Adam(model.parameters(), lr=clip.TRAJECTORY_RATE), seed=7
    )
    while not plain.meter.exhausted:
        plain.step()
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(session.model.state_dict()[name], tensor)
    assert session.meter.used == plain.meter.used


def test_what_is_claimed_of_sharpness_follows_from_what_was_measured(monkeypatch):
    session = watched(3, monkeypatch, (1, 3))
    found = clip.sharpness(session)
    assert set(session.optimizer.sharpness) == {1, 3}
    own = {name: found[f"{name}, step 3"] for name in clip.DIRECTIONS}
    assert own == session.optimizer.sharpness[3]
    assert found[clip.REDUCTION] == clip.share_less(own["sgd"], own["clip 0.1"])
    falling = [own[name] for name in ("sgd", "clip 0.01", "clip 0.1", "clip 0.5", "sign")]
    steps = [clip.share_less(falling[i], falling[i + 1]) for i in range(4)]
    assert found[clip.ORDER] == min(steps)
    other = Session(clip.SmallLM(1), lambda model: torch.optim.SGD(model.parameters()), seed=7)
    with pytest.raises(TypeError, match="SGD"):
        clip.sharpness(other)


def test_the_directions_are_the_gradient_its_clipped_ones_and_its_sign():
    model = nn.Linear(4, 1, bias=False)
    grad = torch.tensor([[4.0, -2.0, 1.0, 0.5]])
    pseudo = clip.PseudoUpdates(model, clip.DIRECTIONS)
    pseudo.observe([grad])
    ways = {name: pseudo.direction(name)[0] for name in pseudo.names}
    torch.testing.assert_close(ways["sgd"], -grad)
    torch.testing.assert_close(ways["clip 0.5"], -grad.clamp(-1, 1))
    torch.testing.assert_close(ways["sign"], -grad.sign())
    torch.testing.assert_close(ways["adam"], -grad.sign())  # its first step


@pytest.mark.parametrize(
    ("more", "few", "share"), [(4.0, 2.0, 0.5), (2.0, 4.0, -0.5), (1.0, -1.0, 2.0), (-1.0, -0.5, -0.5), (0.0, 0.0, 0.0)]
)
def test_shares_of_sharpness_have_the_right_sign_whatever_the_signs(more, few, share):
    assert clip.share_less(more, few) == share


def test_the_improvements():
    assert clip.recovered(2.4, 2.2, 2.0) == pytest.approx(0.5)
    assert clip.below_margin(0.955, 0.95) == pytest.approx(0.5)


@pytest.mark.parametrize("name", list(clip.RULES))
def test_every_arm_takes_steps(name):
    arm = clip.CLAIM.arm(f"{name}, text")
    settings = {setting: values[0] for setting, values in arm.grid.items()}
    session = Session(clip.SmallLM(2), lambda model: arm.fill(model, settings, RUN), seed=7)
    before = [param.detach().clone() for param in session.model.parameters()]
    session.step()
    session.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, session.model.parameters(), strict=True))


def test_the_small_model_has_34560_parameters():
    task = clip.SmallLM(5)
    check_task(task, "a task")
    assert sum(p.numel() for p in task.model(torch.Generator().manual_seed(0)).parameters()) == 34_560

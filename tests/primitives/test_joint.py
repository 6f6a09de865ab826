"""What every optimizer has that takes one step for all parameters."""

from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from trimtab.optim import AdaGradNorm
from trimtab.primitives.hyperparameters import learning_rate, whole_number
from trimtab.primitives.joint import JointOptimizer, undone_if_it_fails


class Counter(JointOptimizer):
    hyperparameters: ClassVar = {"lr": learning_rate, "every": whole_number(1)}
    joint_names = ("step", "average")

    def __init__(self, params, lr=0.5, every=1):
        super().__init__(params, lr=lr, every=every)

    def step(self):
        self.keep(step=self.joint_state().get("step", 0) + 1)
        return self.settings()


def params(count=2, dtype=torch.float32):
    return [nn.Parameter(torch.ones(3, dtype=dtype)) for _ in range(count)]


def test_groups_share_their_settings():
    first, second = params()
    with pytest.raises(ValueError, match=r"one step for all parameters: every must be the same .* is 1 and 2"):
        Counter([{"params": [first]}, {"params": [second], "every": 2}])
    optimizer = Counter([first])
    with pytest.raises(ValueError, match=r"lr must be the same in every group, and is 0.25 and 0.5"):
        optimizer.add_param_group({"params": [second], "lr": 0.25})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [second], "lr": torch.tensor(0.5)})
    assert optimizer.step() == {"lr": 0.5, "every": 1}
    optimizer.param_groups[1]["lr"].fill_(0.25)
    with pytest.raises(ValueError, match="lr must be the same"):
        optimizer.step()


def test_a_state_whose_groups_differ_is_refused_and_nothing_changes():
    optimizer = Counter([{"params": [param]} for param in params()])
    optimizer.step()
    state = optimizer.state_dict()
    state["param_groups"][1]["every"] = 3
    state["state"][0]["step"] = 7
    with pytest.raises(ValueError, match="every must be the same"):
        optimizer.load_state_dict(state)
    assert optimizer.joint_state() == {"step": 1}
    del state["param_groups"][1]["every"]
    with pytest.raises(ValueError, match="Counter needs every in every parameter group"):
        optimizer.load_state_dict(state)


def test_a_state_keeps_its_precision_whatever_the_parameters():
    optimizer = Counter(params(dtype=torch.bfloat16))
    optimizer.keep(average=torch.full((3,), 1 / 3))
    other = Counter(params(dtype=torch.bfloat16))
    other.load_state_dict(optimizer.state_dict())
    loaded = other.joint_state()["average"]
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, optimizer.joint_state()["average"])
    assert loaded is not optimizer.joint_state()["average"]


def test_every_parameter_holds_what_is_kept_for_all():
    first, second, frozen = params(3)
    frozen.requires_grad_(False)
    optimizer = Counter([{"params": []}, {"params": [frozen, first]}, {"params": [second]}])
    optimizer.step()
    optimizer.step()
    assert [optimizer.state.get(param) for param in (frozen, first, second)] == [None, {"step": 2}, {"step": 2}]
    del optimizer.state[first]  # as where only some are loaded
    assert optimizer.joint_state() == {"step": 2}
    assert Counter([{"params": []}]).joint_state() == {}


def test_a_parameter_that_is_frozen_in_mid_run_holds_it_as_well():
    first, second = params()
    optimizer = Counter([first, second])
    optimizer.step()
    first.requires_grad_(False)
    for _ in range(3):
        optimizer.step()
    assert [optimizer.state[param] for param in (first, second)] == [{"step": 4}] * 2
    other = Counter([first, second])
    other.load_state_dict(optimizer.state_dict())
    other.step()
    assert other.joint_state() == {"step": 5}


@pytest.mark.parametrize("frozen", [0, 1])
def test_steps_go_on_as_if_nothing_had_been_frozen_that_does_not_matter(frozen):
    def taken(*, freeze):
        own = params()
        optimizer = AdaGradNorm(own, lr=1.0)
        for step in range(6):
            own[frozen].requires_grad_(not (freeze and step > 1))
            own[frozen].grad = torch.zeros(3) if own[frozen].requires_grad else None
            own[1 - frozen].grad = torch.ones(3)
            optimizer.step()
        return own[1 - frozen].tolist()

    assert taken(freeze=True) == taken(freeze=False)


def test_a_parameter_that_a_group_has_twice_counts_once():
    first, second = params()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = Counter([("one", first), ("two", second), ("again", first)])
    assert optimizer.param_groups[0]["params"] == [first, second]
    assert optimizer.param_groups[0]["param_names"] == ["one", "two"]


def test_a_schedule_is_a_factor_of_what_it_began_with():
    optimizer = Counter(params())
    assert optimizer.scheduled(optimizer.step()) == (0.5, 1.0)
    pace = LambdaLR(optimizer, lambda step: step / 4)
    assert optimizer.scheduled(optimizer.settings()) == (0.5, 0.0)
    optimizer.step()
    pace.step()
    assert optimizer.scheduled(optimizer.settings()) == (0.5, 0.25)
    assert Counter(params(), lr=0.0).scheduled({"lr": 0.0}) == (0.0, 0.0)


def test_frozen_parameters_are_not_trained():
    first, second = params()
    second.requires_grad_(False)
    assert Counter([first, second]).trained() == [first]


def test_what_fails_is_undone():
    (param,) = params(1)

    def fail():
        with undone_if_it_fails([param]) as start, torch.no_grad():
            param.mul_(5)
            assert start[0].tolist() == [1, 1, 1]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert param.tolist() == [1, 1, 1]
    with undone_if_it_fails([param]), torch.no_grad():
        param.mul_(5)
    assert param.tolist() == [5, 5, 5]

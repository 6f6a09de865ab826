"""What stands beside the optimizer of a session."""

import io

import pytest
import torch

from tests.lab.toy import Toy
from trimtab import Session
from trimtab.lab.controller import Controller, SessionController
from trimtab.study.errors import InputError


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


class Halving:
    """Halves the learning rate after each step, as a controller in a loop of one's own."""

    def __init__(self, optimizer):
        self.optimizer, self.history = optimizer, []

    def observe(self, loss):
        (group,) = self.optimizer.param_groups
        group["lr"] /= 2
        self.history.append({"step": len(self.history) + 1, "lr": group["lr"], "loss": loss})

    def state_dict(self):
        return {"history": [dict(record) for record in self.history]}

    def load_state_dict(self, state_dict):
        self.history = [dict(record) for record in state_dict["history"]]


class Noting(SessionController):
    """Notes when it is asked, and may know what the step is given, and go on with another loss."""

    history = ()

    def __init__(self, beside, name, calls, given=None, more=0.0):
        super().__init__(beside)
        self.name, self.calls, self.given, self.more = name, calls, given, more

    def before(self):
        self.calls.append(f"before {self.name}")
        return self.given

    def observe(self, loss):
        self.calls.append((self.name, loss))
        return loss + self.more

    def state_dict(self):
        return {"calls": len(self.calls)}

    def load_state_dict(self, state_dict):
        del self.calls[state_dict["calls"] :]


def halved():
    return Session(Toy(), sgd, controllers=lambda session: [Halving(session.optimizer)], seed=3)


def test_a_controller_of_a_users_loop_observes_each_step():
    session = halved()
    losses = [session.step() for _ in range(3)]
    (controller,) = session.controllers
    assert isinstance(controller, Controller)
    assert [record["loss"] for record in controller.history] == losses
    assert session.optimizer.param_groups[0]["lr"] == 0.1 / 8


def test_it_resumes_with_the_run():
    whole, begun, resumed = halved(), halved(), halved()
    expected = [whole.step() for _ in range(6)]
    first = [begun.step() for _ in range(3)]
    file = io.BytesIO()
    torch.save(begun.snapshot(), file)
    file.seek(0)
    resumed.restore(torch.load(file, weights_only=True), refund=True)
    assert first + [resumed.step() for _ in range(3)] == expected
    assert resumed.controllers[0].history == whole.controllers[0].history


def test_one_that_is_left_aside_goes_back_without_forgetting():
    session = halved()
    (controller,) = session.controllers
    kept, forgotten = session.snapshot(aside=controller), session.snapshot()
    session.step()
    session.restore(kept)
    assert session.optimizer.param_groups[0]["lr"] == 0.1
    assert [record["lr"] for record in controller.history] == [0.05]
    session.restore(forgotten)
    assert controller.history == []


def test_the_nearest_comes_last_before_a_step_and_first_after_it():
    calls = []
    session = Session(Toy(), lambda model: Noting(Noting(sgd(model), "near", calls, more=1.0), "far", calls), seed=3)
    plain = Session(Toy(), sgd, seed=3).step()
    assert session.step() == plain + 1.0
    assert calls == ["before far", "before near", ("near", plain), ("far", plain + 1.0)]
    assert isinstance(session.optimizer, torch.optim.SGD)
    assert [each.name for each in session.controllers] == ["near", "far"]


@pytest.mark.parametrize(("near", "far", "used"), [(7.0, None, 7.0), (None, 7.0, None), (7.0, 8.0, 7.0)])
def test_only_the_nearest_may_have_computed_the_gradient(near, far, used):
    def given(loss):
        return None if loss is None else lambda: torch.tensor(loss)

    def made(model):
        return Noting(Noting(sgd(model), "near", [], given(near)), "far", [], given(far))

    session = Session(Toy(), made, seed=3)
    loss = session.step()
    assert loss == (Session(Toy(), sgd, seed=3).step() if used is None else used)
    assert session.meter.used == (10 if used is None else 0)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match=r"Noting stands beside a torch\.optim\.Optimizer, not 3"):
        Noting(3, "near", [])
    with pytest.raises(TypeError, match="give Noting an instance"):
        Noting(torch.optim.SGD, "near", [])
    with pytest.raises(InputError, match=r"controllers=.* made \[3\], expected a list"):
        Session(Toy(), sgd, controllers=lambda _: [3], seed=0)
    with pytest.raises(InputError, match=r"made a int, expected a torch\.optim\.Optimizer"):
        Session(Toy(), lambda _: 3, seed=0)

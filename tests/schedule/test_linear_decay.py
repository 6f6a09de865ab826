"""Linear decay, in a loop of one's own and in a session."""

import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from tests.schedule.test_closed_form import rates, session_of
from trimtab.catalog.parsing import parse_expression
from trimtab.schedule import linear_decay_with_warmup
from trimtab.study.errors import InputError


def optimizer():
    return torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=2.0)


def course(total_steps, warmup=0):
    inner = optimizer()
    scheduler = linear_decay_with_warmup(inner, total_steps, warmup)
    found = []
    for _ in range(total_steps):
        found.append(inner.param_groups[0]["lr"] / 2.0)
        inner.step()
        scheduler.step()
    return found, inner.param_groups[0]["lr"], scheduler


def test_the_numbers():
    found, after, _ = course(5)
    assert found == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])
    assert after == 0.0
    found, after, _ = course(6, warmup=2)
    assert found == pytest.approx([0.5, 1, 1, 0.75, 0.5, 0.25])
    assert after == 0.0


def test_it_is_torchs_where_torch_has_it():
    inner = optimizer()
    scheduler = torch.optim.lr_scheduler.LinearLR(inner, start_factor=1.0, end_factor=0.0, total_iters=7)
    theirs = []
    for _ in range(7):
        theirs.append(inner.param_groups[0]["lr"] / 2.0)
        inner.step()
        scheduler.step()
    assert course(7)[0] == pytest.approx(theirs)


def test_beyond_the_end_it_says_so():
    _, _, scheduler = course(3)
    with pytest.raises(ValueError, match=r"the schedule is over: it has total_steps=3, and was stepped 4 times"):
        scheduler.step()


def test_it_resumes():
    whole, _, _ = course(8, warmup=3)
    first = optimizer()
    scheduler = linear_decay_with_warmup(first, 8, 3)
    for _ in range(4):
        first.step()
        scheduler.step()
    second = optimizer()
    resumed = linear_decay_with_warmup(second, 8, 3)
    resumed.load_state_dict(scheduler.state_dict())
    second.load_state_dict(first.state_dict())
    rest = []
    for _ in range(4):
        rest.append(second.param_groups[0]["lr"] / 2.0)
        second.step()
        resumed.step()
    assert rest == whole[4:]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"total_steps": 0}, ValueError, "total_steps=0"),
        ({"total_steps": 2.5}, TypeError, "total_steps=2.5"),
        ({"total_steps": 5, "warmup": -1}, ValueError, "warmup=-1"),
        ({"total_steps": 5, "warmup": 5}, ValueError, "warmup=5 must be less than total_steps=5"),
        ({"total_steps": 5, "warmup": 1.5}, ValueError, "warmup=1.5"),
        ({"total_steps": 5, "warmup": "1"}, TypeError, "warmup='1'"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        linear_decay_with_warmup(optimizer(), **arguments)


@pytest.mark.parametrize(("fraction", "warmup"), [(0.0, 0), (0.25, 5)])
def test_in_a_session_it_is_the_same(fraction, warmup):
    task = Toy()
    session = session_of(f"sgd+linear(warmup={fraction})", task)
    found = [rate / 0.1 for rate in rates(session, task.steps)]
    assert session.meter.exhausted
    assert found == pytest.approx(course(task.steps, warmup)[0], abs=1e-12)


def test_in_a_session_it_ends_with_the_budget_whatever_a_step_costs():
    session = session_of("adahessian+linear", Toy())
    found = []
    while not session.meter.exhausted:
        before = session.progress
        session.step()
        found.append((before, session.optimizer.param_groups[0]["lr"]))
    assert len(found) == 10
    assert [rate for _, rate in found] == pytest.approx([0.1 * (1 - before) for before, _ in found])


def test_a_warm_up_is_a_share_of_the_run():
    with pytest.raises(ValueError, match=r"warmup=1.0 must lie in \[0, 1\)"):
        parse_expression("adamw+linear(warmup=1.0)").build(nn.Linear(2, 2), {"lr": 0.1})


def test_its_lines_can_be_pasted():
    code = parse_expression("adamw+linear(warmup=0.2)").code({"lr": 0.1, "weight_decay": 0.0}, 10)
    values = {"model": nn.Linear(2, 2)}
    exec(code, values)
    assert values["optimizer"].param_groups[0]["lr"] == 0.05
    values["optimizer"].step()
    values["scheduler"].step()
    assert values["optimizer"].param_groups[0]["lr"] == 0.1


def test_outside_of_a_session_it_says_what_to_use():
    from trimtab import create

    with pytest.raises(
        InputError,
        match=r"linear stands beside an optimizer .*:\n(.*\n)*.*warmup=0\)",
    ):
        create("adamw+linear", nn.Linear(2, 2))

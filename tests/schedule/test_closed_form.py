"""Schedules that are known before the run."""

import math

import pytest
import torch

from tests.lab.toy import Toy
from trimtab import Session, create
from trimtab.catalog.parsing import parse_expression
from trimtab.study.errors import InputError


def session_of(text, task, **settings):
    return Session(task, lambda model: parse_expression(text).build(model, {"lr": 0.1, **settings}), seed=3)


def rates(session, steps):
    found = []
    for _ in range(steps):
        session.step()
        found.append(session.optimizer.param_groups[0]["lr"])
    return found


def test_a_cosine_is_torchs():
    task = Toy()
    session = session_of("sgd(momentum=0.0, nesterov=False)+cosine", task, weight_decay=0.0)
    plain = Session(task, lambda model: torch.optim.SGD(model.parameters(), lr=0.1), seed=3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(plain.optimizer, T_max=task.steps)
    for _ in range(task.steps):
        session.step()
        plain.step()
        rate, theirs = (run.optimizer.param_groups[0]["lr"] for run in (session, plain))
        assert rate == pytest.approx(theirs, abs=1e-12)
        scheduler.step()
    assert session.meter.exhausted
    for ours, theirs in zip(session.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_schedule_ends_with_the_budget_whatever_a_step_costs():
    task = Toy()
    session = session_of("adahessian+cosine", task)
    while not session.meter.exhausted:
        session.step()
    assert session.steps < task.steps
    last = (session.steps - 1) / session.steps * session.progress
    assert session.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * (1 + math.cos(math.pi * last)) / 2)


def test_it_resumes_bit_for_bit():
    task = Toy()
    whole, begun, resumed = (session_of("adamw+cosine", task) for _ in range(3))
    expected = rates(whole, 8)
    first = rates(begun, 4)
    resumed.restore(begun.snapshot(), refund=True)
    assert first + rates(resumed, 4) == expected
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_it_goes_around_every_kind_of_optimizer():
    for text in ("lion+cosine", "clip(lion)+cosine", "galore(adamw, rank=1)+cosine", "adahessian+cosine"):
        first, second = rates(session_of(text, Toy()), 2)
        assert first == 0.1
        assert second < 0.1


def test_outside_of_a_session_it_says_what_to_use():
    with pytest.raises(
        InputError,
        match=r"cosine stands beside an optimizer .*:\n(.*\n)*scheduler = torch",
    ):
        create("adamw+cosine", torch.nn.Linear(2, 2))


def test_wrappers_stand_inside():
    with pytest.raises(
        InputError, match=r"cosine stands beside an optimizer, and outside of its wrappers: write clip\(...\)\+cosine"
    ):
        parse_expression("clip(adamw+cosine)")


def test_its_lines_can_be_pasted():
    code = parse_expression("clip(lion)+cosine").code({"lr": 0.1, "weight_decay": 0.0, "clip.fraction": 0.5})
    values = {"model": torch.nn.Linear(2, 2), "total_steps": 10}
    exec(code, values)
    values["optimizer"].step()
    values["scheduler"].step()
    assert values["optimizer"].param_groups[0]["lr"] < 0.1


@pytest.mark.parametrize("text", ["adamw+cosine", "clip(lion)+cosine", "sgd(momentum=0.5)+cosine"])
def test_a_label_is_written_as_it_is_read(text):
    assert parse_expression(text).label == text
    assert parse_expression("cosine(adamw)").label == "adamw+cosine"


def test_constructors_that_print_are_kept_quiet(capsys):
    parse_expression("prodigy").build(torch.nn.Linear(2, 2), {})
    assert capsys.readouterr().out == ""

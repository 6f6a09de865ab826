"""What the claim on schedules is made of."""

import math

import pytest
import torch
from torch import nn

from trimtab import Session
from trimtab.claims import refined
from trimtab.claims.claim import Run
from trimtab.lab.task_check import check_task


@pytest.mark.parametrize(
    ("name", "first", "middle", "last"),
    [
        ("constant", 1, 1, 1),
        ("inverse root", 1, 1 / math.sqrt(51), 1 / 10),
        ("step", 1, 0.1, 0.01),
        ("cosine", 1, 0.5, 0.5 * (1 + math.cos(0.99 * math.pi))),
        ("linear", 1, 0.5, 0.01),
    ],
)
def test_schedules_are_what_they_are_called(name, first, middle, last):
    of_step = refined.factor(refined.SHAPES[name], 100, 0.0)
    assert [of_step(step) for step in (0, 50, 99)] == pytest.approx([first, middle, last])


def test_all_schedules_warm_up_alike():
    for shape in refined.SHAPES.values():
        of_step = refined.factor(shape, 100, 0.05)
        assert [of_step(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_linear_decay_is_that_of_the_library():
    from trimtab.schedule import linear_decay_with_warmup

    model = nn.Linear(2, 2)
    ours = refined.fixed("network, adamw", "linear", model, {"lr": 1.0}, Run(steps=40, seed=0))
    inner = torch.optim.SGD(model.parameters(), lr=1.0)
    library = linear_decay_with_warmup(inner, 40, 2)
    for _ in range(40):
        assert ours.param_groups[0]["lr"] == pytest.approx(inner.param_groups[0]["lr"])
        ours.step()
        inner.step()
        library.step()


@pytest.mark.parametrize("problem", refined.PROBLEMS)
def test_problems_are_tasks_and_a_refined_run_pays_for_both_of_its_runs(problem):
    posed = refined.PROBLEMS[problem]
    task, half = posed.task(1.0), posed.task(0.5)
    check_task(task, "here")
    assert (half.batch_size, 2 * half.steps) == (task.batch_size, task.steps)
    run = Run(steps=task.steps, seed=0)
    session = Session(
        task, lambda model: refined.refined(problem, model, {"lr": 0.01}, run), seed=0, budget=8 * task.batch_size
    )
    while not session.meter.exhausted:
        session.step()
    assert [record["run"] for record in session.controllers[0].history] == [1] * 4 + [2] * 4
    assert session.steps == 4


def test_ratios_are_put_together_in_logarithms():
    assert refined.mean_ratio(1.0, 2.0, 2.0, 8.0) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert refined.not_much_worse(1.0, 1.0) == refined.CLAIMED
    assert refined.not_much_worse(1.03, 1.0) < 0

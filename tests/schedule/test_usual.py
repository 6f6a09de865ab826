"""The schedules that people use, in a loop of one's own and in a session."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from tests.schedule.test_closed_form import rates, session_of
from trimtab.catalog.entries import find
from trimtab.catalog.expressions import Expression
from trimtab.catalog.parsing import parse_expression
from trimtab.schedule import (
    constant_with_warmup,
    cosine_with_warmup,
    inverse_sqrt_with_warmup,
    one_cycle_with_warmup,
    wsd_with_warmup,
)
from trimtab.study.errors import InputError

SCHEDULES = {
    "constant": constant_with_warmup,
    "cosine": cosine_with_warmup,
    "wsd": wsd_with_warmup,
    "onecycle": one_cycle_with_warmup,
    "inverse_sqrt": inverse_sqrt_with_warmup,
}


def course(make, total_steps, *args, **settings):
    inner = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=2.0)
    scheduler = make(inner, total_steps, *args, **settings)
    found = []
    for _ in range(total_steps):
        found.append(inner.param_groups[0]["lr"] / 2.0)
        inner.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("constant", {"warmup": 2}, [0.5, 1, 1, 1]),
        ("constant", {}, [1, 1, 1]),
        ("cosine", {"warmup": 2}, [0.5, 1, 1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125)]),
        ("wsd", {"warmup": 1, "decay": 0.5}, [1, 1, 1, 1, 1, 1 - 0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75)]),
        ("inverse_sqrt", {"warmup": 2}, [0.5, 1, 1, math.sqrt(2 / 3), math.sqrt(0.5)]),
    ],
)
def test_the_numbers(name, settings, expected):
    assert course(SCHEDULES[name], len(expected), **settings) == pytest.approx(expected)


@pytest.mark.parametrize("make", SCHEDULES.values())
def test_steps_may_be_whole_numbers_of_numpys(make):
    assert course(make, np.int64(10), warmup=np.int64(3)) == course(make, 10, warmup=3)
    with pytest.raises(TypeError, match="warmup=False must be a whole number, not bool"):
        course(make, 10, warmup=False)
    with pytest.raises(ValueError, match=r"warmup=3\.0 must be a whole number of steps, or a share of the run in"):
        course(make, 10, warmup=3.0)
    with pytest.raises(TypeError, match=r"total_steps=10\.0 must be a whole number, not float"):
        course(make, 10.0, warmup=3)


def test_one_cycle_rises_over_three_tenths_of_the_run():
    assert course(one_cycle_with_warmup, np.int64(10)) == course(one_cycle_with_warmup, 10, warmup=3)


def test_a_cosine_without_warmup_is_torchs():
    inner = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=2.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(inner, T_max=9)
    theirs = []
    for _ in range(9):
        theirs.append(inner.param_groups[0]["lr"] / 2.0)
        inner.step()
        scheduler.step()
    assert course(cosine_with_warmup, 9) == pytest.approx(theirs)


@pytest.mark.parametrize("total", [10, 33, 200])
@pytest.mark.parametrize("share", [0.2, 0.29, 0.3, 0.5])
def test_one_cycle_is_torchs(total, share):
    inner = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=2.0, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        inner, max_lr=2.0, total_steps=total, pct_start=share, cycle_momentum=False
    )
    theirs = []
    for _ in range(total):
        theirs.append(inner.param_groups[0]["lr"] / 2.0)
        inner.step()
        if len(theirs) < total:
            scheduler.step()
    assert course(one_cycle_with_warmup, total, share) == pytest.approx(theirs, abs=1e-9)
    if share == 0.3:
        assert course(one_cycle_with_warmup, total) == course(one_cycle_with_warmup, total, share)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_session_has_the_same_rates(name):
    task = Toy()
    share = 0.2
    session = session_of(f"sgd+{name}(warmup={share})", task)
    expected = course(SCHEDULES[name], task.steps, round(share * task.steps))
    assert rates(session, task.steps) == pytest.approx([0.1 * factor for factor in expected])


@pytest.mark.parametrize("share", [0.01, 0.07, 0.3, 0.5])
@pytest.mark.parametrize("name", [*SCHEDULES, "linear"])
def test_the_lines_to_paste_have_the_rates_of_a_run(name, share):
    task = Toy()
    task.steps = 33
    candidate = Expression(find(name), (("warmup", share),), Expression(find("sgd")))
    code = candidate.code({"lr": 0.1, "weight_decay": 0.0}, task.steps)
    names = {"model": nn.Linear(2, 2)}
    exec(code, names)
    assert isinstance(names["scheduler"], torch.optim.lr_scheduler.LambdaLR)
    found = []
    for _ in range(task.steps):
        found.append(names["optimizer"].param_groups[0]["lr"])
        names["optimizer"].step()
        names["scheduler"].step()
    assert rates(session_of(f"sgd+{name}(warmup={share})", task), task.steps) == pytest.approx(found, abs=1e-12)


def test_a_share_of_the_run_is_so_many_steps():
    for name, make in SCHEDULES.items():
        assert course(make, 10, warmup=0.2) == pytest.approx(course(make, 10, warmup=2)), name


@pytest.mark.parametrize(
    ("make", "args", "error", "words"),
    [
        (cosine_with_warmup, (10, 10), ValueError, "warmup=10 must be less than total_steps=10"),
        (cosine_with_warmup, (0,), ValueError, "total_steps=0 must be a whole number >= 1"),
        (wsd_with_warmup, (10, 1, 1.0), ValueError, "decay=1.0 must lie in"),
        (wsd_with_warmup, (10, 6, 0.5), ValueError, "warmup=0.6 and decay=0.5 of the run are more"),
        (inverse_sqrt_with_warmup, (10, 0), ValueError, "warmup=0: the inverse root decays from the end of a warm-up"),
        (one_cycle_with_warmup, (10.5,), TypeError, "total_steps=10.5 must be a whole number"),
    ],
)
def test_what_cannot_be_is_named(make, args, error, words):
    with pytest.raises(error, match=words):
        make(torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=2.0), *args)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adamw+wsd(warmup=0.9, decay=0.2)", "warmup=0.9 and decay=0.2 of the run are more"),
        ("adamw+cosine(warmup=1.0)", "cosine_warmup=1.0 must lie in"),
        ("adamw+inverse_sqrt(warmup=0.0)", "inverse_sqrt_warmup=0.0 must lie in"),
    ],
)
def test_what_cannot_be_in_a_session_is_named(text, words):
    with pytest.raises(InputError, match=words):
        parse_expression(text)

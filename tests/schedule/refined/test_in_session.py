"""Two runs for the budget of one, in a session."""

import io

import numpy as np
import pytest
import torch
from torch import nn

from tests.lab.toy import Toy
from tests.schedule.adadagrad.test_adaptive_batch import Still
from trimtab import Session
from trimtab.catalog.parsing import parse_expression
from trimtab.schedule import GradientNormRecorder, refine_schedule


def session_of(text, lr=0.05, task=None, **more):
    return Session(task or Toy(), lambda model: parse_expression(text).build(model, {"lr": lr}), seed=3, **more)


def run_out(session):
    while not session.meter.exhausted:
        session.step()
    return session


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_the_first_half_is_a_run_of_half_the_budget_with_linear_decay():
    whole = session_of("adamw+refined")
    half = session_of("adamw+linear", budget=100)
    recorder = GradientNormRecorder(half.optimizer, "l1")
    for _ in range(10):
        assert whole.step() == half.step()
    assert same(whole, half)
    history = whole.controllers[-1].history
    assert [record["norm"] for record in history] == recorder.norms
    assert [record["lr"] for record in history] == pytest.approx([0.05 * (1 - t / 10) for t in range(10)])


def test_the_second_half_starts_where_the_first_did_and_follows_the_refined_schedule():
    refined = session_of("adamw+refined(smoothing=0.3)")
    norms = []
    for _ in range(10):
        refined.step()
        norms.append(refined.controllers[-1].history[-1]["norm"])
    expected = refine_schedule(norms, "l1", 0.3)

    by_hand = session_of("adamw", budget=100)
    for step in range(10):
        share = step / 10
        by_hand.optimizer.param_groups[0]["lr"] = 0.05 * np.interp(share, np.linspace(0, 1, 10), expected)
        assert refined.step() == by_hand.step()
        assert refined.steps == by_hand.steps == step + 1
    assert same(refined, by_hand)
    assert refined.meter.exhausted
    assert refined.meter.used == 200
    assert by_hand.meter.used == 100
    np.testing.assert_allclose(refined.controllers[-1].schedule, expected)
    history = refined.controllers[-1].history
    assert [record["step"] for record in history] == list(range(1, 21))
    assert [record["run"] for record in history] == [1] * 10 + [2] * 10
    assert refined.optimizer.param_groups[0]["lr"] > 0  # no step is wasted


@pytest.mark.parametrize(
    "text", ["adamw+refined", "sgd+refined(warmup=0.3)", "clip(adamw)+refined", "adahessian+refined"]
)
def test_it_resumes_bit_for_bit_at_any_point(text):
    whole = session_of(text)
    losses, snapshots = [], [whole.snapshot()]
    while not whole.meter.exhausted:
        losses.append(whole.step())
        snapshots.append(whole.snapshot())
    for taken, snapshot in enumerate(snapshots[:-1]):
        file = io.BytesIO()
        torch.save(snapshot, file)
        file.seek(0)
        resumed = session_of(text)
        resumed.step()  # what is there already is forgotten
        resumed.restore(torch.load(file, weights_only=True), refund=True)
        rest = []
        while not resumed.meter.exhausted:
            rest.append(resumed.step())
        assert losses[:taken] + rest == losses, taken
        assert same(resumed, whole)
        assert resumed.controllers[-1].history == whole.controllers[-1].history
        assert resumed.controllers[-1].schedule == whole.controllers[-1].schedule


@pytest.mark.parametrize(
    ("text", "norm"),
    [
        ("sgd+refined", "l2"),
        ("adamw+refined", "l1"),
        ("lion+refined", "l1"),
        ("sgd+refined(norm='l1')", "l1"),
        ("adamw+refined(norm='adam_weighted')", "adam_weighted"),
    ],
)
def test_the_norm_is_that_of_the_optimizer_unless_it_is_said(text, norm):
    session, plain = session_of(text), session_of(text.partition("+")[0])
    recorder = GradientNormRecorder(plain.optimizer, norm)
    session.step()
    plain.step()
    assert session.controllers[-1].history[0]["norm"] == recorder.norms[0]


def test_a_warm_up_is_one_of_the_first_run():
    session = session_of("adamw+refined(warmup=0.4)")
    for _ in range(10):
        session.step()
    rates = [record["lr"] / 0.05 for record in session.controllers[-1].history]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_a_run_of_a_few_steps_is_linear_both_times():
    session = run_out(session_of("adamw+refined", budget=40))
    assert [record["lr"] for record in session.controllers[-1].history] == pytest.approx([0.05, 0.025, 0.05, 0.025])
    assert run_out(session_of("adamw+refined", budget=10)).steps == 1


def test_steps_that_cost_more_are_paid_for():
    session = run_out(session_of("adahessian+refined"))
    assert len(session.controllers[-1].history) == 10
    assert session.steps == 5


def test_an_optimizer_that_hides_its_gradients_is_refused_by_name():
    class Hiding(torch.optim.SGD):
        def step_on(self, session):
            return session.closure()()

    session = Session(
        Toy(), lambda model: parse_expression("sgd+refined").entry.load()(Hiding(model.parameters(), lr=0.1)), seed=0
    )
    with pytest.raises(RuntimeError, match="Hiding takes its steps without step"):
        session.step()


def test_an_optimizer_that_computes_its_own_gradients_is_refused_before_the_first_step():
    with pytest.raises(TypeError, match="SSO is not given gradients"):
        session_of("sso+refined")


def test_what_stands_between_it_and_the_gradients_does_not_hide_them():
    session, plain = (session_of(text, task=Still()) for text in ("adamw+adadagrad+refined", "adamw"))
    recorder = GradientNormRecorder(plain.optimizer, "l1")
    session.step()
    plain.step()
    assert session.controllers[-1].history[0]["norm"] == pytest.approx(recorder.norms[0], rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("smoothing=1.0", "smoothing=1.0"),
        ("warmup=1.0", "warmup=1.0"),
        ("norm='l3'", "norm='l3'"),
        ("cap=1.0", "cap=1.0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        parse_expression(f"adamw+refined({settings})").build(nn.Linear(2, 2), {"lr": 0.1})


def test_its_lines_can_be_pasted():
    code = parse_expression("adamw+refined(smoothing=0.2)").code({"lr": 0.1, "weight_decay": 0.0}, 4)
    values = {"model": nn.Linear(2, 2)}
    exec(code, values)
    for step in range(4):
        values["model"].weight.grad = torch.full((2, 2), 2.0 if step == 0 else 1.0)
        values["optimizer"].step()
        values["scheduler"].step()
    assert values["recorder"].norms == [8, 4, 4, 4]
    lines = [line.removeprefix("# ") for line in code.splitlines() if line.startswith(("# schedule", "# scheduler"))]
    values["optimizer"] = torch.optim.AdamW(values["model"].parameters(), lr=0.1)
    exec("\n".join(lines), values)
    assert values["scheduler"].schedule == [0.75, 1, 0.5, 0]

"""AutoLRS in sessions and comparisons: exact, charged, with ranges of the optimizer inside."""

import math

import pytest
import torch

from tests.lab.toy import Toy
from trimtab import Session, create
from trimtab.catalog.parsing import parse_expression
from trimtab.lab.measures import LEARNING_RATE, STEPS
from trimtab.lab.trial import run_trial
from trimtab.schedule import AutoLRS
from trimtab.study.errors import DivergedError, InputError


def toy(steps=200):
    task = Toy()
    task.steps = steps
    return task


def session_of(text, steps=200, seed=3, **settings):
    return Session(toy(steps), lambda model: parse_expression(text).build(model, settings), seed=seed)


FEW = "adamw+autolrs(candidates=3, trial_fraction=0.2)"


def test_bounds_are_the_optimizers_range_and_lr_is_not_tuned():
    expression = parse_expression("adamw+autolrs")
    range_of_lr = parse_expression("adamw").tunables["lr"]
    assert "lr" not in expression.tunables
    settings = expression.settings({})
    assert (settings["autolrs.min_lr"], settings["autolrs.max_lr"]) == (range_of_lr.low, range_of_lr.high)
    assert parse_expression("adamw+autolrs(max_lr=0.5)").settings({})["autolrs.max_lr"] == 0.5
    with pytest.raises(InputError, match="lr is set by autolrs"):
        parse_expression("adamw(lr=0.1)+autolrs")


def test_the_search_is_charged_and_ends_in_time():
    session = session_of(FEW)
    losses = []
    while not session.meter.exhausted:
        losses.append(session.step())
    controller = session.controllers[0].controller
    assert len(losses) == 200  # every step was paid for
    assert (controller.total_steps, controller.phase) == (199, "training")
    assert session.steps == controller.useful_steps + 1
    trials = [record for record in controller.history if "trial" in record]
    assert len(trials) == 3 * 2
    assert controller.stage == 82  # and 41 before: 199 / (1 + 3 * 0.2) / (1 + 2), rounded down


def test_trials_see_the_same_batches_and_what_is_kept_is_a_plain_run():
    session = session_of(FEW)
    firsts = []
    while not session.meter.exhausted:
        controller = session.controllers[0].controller
        begins = controller is not None and controller.phase == "search" and not controller._losses
        loss = session.step()
        if begins:
            firsts.append(loss)
    assert len(firsts) == 6
    assert len(set(firsts)) == 2  # one loss a stage: the same weights, batch and dropout
    used = [record for record in controller.history if "useful_step" in record]
    plain = Session(toy(), lambda model: parse_expression("adamw").build(model, {"lr": 1.0}), seed=3)
    for step in range(session.steps):
        due = [record["lr"] for record in used if record["useful_step"] < step]
        plain.optimizer.param_groups[0]["lr"] = due[-1] if due else controller.min_lr
        plain.step()
    for ours, theirs in zip(session.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("steps", [0, 1, 20, 40, 90])
def test_it_resumes_bit_for_bit(steps, tmp_path):
    whole, begun, resumed = (session_of(FEW) for _ in range(3))
    expected = [whole.step() for _ in range(150)]
    first = [begun.step() for _ in range(steps)]
    torch.save(begun.snapshot(), tmp_path / "run")
    resumed.restore(torch.load(tmp_path / "run", weights_only=True), refund=True)
    assert first + [resumed.step() for _ in range(150 - steps)] == expected
    assert resumed.controllers[0].history == whole.controllers[0].history
    for ours, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_trial_of_a_comparison_records_its_pace():
    outcome = run_trial(lambda: session_of(FEW), evaluations=4, test=True, report=lambda *_: False)
    assert (outcome.status, outcome.error, outcome.cost) == ("complete", None, 2000)
    assert len({rate for _, rate in outcome.traces[LEARNING_RATE]}) > 3
    assert outcome.measures[STEPS] < 200


def test_diverging_trials_do_not_end_the_run():
    session = session_of("sgd+autolrs(min_lr=0.01, max_lr=1e30, candidates=3, trial_fraction=0.2)")
    losses = [session.step() for _ in range(120)]
    forecasts = [r["forecast"] for r in session.controllers[0].controller.history if "forecast" in r and "trial" in r]
    assert math.inf in forecasts
    assert all(loss < float("inf") for loss in losses)


def test_a_run_that_cannot_be_saved_has_diverged():
    session = session_of("sgd+autolrs(min_lr=1e30, max_lr=1e31, candidates=3, trial_fraction=0.2)")
    session.step()
    with pytest.raises(DivergedError):
        session.step()


def test_validation_losses_are_charged():
    session = session_of("adamw+autolrs(candidates=2, trial_fraction=0.5, validation=True)", steps=400)
    session.step()
    begin = session.meter.used
    for _ in range(30):
        session.step()
    validations = (session.meter.used - begin - 300) / 9  # a third of 26 samples, rounded up
    assert validations == int(validations) > 0


def test_it_goes_around_every_kind_of_optimizer():
    for text in ("lion", "clip(lion)", "galore(adamw, rank=1)", "adahessian", "sgd"):
        session = session_of(f"{text}+autolrs(candidates=3, trial_fraction=0.2)")
        while not session.meter.exhausted:
            session.step()
        controller = session.controllers[0].controller
        assert controller.phase == "training"
        assert controller.useful_steps < controller.total_steps


def test_a_budget_too_short_is_refused_with_the_remedy():
    session = session_of("adamw+autolrs", steps=100)
    with pytest.raises(InputError, match=r"1000 sample-gradients, 100 steps, is too short: it needs 161 steps.*fewer"):
        session.step()
    assert session_of("adamw+autolrs", steps=161).step() > 0


def test_outside_of_a_session_it_says_what_to_use():
    with pytest.raises(
        InputError,
        match=r"autolrs stands beside an optimizer .*:\nimport torch\nfrom trimtab",
    ):
        create("adamw+autolrs", torch.nn.Linear(2, 2))


def test_its_lines_can_be_pasted():
    values = {"model": torch.nn.Linear(2, 2), "loader": [1, 2]}
    exec(parse_expression("lion+autolrs").code({"weight_decay": 0.0}), values)
    assert isinstance(values["autolrs"], AutoLRS)
    range_of_lr = parse_expression("lion").tunables["lr"]
    assert values["autolrs"].min_lr == pytest.approx(range_of_lr.low, rel=5e-3)

"""AutoLRS in a loop: where it goes back to, what it counts, what it chooses."""

import copy
import io
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from trimtab.lab.controller import Controller
from trimtab.schedule import AutoLRS, ReplayedBatches
from trimtab.schedule.autolrs.roll_back import LoopRollBack
from trimtab.study.errors import DivergedError

SHORT = {"stage": 20, "longest_stage": 40, "trial_fraction": 0.4, "candidates": 3}


def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 6, generator=generator)
    return TensorDataset(inputs, (inputs @ torch.randn(6, 3, generator=generator)).argmax(1))


class Stream:
    """Random batches without end, and the place that has been reached."""

    def __init__(self):
        self.position = 0

    def __iter__(self):
        inputs, targets = data().tensors
        while True:
            rows = torch.randint(64, (10,), generator=torch.Generator().manual_seed(self.position))
            self.position += 1
            yield inputs[rows], targets[rows]


class Loop:
    """A run with dropout, batch statistics and momentum, with losses and random numbers of its own."""

    def __init__(self, optimizer=torch.optim.Adam, **settings):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
        self.optimizer = optimizer(self.model.parameters(), lr=0.01)
        self.stream = Stream()
        self.batches = ReplayedBatches(self.stream)
        self.iterator = iter(self.batches)
        self.losses = []
        settings = {"min_lr": 1e-3, "max_lr": 0.3, **SHORT, "batches": self.batches, **settings}
        self.autolrs = AutoLRS(self.optimizer, self.model, **settings)
        self.random = torch.get_rng_state()

    def step(self):
        torch.set_rng_state(self.random)
        batch = next(self.iterator)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        self.autolrs.observe(loss.item())
        self.random = torch.get_rng_state()

    def everything(self):
        torch.set_rng_state(self.random)
        return LoopRollBack(self.model, self.optimizer).save()


def same(one, other):
    """Whether two saved states are equal bit for bit, but for the rates."""
    rates = [group.pop("lr") for state in (one, other) for group in state["optimizer"]["param_groups"]]
    assert rates
    return repr_of(one) == repr_of(other)


def repr_of(state):
    torch.set_printoptions(precision=17, threshold=10**9)
    try:
        return repr(state)
    finally:
        torch.set_printoptions(profile="default")


def test_it_is_a_controller():
    assert isinstance(Loop().autolrs, Controller)


def test_every_trial_begins_at_the_same_point_and_the_run_goes_on_from_there():
    loop = Loop(warmup_steps=3)
    for _ in range(3):
        loop.step()
    assert loop.autolrs.phase == "search"
    begin = loop.everything()
    for trial in range(3):
        assert loop.autolrs.history[-1]["trial"] == trial + 1
        for _ in range(8):
            loop.step()
        assert same(loop.everything(), begin)
        begin = loop.everything()
    assert loop.autolrs.phase == "training"
    first = [loop.losses[3 + 8 * trial] for trial in range(3)]
    loop.step()
    assert {*first, loop.losses[-1]} == {first[0]}  # the same weights, batch and dropout


def test_what_is_kept_is_a_run_at_the_chosen_rates():
    loop = Loop()
    while loop.autolrs.useful_steps < 60:
        loop.step()
    chosen = [record for record in loop.autolrs.history if "useful_step" in record][:2]
    assert [record["useful_step"] for record in chosen] == [0, 20]
    plain = Loop(min_lr=0.1, max_lr=0.1)
    for step in range(60):
        plain.optimizer.param_groups[0]["lr"] = chosen[step >= 20]["lr"]
        plain.autolrs.lr = chosen[step >= 20]["lr"]
        plain.step()
    for ours, theirs in zip(loop.model.state_dict().values(), plain.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_equal_bounds_are_plain_training():
    loop, steps = Loop(min_lr=0.02, max_lr=0.02), 30
    reference = Loop(min_lr=0.5, max_lr=0.5)
    reference.autolrs.observe = lambda loss: None
    reference.optimizer.param_groups[0]["lr"] = 0.02
    for _ in range(steps):
        loop.step()
        reference.step()
    assert loop.autolrs.useful_steps == loop.autolrs.total_steps == steps
    assert same(loop.everything(), reference.everything())


def quadratic(**settings):
    param = nn.Parameter(torch.tensor([3.0]))
    model = nn.Module()
    model.weight = param
    optimizer = torch.optim.SGD([param], lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller = AutoLRS(optimizer, model, **{"min_lr": 0.01, "max_lr": 0.9, **settings})
    return param, optimizer, controller


def descend(param, optimizer, controller, curvature=1.0):
    loss = 0.5 * curvature * (param**2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    controller.observe(loss.item())


def test_stages_double_and_steps_are_counted():
    _, _, controller = quadratic()
    ends = []
    for step in range(1, 30_001):
        before = controller.useful_steps, controller.phase
        controller.observe(1.0 / step)
        if before[1] == "training" and controller.phase == "search":
            ends.append((controller.total_steps, controller.useful_steps))
    assert ends == [(2000, 1000), (6000, 3000), (14000, 7000), (30000, 15000)]
    assert controller.stage == 8000


def test_the_rate_nearest_to_the_inverse_curvature_wins():
    param, optimizer, controller = quadratic(stage=200, candidates=6)
    start = param.item()
    for _ in range(6 * 20):
        descend(param, optimizer, controller)
    tried = [record["lr"] for record in controller.history if "trial" in record]
    assert controller.lr == min(tried, key=lambda rate: abs(1 - rate))
    assert param.item() == start
    assert controller.history[-1]["forecast"] == pytest.approx(0, abs=1e-4)


def test_a_known_length_ends_in_training():
    for length in (400, 777, 1234, 5000):
        _, _, controller = quadratic(stage=100, longest_stage=400, length=length)
        for _ in range(length):
            controller.observe(1.0)
        assert controller.phase == "training"
        assert controller.total_steps == length
        searched = [record for record in controller.history if "trial" in record]
        assert len(searched) % 10 == 0
        assert 0.4 * length <= controller.useful_steps < length


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_stage_in_which_all_trials_diverge_keeps_the_last_safe_rate(bad):
    _, _, controller = quadratic(**SHORT)
    controller.observe(bad)
    controller.observe(bad)
    with pytest.warns(RuntimeWarning, match="has abandoned a stage.* A lower max_lr"):
        controller.observe(bad)
    assert controller.phase == "training"
    assert controller.lr == controller.min_lr
    assert controller.history[-1]["abandoned"] == 1.0
    assert [record["forecast"] for record in controller.history[:3]] == [math.inf] * 3


def test_training_that_diverges_goes_back_and_then_gives_up():
    param, _, controller = quadratic(**SHORT)
    start = param.item()
    for _ in range(24):
        controller.observe(1.0)
    controller.observe(1.0)
    chosen = controller.lr
    assert (controller.phase, controller.useful_steps) == ("training", 1)
    with torch.no_grad():
        param.fill_(math.nan)
    with pytest.warns(RuntimeWarning, match="has abandoned a stage"):
        controller.observe(math.nan)
    assert param.item() == start
    assert (controller.useful_steps, controller.total_steps) == (0, 26)
    assert controller.lr == controller.min_lr < chosen
    assert controller.history[-1]["abandoned"] == 1.0
    with pytest.raises(DivergedError, match="nan at step 27"):
        controller.observe(math.nan)


COURSES = {
    "falling": lambda lr, t: 1.0 + math.exp(-3 * lr * t),
    "far above a million": lambda lr, t: 4e10 * (1.5 + math.exp(-3 * lr * t)),
    "below zero": lambda lr, t: -7.0 + math.exp(-3 * lr * t),
    "through zero": lambda lr, t: math.exp(-3 * lr * t) - 0.7,
    "some diverge": lambda lr, t: 1.0 + math.exp(-3 * lr * t) if lr < 0.4 else 10.0 ** (t * t),
}


def decisions(course, factor=1.0, shift=0.0, *, kappa=1e6, published=False):
    """Returns all rates of a run whose losses follow a course, and whether each was abandoned."""
    settings = {"stage": 80, "longest_stage": 160, "candidates": 5, "kappa": kappa, "published_forecast": published}
    _, _, controller = quadratic(**settings)
    began = 0
    for step in range(500):
        if len(controller.history) > began and controller.history[-1]["step"] == step:
            began, start = len(controller.history), step
        with np.errstate(over="ignore"):
            controller.observe(float(np.float64(factor) * np.float64(course(controller.lr, step - start)) + shift))
    return [(record["lr"], "trial" in record, "abandoned" in record) for record in controller.history]


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize(("kappa", "published"), [(1e6, False), (1e6, True), (1.0, False)])
def test_powers_of_two_of_the_loss_change_nothing_at_all(course, kappa, published):
    expected = decisions(COURSES[course], kappa=kappa, published=published)
    assert len(expected) >= 18
    assert not any(abandoned for *_, abandoned in expected)
    for factor in (2.0**40, 2.0**-900):
        assert decisions(COURSES[course], factor, kappa=kappa, published=published) == expected


@pytest.mark.parametrize("course", [name for name in COURSES if name != "far above a million"])
def test_other_units_and_origins_of_the_loss_change_nothing_but_rounding(course):
    expected = decisions(COURSES[course])
    for factor, shift in ((1e-12, 0.0), (3e30, 0.0), (1.0, -1e4), (1.0, 1e4)):
        found = decisions(COURSES[course], factor, shift)
        assert [kind for _, *kind in found] == [kind for _, *kind in expected]
        assert [rate for rate, *_ in found] == pytest.approx([rate for rate, *_ in expected], rel=1e-6)


def test_validation_losses_serve_after_the_longest_stage():
    calls = []

    def validate():
        calls.append(controller.total_steps)
        return 0.5 + 1 / len(calls)

    _, _, controller = quadratic(**{**SHORT, "stage": 40, "trial_fraction": 0.8}, validate=validate)
    for _ in range(3 * 32 + 40):
        controller.observe(9.0)
    assert calls == []
    for _ in range(32):
        controller.observe(9.0)
    assert [call - 136 for call in calls] == list(range(2, 33, 2))  # 16 of them
    assert controller.history[-2]["forecast"] == pytest.approx(0.5, abs=0.1)


def test_a_validation_loss_above_the_first_training_loss_is_not_extended():
    _, _, controller = quadratic(**SHORT, validate=lambda: 2.0, always_validate=True)
    for _ in range(8):
        controller.observe(1.0)
    assert controller.history[0]["forecast"] == 2.0


@pytest.mark.parametrize("steps", [2, 12, 27, 40])
def test_it_resumes_bit_for_bit(steps):
    whole, begun, resumed = (Loop(warmup_steps=2) for _ in range(3))
    for _ in range(70):
        whole.step()
    for _ in range(steps):
        begun.step()
    file = io.BytesIO()
    parts = ("model", "optimizer", "autolrs", "batches")
    states = {name: getattr(begun, name).state_dict() for name in parts}
    torch.save({**states, "random": begun.random, "position": begun.stream.position}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    for name in parts:
        getattr(resumed, name).load_state_dict(state[name])
    resumed.random, resumed.stream.position = state["random"], state["position"]
    assert resumed.optimizer.param_groups[0]["lr"] == begun.autolrs.lr
    for _ in range(70 - steps):
        resumed.step()
    assert resumed.losses == whole.losses[steps:]
    assert resumed.autolrs.history == whole.autolrs.history
    assert same(resumed.everything(), whole.everything())


@pytest.mark.parametrize("first", ["controller", "batches", "controller alone"])
def test_its_batches_come_back_in_whatever_order_a_loop_is_put_together(first):
    whole, begun, resumed = (Loop() for _ in range(3))
    for _ in range(40):
        whole.step()
    for _ in range(12):
        begun.step()
    if first == "controller":
        resumed.batches.load_state_dict(begun.batches.state_dict())
    elif first == "batches":  # a stage begins when the controller is made
        resumed.batches.load_state_dict(begun.batches.state_dict())
        resumed.autolrs = AutoLRS(resumed.optimizer, resumed.model, 1e-3, 0.3, **SHORT, batches=resumed.batches)
    for name in ("model", "optimizer", "autolrs"):
        getattr(resumed, name).load_state_dict(copy.deepcopy(getattr(begun, name).state_dict()))
    resumed.random, resumed.stream.position = begun.random, begun.stream.position
    for _ in range(28):
        resumed.step()
    assert resumed.losses == whole.losses[12:]


def test_a_state_without_batches_leaves_them_as_they_are():
    loop = Loop()
    loop.step()
    state = loop.autolrs.state_dict()
    del state["batches"]
    loop.step()
    loop.autolrs.load_state_dict(state)
    assert loop.batches.state_dict()["position"] == 2


def test_extra_state_comes_back_too():
    average = torch.optim.swa_utils.AveragedModel(nn.Linear(1, 1))
    loop = Loop(extra_state=[average])
    average.update_parameters(nn.Linear(1, 1))
    assert average.n_averaged == 1
    for _ in range(8):
        loop.step()
    assert average.n_averaged == 0


def test_groups_keep_their_ratios_on_request():
    model = nn.Linear(2, 2)
    groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": torch.tensor(0.02)}]
    optimizer = torch.optim.SGD(groups)
    batches = ReplayedBatches([])
    with pytest.raises(ValueError, match=r"rates differ, \[0.1, 0.0199.*scale_groups=True"):
        AutoLRS(optimizer, model, 0.01, 1.0, batches=batches)
    controller = AutoLRS(optimizer, model, 0.01, 1.0, batches=batches, scale_groups=True)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    assert rates == [controller.lr, pytest.approx(0.2 * controller.lr)]


def by_hand(autolrs, batches, steps):
    for _, batch in zip(range(steps), batches, strict=False):
        del batch
        autolrs.observe(1.0)


def test_a_loop_that_iterates_over_something_else_is_told():
    model = nn.Linear(2, 2)
    batches = ReplayedBatches(range(1000))
    autolrs = AutoLRS(torch.optim.SGD(model.parameters(), lr=0.1), model, 1e-4, 0.1, batches=batches, stage=100)
    with pytest.raises(
        RuntimeError, match=r"no batch was taken from batches= in a trial of 10 steps.* iterate over the R"
    ):
        by_hand(autolrs, range(1000), 80)
    assert autolrs.total_steps == 10


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_batches_that_were_taken_before_are_no_reason_to_complain(ahead):
    model = nn.Linear(2, 2)
    batches = ReplayedBatches(range(1000))
    iterator = iter(batches)
    taken = [next(iterator) for _ in range(ahead)]
    autolrs = AutoLRS(torch.optim.SGD(model.parameters(), lr=0.1), model, 1e-4, 0.1, batches=batches, stage=100)
    for _ in taken[:1]:
        autolrs.observe(float("nan"))  # ends the first trial with its first step
    by_hand(autolrs, iterator, 80)
    assert autolrs.total_steps == 80 + min(ahead, 1)


def test_data_that_stay_where_they_are_are_warned_of():
    with pytest.warns(UserWarning, match=r"not the data: trials see different batches.*ReplayedBatches"):
        Loop(batches=None)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"min_lr": 0.0}, ValueError, "min_lr=0.0 must lie in"),
        ({"min_lr": 0.5, "max_lr": 0.1}, ValueError, "min_lr=0.5, max_lr=0.1"),
        ({"max_lr": "high"}, TypeError, "max_lr='high'"),
        (
            {"stage": 70, "longest_stage": 70, "trial_fraction": 0.1},
            ValueError,
            "stage=70.*trial_fraction=0.1.*at least 8",
        ),
        ({"stage": 100, "longest_stage": 50}, ValueError, "longest_stage=50 must be a whole number >= 100"),
        ({"candidates": 1}, ValueError, "candidates=1 must be a whole number >= 2"),
        ({"kappa": -1.0}, ValueError, "kappa=-1.0"),
        ({"trial_fraction": 1.5}, ValueError, "trial_fraction=1.5"),
        ({"validate": 3}, TypeError, "validate=3"),
        ({"always_validate": True}, ValueError, "needs validate"),
        ({"length": 30}, ValueError, "length=30: 3 trials.*at least 44 steps"),
        ({"extra_state": [3]}, TypeError, "extra_state: 3"),
        ({"batches": [1]}, TypeError, r"batches=\[1\] must be ReplayedBatches"),
        ({"warmup_steps": 1.5}, TypeError, "warmup_steps=1.5"),
        ({"seed": -1}, ValueError, "seed=-1"),
    ],
)
def test_bad_input(settings, error, message):
    with pytest.raises(error, match=message):
        Loop(**settings)


def test_a_foreign_state_is_refused():
    loop = Loop()
    before = loop.autolrs.state_dict()["history"]
    with pytest.raises(ValueError, match="state_dict"):
        loop.autolrs.load_state_dict({"lr": 0.1})
    assert loop.autolrs.history == before


def test_batches_come_again_across_an_epoch():
    batches = ReplayedBatches(range(3))
    first = iter(batches)
    assert next(first) == 0
    batches.mark()
    assert list(first) == [1, 2]
    second = iter(batches)
    assert next(second) == 0
    batches.rewind()
    assert [next(second), next(second)] == [1, 2]
    batches.rewind(keep=False)
    assert list(second) == [1, 2, 0, 1, 2]
    with pytest.raises(RuntimeError, match="no mark"):
        batches.rewind()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("on_cpu", [False, True])
def test_every_precision_comes_back(dtype, on_cpu):
    model = nn.Linear(3, 2).to(dtype)
    model.register_buffer("count", torch.zeros((), dtype=torch.int64), persistent=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    roll_back = LoopRollBack(model, optimizer, on_cpu=on_cpu)

    def step():
        optimizer.zero_grad()
        model(torch.randn(4, 3).to(dtype)).square().sum().backward()
        optimizer.step()
        model.count += 1

    step()
    saved = roll_back.save()
    for last in (False, True):
        step()
        assert model.count == 2
        roll_back.restore(saved, last=last)
        assert repr_of(roll_back.save()) == repr_of(saved)


def test_the_copy_is_independent_of_the_run():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    roll_back = LoopRollBack(model, optimizer)
    saved = roll_back.save()
    before = repr_of(saved)
    optimizer.step()
    roll_back.restore(saved, last=False)
    optimizer.step()
    assert repr_of(saved) == before

"""The learner in a loop of one's own: what it sets, when, and that it resumes."""

import io
import math

import pytest
import torch
from torch import nn

from trimtab.lab.controller import Controller
from trimtab.optim import Lion
from trimtab.schedule import LanczosLearner

DIAGONAL = torch.arange(1, 101, dtype=torch.float64)


def quadratic(**settings):
    """Half of the sum of i x_i^2, with 100 outputs."""
    param = nn.Parameter(torch.ones(100, dtype=torch.float64))
    optimizer = torch.optim.SGD([param], **{"lr": 0.01, "momentum": 0.5, **settings})
    return param, optimizer, lambda: param, lambda x: (DIAGONAL * x.square()).sum() / 2


def learner(optimizer, outputs, loss, **more):
    return LanczosLearner(optimizer, outputs, loss, **{"steps": 100, "safety": 1.0, "largest_change": math.inf, **more})


@pytest.mark.parametrize("matrix", ["hessian", "ggn"])
def test_a_quadratic_gets_the_textbooks_settings(matrix):
    _, optimizer, *parts = quadratic()
    own = learner(optimizer, *parts, matrix=matrix)
    own.refresh()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(4 / 121)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx((9 / 11) ** 2)
    (record,) = own.history
    assert record == pytest.approx({"step": 0, "lr": 4 / 121, "momentum": (9 / 11) ** 2, "largest": 100, "smallest": 1})


@pytest.mark.parametrize("unit", [1.0, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_momentum_does_not_hang_on_rounding_where_there_are_more_parameters_than_data(unit, seed):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model, inputs, targets = nn.Linear(40, 1, bias=False), torch.randn(25, 40), torch.randn(25, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    own = learner(optimizer, lambda: model(inputs), lambda z: unit * (z - targets).square().mean(), steps=40, seed=seed)
    found = own.refresh()
    curvature = torch.linalg.eigvalsh(2 * unit * inputs.double() @ inputs.double().T / 25)
    assert (found.smallest, found.largest) == pytest.approx((float(curvature[0]), float(curvature[-1])), rel=1e-3)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.545, abs=0.001)


def test_variants_on_their_optimizers():
    _, optimizer, *parts = quadratic(nesterov=True)
    assert learner(optimizer, *parts).settings["variant"] == "nesterov"  # as the optimizer is
    learner(optimizer, *parts, variant="nesterov").refresh()
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]) == pytest.approx((0.01, 9 / 11))
    _, optimizer, *parts = quadratic()
    learner(optimizer, *parts, variant="sgd", smallest="minimum").refresh()
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]) == pytest.approx((2 / 101, 0))
    _, optimizer, *parts = quadratic()
    learner(optimizer, *parts, variant="sgd").refresh()  # the median, as in the paper
    assert optimizer.param_groups[0]["lr"] == pytest.approx(2 / 150.5)


def test_weight_decay_counts_as_curvature():
    _, optimizer, *parts = quadratic(weight_decay=300.0)
    own = learner(optimizer, *parts)
    own.refresh()
    assert (own.history[0]["largest"], own.history[0]["smallest"]) == (pytest.approx(400), pytest.approx(301))


def test_limits():
    _, optimizer, *parts = quadratic(lr=1e-3)
    own = learner(optimizer, *parts, largest_change=4.0, largest_momentum=0.3, safety=0.5)
    own.refresh()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(4e-3)
    assert optimizer.param_groups[0]["momentum"] == 0.3
    own.refresh()
    own.refresh()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 4 / 121)  # 16e-3 lay on the way


def test_all_groups_get_the_same_and_tensors_stay_the_same_tensor():
    first, second = (nn.Parameter(torch.ones(n)) for n in (2, 3))
    rate = torch.tensor(0.1)
    optimizer = torch.optim.SGD([{"params": [first], "lr": 0.2}, {"params": [second], "lr": rate}], momentum=0.1)
    own = LanczosLearner(
        optimizer, lambda: torch.cat([first, second]), lambda x: 4 * x.square().sum(), steps=5, safety=1.0
    )
    own.refresh()
    assert optimizer.param_groups[1]["lr"] is rate
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([1 / 8, 1 / 8])


def test_the_pace():
    _, optimizer, *parts = quadratic()
    own = learner(optimizer, *parts, every=3, warmup=2, steps=4)
    for _ in range(9):
        own.observe(1.0)
    assert [record["step"] for record in own.history] == [2, 5, 8]


def test_nothing_to_learn_keeps_what_was():
    param = nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([param], lr=0.3, momentum=0.2)
    own = LanczosLearner(optimizer, lambda: param, lambda x: -x.square().sum(), steps=3)
    with pytest.warns(RuntimeWarning, match="no positive curvature"):
        assert own.refresh() is None
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"], own.history) == (0.3, 0.2, [])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused_and_nothing_changes(value):
    param = nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([param], lr=0.3, momentum=0.2)
    own = LanczosLearner(optimizer, lambda: param, lambda x: value * x.square().sum(), steps=3)
    with pytest.raises(ValueError, match="not finite"):
        own.refresh()
    assert (optimizer.param_groups[0]["lr"], own.history, own.state_dict()["refreshes"]) == (0.3, [], 0)


def training(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(64, 6, generator=generator), torch.randint(0, 3, (64,), generator=generator)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    own = LanczosLearner(
        optimizer, lambda: model(inputs), lambda z: nn.functional.cross_entropy(z, targets), every=2, warmup=1, steps=6
    )

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        own.observe(loss.item())

    return model, optimizer, own, step


def test_it_resumes_bit_for_bit():
    torch.manual_seed(5)
    model, optimizer, own, step = training()
    for _ in range(5):
        step()
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict(), own.state_dict(), torch.get_rng_state()], file)
    for _ in range(5):
        step()
    file.seek(0)
    again, other, resumed, go_on = training(seed=1)
    states = torch.load(file, weights_only=True)
    for part, state in zip((again, other, resumed), states[:3], strict=True):
        part.load_state_dict(state)
    torch.set_rng_state(states[3])
    for _ in range(5):
        go_on()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert own.history == resumed.history
    assert len(own.history) == 5


def test_the_global_generator_is_left_alone():
    _, _, own, _ = training()
    before = torch.get_rng_state()
    own.refresh()
    assert torch.equal(before, torch.get_rng_state())


def test_the_saved_history_is_a_copy():
    _, _, own, step = training()
    step()
    saved = own.state_dict()
    own.history[0]["lr"] = 7.0
    assert saved["history"][0]["lr"] != 7.0


@pytest.mark.parametrize(("more", "words"), [
    ({"every": 0}, "every=0"), ({"steps": 1}, "steps=1"), ({"variant": "adam"}, "variant='adam'"),
    ({"smallest": "mean"}, "smallest='mean'"), ({"matrix": "fisher"}, "matrix='fisher'"), ({"safety": 0.0},
    "safety=0.0"), ({"largest_momentum": 1.0}, "largest_momentum=1.0"), ({"largest_change": 0.5}, "largest_change=0.5"),
    ({"bulk": 1.5}, "bulk=1.5"), ({"seed": -1}, "seed=-1"), ({"warmup": -1}, "warmup=-1"),
    ({"variant": "nesterov"}, "nesterov=False of optimizer=SGD"),
])  # fmt: skip
def test_bad_settings_are_named(more, words):
    _, optimizer, *parts = quadratic()
    with pytest.raises(ValueError, match=words):
        LanczosLearner(optimizer, *parts, **more)


def test_optimizers_that_cannot_be_set_are_refused():
    param, optimizer, outputs, loss = quadratic()
    for made in (
        torch.optim.AdamW([param]),
        Lion([param], compile=False),
        torch.optim.RMSprop([param]),
        torch.optim.Adagrad([param]),
    ):
        with pytest.raises(ValueError, match="divides gradients by their size"):
            LanczosLearner(made, outputs, loss, variant="sgd")
    del optimizer.param_groups[0]["momentum"]
    with pytest.raises(ValueError, match="has no momentum"):
        LanczosLearner(optimizer, outputs, loss)
    LanczosLearner(optimizer, outputs, loss, variant="sgd").refresh()
    with pytest.raises(ValueError, match=r"dampening=0.1"):
        LanczosLearner(torch.optim.SGD([param], momentum=0.1, dampening=0.1), outputs, loss)
    with pytest.raises(TypeError, match="optimizer="):
        LanczosLearner("sgd", outputs, loss)
    with pytest.raises(TypeError, match="outputs=3"):
        LanczosLearner(torch.optim.SGD([param]), 3, loss)


def test_heavy_ball_needs_an_optimizer_that_is_of_that_kind():
    _, optimizer, *parts = quadratic(nesterov=True)
    with pytest.raises(ValueError, match="nesterov=True of optimizer=SGD does not go with variant='heavy_ball'"):
        LanczosLearner(optimizer, *parts, variant="heavy_ball")


def test_it_is_a_controller():
    _, optimizer, *parts = quadratic()
    assert isinstance(LanczosLearner(optimizer, *parts), Controller)


def test_a_foreign_state_is_refused():
    _, optimizer, *parts = quadratic()
    with pytest.raises(ValueError, match="state_dict="):
        LanczosLearner(optimizer, *parts).load_state_dict({"observed": 1})

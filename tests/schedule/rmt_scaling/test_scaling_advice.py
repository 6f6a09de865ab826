"""Advice for another batch size: what follows from what, on a task whose curvature is known and on one that ships."""

import json

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy, session
from trimtab import Metric, Task
from trimtab.schedule.rmt_scaling.scaling_advice import advise
from trimtab.schedule.rmt_scaling.task_curvature import task_curvature
from trimtab.study.errors import InputError

SOURCE = """
import torch
from tests.schedule.rmt_scaling.test_scaling_advice import Flat, LeastSquares, NoOutputs, Rare, Wrong
"""

D, N = 40, 2000


class LeastSquares(Task):
    """Linear regression on normal inputs, of which one has a standard deviation of 4."""

    name = "least-squares"
    metric = Metric("loss", "min")
    batch_size = 8

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        scale = torch.ones(D)
        scale[0] = 4
        inputs = torch.randn(N, D, generator=generator) * scale
        rows = TensorDataset(inputs, torch.randn(N, generator=generator))
        self.train = self.validation = self.test = rows

    def model(self, generator):
        return nn.Sequential(nn.Linear(D, 1, bias=False), nn.Flatten(0))

    def losses(self, outputs, batch):
        return (outputs - batch[1]).square() / 2

    def score(self, outputs, batch):
        return self.losses(outputs, batch).mean()


class Flat(LeastSquares):
    """Three directions of curvature, 16, 1 and 0.01, of which the last is that of nearly all parameters."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        scale = torch.tensor([4.0, 1.0, 1.0] + [0.1] * (D - 3), dtype=torch.float64)
        inputs, _ = torch.linalg.qr(torch.randn(N, D, generator=generator, dtype=torch.float64))
        rows = TensorDataset(inputs * N**0.5 * scale, torch.randn(N, generator=generator, dtype=torch.float64))
        self.train = self.validation = self.test = rows

    def model(self, generator):
        return super().model(generator).double()


class NoOutputs(LeastSquares):
    def outputs(self, model, batch):
        return {"y": model(batch[0])}

    def losses(self, outputs, batch):
        return super().losses(outputs["y"], batch)


class Wrong(LeastSquares):
    def losses(self, outputs, batch):
        return -super().losses(outputs, batch)


class Rare(LeastSquares):
    """One sample in fifty has inputs so large that its curvature is out of all proportion."""

    def __init__(self):
        super().__init__()
        self.train.tensors[0][::50] *= 1e8


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "task.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def task(file):
    return f"{file}:LeastSquares"


def test_the_law_of_least_squares_is_found(task):
    advice = advise(task, 512)
    law = advice.laws[0]
    assert law.eigenvalue == pytest.approx(16, rel=0.1)
    assert law.knee == pytest.approx((D - 1) / 16, rel=0.15)
    assert (advice.from_batch, advice.to_batch, advice.samples, advice.parameters) == (8, 512, N, D)
    assert advice.regime == "curvature"
    assert advice.factor == pytest.approx(advice.largest_lr[1] / advice.largest_lr[0])
    assert advice.damping == pytest.approx(advice.factor * 8 / 512)
    assert advice.smallest == pytest.approx(1, rel=0.4)
    assert advice.momentum == pytest.approx(((4 - 1) / (4 + 1)) ** 2, abs=0.1)


def test_the_bulk_of_several_starts_is_no_smallest_curvature(file):
    advice = advise(f"{file}:Flat", 512, curvature_batch=N)
    assert advice.smallest == pytest.approx(1, rel=1e-3)


def test_regimes_are_told_by_the_knee(task):
    assert advise(task, 2, 1).regime == "noise"
    assert advise(task, 200, 1).regime == "both"
    assert advise(task, 1, 200).regime == "both"


def test_a_given_rate_is_scaled_and_an_adaptive_one_by_the_root(task):
    plain, adaptive = (advise(task, 512, 1, optimizer=name, lr=0.01) for name in ("sgd", "adamw"))
    assert plain.lr == pytest.approx(0.01 * plain.factor)
    assert adaptive.factor == pytest.approx(plain.factor**0.5)
    assert adaptive.momentum is None
    assert advise(task, 512, optimizer="adamw").lr is None


def test_the_same_seed_gives_the_same_advice_and_plain_values(task):
    one, other = (advise(task, 64, seed=3, steps=2) for _ in range(2))
    assert one == other
    assert one.steps == 2
    assert json.loads(json.dumps(one.to_dict(), allow_nan=False))["to_batch"] == 64
    assert advise(task, 64, seed=4).laws != one.laws


def test_the_task_itself_is_left_as_it_is(tmp_path):
    path = tmp_path / "task.py"
    path.write_text(SOURCE + "\nmade = LeastSquares()\n")
    advise(f"{path}:made", 64, 2, steps=1)
    advice = advise(f"{path}:made", 64)
    assert (advice.from_batch, advice.steps) == (8, 0)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"to_batch": 4096}, "to_batch=4096 exceeds the 2000 training samples"),
    ({"to_batch": 64, "from_batch": 2001}, "from_batch=2001 exceeds the 2000"),
    ({"to_batch": 64, "curvature_batch": 2001}, "curvature_batch=2001 exceeds"),
    ({"to_batch": 64, "curvature_batch": 1}, "curvature_batch=1"),
    ({"to_batch": 0}, "to_batch=0"),
    ({"to_batch": 64, "from_batch": True}, "from_batch=True"),
    ({"to_batch": 64, "optimizer": "lion"}, "optimizer='lion' must be sgd or adamw"),
    ({"to_batch": 64, "optimizer": None}, "optimizer=None"),
    ({"to_batch": 64, "lr": 0.0}, "lr=0.0"),
    ({"to_batch": 64, "lr": float("nan")}, "lr=nan"),
    ({"to_batch": 64, "steps": -1}, "steps=-1"),
    ({"to_batch": 64, "seed": -1}, "seed=-1"),
    ({"to_batch": 64, "steps": 200, "lr": 1e6}, "lr=1000000.0 is too large for least-squares"),
])  # fmt: skip
def test_bad_input_is_named(task, arguments, words):
    with pytest.raises(InputError, match=words):
        advise(task, **arguments)


def test_a_rate_that_nobody_gave_is_named_where_training_diverges(file):
    with pytest.raises(InputError, match=r"^lr=0.0\d+, which is used where none is given, is too large for least-sq"):
        advise(f"{file}:Rare", 64, steps=200, curvature_batch=4)


def test_tasks_whose_curvature_says_nothing(file):
    with pytest.raises(InputError, match=r"cannot be measured: outputs\(\) returned a dict"):
        advise(f"{file}:NoOutputs", 64)
    with pytest.raises(InputError, match="no positive curvature"):
        advise(f"{file}:Wrong", 64)


def test_a_session_is_left_as_it_was():
    class Smooth(Toy):
        def model(self, generator):
            return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Tanh(), nn.Linear(16, 3))

    own = session(task=Smooth())
    own.step()
    before, outside = own.snapshot(), torch.get_rng_state()
    measured = task_curvature(own, 40, 0)
    assert torch.equal(outside, torch.get_rng_state())
    after = own.snapshot()
    assert all(torch.equal(value, after["model"][name]) for name, value in before["model"].items())
    assert (after["used"], after["cursor"]) == (before["used"], before["cursor"])
    assert float(measured.gauss_newton.ritz[0]) > -1e-5
    assert measured.noise > 0

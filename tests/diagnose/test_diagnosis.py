"""A diagnosis measures what its optimizers would do, and leaves the trajectory alone."""

import json
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy
from trimtab import Metric, Session, Task
from trimtab.catalog.candidates import parse_candidates
from trimtab.diagnose.diagnosis import Diagnosis, measured_steps, measurement
from trimtab.lab.shipped import PROBLEMS, Shipped
from trimtab.optim.coordinate_clipping.pseudo_updates import PseudoUpdates
from trimtab.primitives.local_model import LocalModel, local_models
from trimtab.study.errors import InputError

STEPS = 6
CANDIDATES = "sgd(lr=0.1),clip(sgd(lr=0.1), fraction=0.1),adamw(lr=0.01),lion(lr=0.01)"


class Bowl(Task):
    """Half of x'Hx with H = diag(100, 1, 1, 1) at (1, 1, 1, 1), whatever the batch."""

    name = "bowl"
    metric = Metric("loss", "min")
    batch_size, steps, seeds = 4, 3, 1
    train = validation = test = TensorDataset(torch.zeros(16, 1), torch.zeros(16))

    def model(self, generator):
        layer = nn.Linear(4, 1, bias=False)
        nn.init.ones_(layer.weight)
        return layer

    def outputs(self, model, batch):
        hessian = torch.tensor([100.0, 1.0, 1.0, 1.0])
        return (hessian * model.weight[0] ** 2).sum() / 2 + batch[0][:, 0]

    def losses(self, outputs, batch):
        return outputs

    def score(self, outputs, batch):
        return outputs.mean()


class Fused(Toy):
    """A task whose attention has no second derivative unless it is told to do without fusion."""

    def model(self, generator):
        return Attending()


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, inputs):
        rows = self.layer(inputs).reshape(1, 1, len(inputs), 3)
        return scaled_dot_product_attention(rows, rows, rows)[0, 0]


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return grad


class Opaque(Toy):
    """A task without second derivatives."""

    def losses(self, outputs, batch):
        return super().losses(Rounded.apply(outputs), batch)


class Exploding(Toy):
    """A task whose loss is not finite from some step on."""

    def losses(self, outputs, batch):
        return super().losses(outputs, batch) * (math.inf if outputs.requires_grad and outputs.abs().max() > 8 else 1)


@pytest.fixture(autouse=True)
def _tasks(monkeypatch):
    for task in (Toy, Bowl, Fused, Opaque, Exploding):
        place = f"{task.__module__}:{task.__name__}"
        monkeypatch.setitem(PROBLEMS, task.__name__.lower(), Shipped("optimizer", place, "A toy."))


def diagnosis(task="toy", candidates=CANDIDATES, **options):
    return Diagnosis(task, candidates, **{"steps": STEPS, "batches": 3, "points": 3, **options})


def test_a_bowl_that_clipping_solves_in_one_step():
    result = diagnosis("bowl", "sgd(lr=1e-3),clip(sgd(lr=1e-3), fraction=0.5),clip(sgd, fraction=0.5)", points=2).run()
    sgd, clip, tuned = result.measurements[:3]
    assert sgd.sharpness == pytest.approx(99.9703089, rel=1e-4)
    assert clip.sharpness == tuned.sharpness == pytest.approx(25.75, rel=1e-4)
    assert sgd.best_decrease == pytest.approx(50.0298544, rel=1e-4)
    assert clip.best_decrease == pytest.approx(51.5, rel=1e-4)
    assert sgd.correlation < 0


@pytest.mark.parametrize("task", [Toy, Fused])
def test_the_trajectory_is_the_same_without_measuring_and_without_a_diagnosis(task):
    def end(points):
        made = diagnosis(task.__name__.lower(), along="adamw(lr=0.01)", points=points, seed=3)
        state = torch.get_rng_state()
        made.run()
        assert torch.equal(torch.get_rng_state(), state)
        return made.session

    (candidate,) = parse_candidates("adamw(lr=0.01)")
    middle = {name: tunable.at(0.5) for name, tunable in candidate.tunables.items()}
    plain = Session(task(), candidate.build(middle), seed=3)
    for _ in range(STEPS):
        plain.step()
    for session in (end(1), end(STEPS)):
        for name, tensor in plain.model.state_dict().items():
            assert torch.equal(session.model.state_dict()[name], tensor), name
        assert session.model.training
        assert session.meter.used == plain.meter.used
        assert [m.training for m in session.model.modules()] == [m.training for m in plain.model.modules()]


def test_numbers_are_those_of_the_tools_by_hand():
    made = diagnosis(points=1, steps=4)
    last = made.run().measurements
    session = Session(Toy(), lambda model: torch.optim.SGD(model.parameters()), seed=0)
    builders = {
        each.label: each.build({name: tunable.at(0.5) for name, tunable in each.tunables.items()})
        for each in parse_candidates(CANDIDATES)
    }
    pseudo = PseudoUpdates(session.model, builders)
    session.optimizer = builders["sgd(lr=0.1)"](session.model)
    for step in range(1, 5):
        session.next_batch()
        session.closure()()
        pseudo.observe()
        if step < 4:
            session.optimizer.step()
    session.model.eval()
    task = session.task

    with torch.random.fork_rng([]):
        torch.manual_seed(made._noise)
        batches = [task.collate([task.train[int(row)] for row in rows]) for rows in made._rows]
    params = [param for param in session.model.parameters() if param.requires_grad]
    for each in last:
        (found,) = local_models(
            lambda batch: task.losses(task.outputs(session.model, batch), batch).mean(),
            params,
            [pseudo.direction(each.candidate)],
            batches,
        )
        assert each.sharpness == pytest.approx(found.sharpness, rel=1e-5)
        assert each.correlation == pytest.approx(found.correlation, rel=1e-5)
        assert each.step == 4


def test_it_depends_on_the_seed_alone():
    first, again, other = (diagnosis(seed=seed).run() for seed in (1, 1, 2))
    assert first.measurements == again.measurements != other.measurements


def test_the_first_candidate_makes_the_way_unless_another_is_named():
    assert diagnosis().run().along == "sgd(lr=0.1)"
    result = diagnosis(along="adamw").run()
    assert result.along == "adamw"
    assert set(result.settings) == {"adamw", *result.candidates}
    assert result.settings["adamw"]["lr"] == pytest.approx((3e-5 * 1e-1) ** 0.5)
    assert [each.candidate for each in result.measurements[:4]] == list(result.candidates)


def test_points_are_evenly_spread_over_the_logarithm():
    assert measured_steps(1000, 4) == [1, 10, 100, 1000]
    assert measured_steps(5, 10) == [1, 2, 3, 4, 5]
    assert measured_steps(7, 1) == [7]


def test_progress_is_told_with_what_was_measured():
    told = []
    result = diagnosis().run(lambda step, steps, found: told.append((step, steps, tuple(found))))
    assert [step for step, _, _ in told] == list(range(1, STEPS + 1))
    assert [each for _, _, found in told for each in found] == list(result.measurements)


def test_json_holds_everything(tmp_path):
    result = diagnosis().run()
    assert result.complete
    values = json.loads(result.write_json(tmp_path / "a" / "diagnosis.json").read_text())
    assert (values["schema"], values["schema_version"]) == ("trimtab.diagnosis", 1)
    assert len(values["measurements"]) == 4 * len(measured_steps(STEPS, 3))
    assert values["measurements"][0]["sharpness"] == result.measurements[0].sharpness


@pytest.mark.parametrize(
    ("model", "numbers", "note"),
    [
        (LocalModel(-2.0, 4.0, 1.0), (4.0, -2.0, 0.5), ""),
        (LocalModel(-2.0, -4.0, 1.0), (-4.0, -2.0, None), "no positive curvature, so no best step"),
        (LocalModel(2.0, 4.0, 1.0), (4.0, 2.0, None), "the loss rises along it"),
        (LocalModel(math.nan, 4.0, 1.0), (None, None, None), "the loss or its derivatives are not finite"),
    ],
)
def test_numbers_that_mean_nothing_are_left_out_with_the_reason(model, numbers, note):
    found = measurement("it", 3, model)
    assert (found.sharpness, found.correlation, found.best_decrease, found.note) == (*numbers, note)


def test_a_candidate_that_stands_still_is_noted(monkeypatch):
    made = diagnosis(candidates="adamw,sgd", points=1)
    monkeypatch.setattr(made._pseudo, "direction", lambda label: [torch.zeros_like(p) for p in made._pseudo.params])
    result = made.run()
    assert not result.complete
    assert {each.note for each in result.measurements} == {"its direction is zero"}


def test_a_trajectory_that_diverges_ends_there():
    result = diagnosis("exploding", "sgd(lr=1.0)", steps=200, points=200).run()
    assert result.diverged is not None
    assert not result.complete
    assert 0 < result.measurements[-1].step < result.diverged


def test_a_model_without_second_derivatives_is_refused_with_advice():
    with pytest.raises(InputError, match=r"opaque cannot be measured: .*no second derivative"):
        diagnosis("opaque").run()


def test_it_runs_once():
    made = diagnosis()
    made.run()
    with pytest.raises(RuntimeError, match="has run"):
        made.run()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": "sgd,loin"}, r"did you mean lion\?\n  sgd,loin\n      \^"),
        ({"candidates": "adahessian"}, "the candidate adahessian cannot be diagnosed: .*AdaHessian steps from more"),
        (
            {"candidates": "adamw+cosine"},
            r"the candidate adamw\+cosine cannot be diagnosed: .* built a CosineDecay, exp",
        ),
        ({"along": "adamw+cosine"}, r"the candidate adamw\+cosine cannot be diagnosed"),
        ({"candidates": "sgd,sso"}, "the candidate sso cannot be diagnosed"),
        ({"candidates": "sgd,agvm(sgd)"}, r"the candidate agvm\(sgd\) cannot be diagnosed"),
        ({"along": "adahessian"}, "the candidate adahessian cannot be diagnosed"),
        ({"along": "sgd,lion"}, "one expression is expected"),
        ({"along": ""}, "one expression is expected"),
        ({"candidates": "sgd,sgd"}, "given twice"),
        (
            {"candidates": "torch.optim:Rprop"},
            r"give ranges in the class.* in brackets: torch\.optim:Rprop\(lr=0\.001\)",
        ),
        ({"candidates": "sgd(momentum=-1.0)"}, r"sgd\(momentum=-1.0\) cannot be built: Invalid momentum"),
        ({"steps": 0}, "steps=0"),
        ({"points": 0}, "points=0"),
        ({"batches": 7}, "batches=7: at most 6 batches of 10 fit into the task's 64 samples"),
        ({"seed": -1}, "seed=-1"),
        ({"task": "tyo"}, "unknown problem 'tyo'"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(InputError, match=message):
        diagnosis(**options)

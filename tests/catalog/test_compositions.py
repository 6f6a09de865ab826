"""Every composition that the documentation lists: it trains, resumes bit for bit, takes schedules, is compared."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from trimtab import Comparison, Session
from trimtab.catalog.compositions import COMPOSITIONS, REFUSED
from trimtab.catalog.parsing import parse_expression
from trimtab.lab.tasks.tabular import BreastCancer
from trimtab.optim import AGVM, SSO, AdaHessian, CoordinateClip, GaLore, Lamb, Lars, QGaLore
from trimtab.primitives.wrapping import OptimizerWrapper
from trimtab.study.errors import InputError

EXPRESSIONS = [composition.expression for composition in COMPOSITIONS]
each = pytest.mark.parametrize("text", EXPRESSIONS)


def settings_of(expression):
    """A little above the middle of each range: rates with which all of them get somewhere in a hundred steps."""
    return {name: tunable.at(0.6) for name, tunable in expression.tunables.items()}


def built(text, model):
    """The optimizer, with subspaces that are found anew so often that short runs see it."""
    expression = parse_expression(text)
    optimizer = expression.build(model, settings_of(expression))
    for group in optimizer.param_groups:
        group.update({name: 4 for name in group if name.endswith("_update_proj_gap")})
    return optimizer


def session(text, seed=0):
    return Session(BreastCancer(), lambda model: built(text, model), seed=seed)


def through_a_file(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def require_equal(one, other):
    """Compares what two state dicts hold, to the last bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            require_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        for mine, theirs in zip(one, other, strict=True):
            require_equal(mine, theirs)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_they_are_written_in_one_way_and_stand_there_once():
    assert [parse_expression(text).label for text in EXPRESSIONS] == EXPRESSIONS
    assert len(set(EXPRESSIONS)) == len(EXPRESSIONS)
    names = {node.entry.id for text in EXPRESSIONS for node in parse_expression(text).nodes()}
    assert names >= {"clip", "agvm", "galore", "q_galore"}


@each
def test_trains(text):
    run = session(text)
    before = run.evaluate().loss
    for _ in range(100):
        run.step()
    assert run.evaluate().loss < 0.7 * before


@each
def test_a_snapshot_goes_on_bit_for_bit(text):
    run = session(text)
    for _ in range(13):  # AGVM's second comparison is behind it, its third is to come
        run.step()
    saved = through_a_file(run.snapshot())
    fresh = session(text, seed=1)
    fresh.restore(saved)
    assert [run.step() for _ in range(9)] == [fresh.step() for _ in range(9)]
    require_equal(fresh.model.state_dict(), run.model.state_dict())
    require_equal(fresh.optimizer.state_dict(), run.optimizer.state_dict())


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 10))


def batches(count, first=0):
    for index in range(first, first + count):
        generator = torch.Generator().manual_seed(index)
        inputs = torch.randn(20, 12, generator=generator)
        yield inputs, (inputs @ torch.linspace(-1, 1, 120).view(12, 10)).sin()


def train(model, optimizer, count, first=0):
    """A loop of one's own, with the halves that AGVM asks for."""
    for inputs, targets in batches(count, first):

        def closure(rows, inputs=inputs, targets=targets):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs[rows]), targets[rows])
            loss.backward()
            return loss

        if getattr(optimizer, "compares", False):
            optimizer.step(
                lambda closure=closure: closure(slice(0, 10)), lambda closure=closure: closure(slice(10, 20))
            )
        else:
            optimizer.step(lambda closure=closure: closure(slice(None)))


@each
def test_a_state_dict_goes_on_bit_for_bit_in_fresh_objects(text):
    model = network()
    optimizer = built(text, model)
    train(model, optimizer, 13)
    saved = through_a_file({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    train(model, optimizer, 9, first=13)

    other = network()
    other.load_state_dict(saved["model"])
    resumed = built(text, other)
    resumed.load_state_dict(saved["optimizer"])
    train(other, resumed, 9, first=13)
    require_equal(other.state_dict(), model.state_dict())
    require_equal(resumed.state_dict(), optimizer.state_dict())


@each
def test_schedulers_reach_every_layer(text):
    model = network()
    optimizer = built(text, model)
    rate = optimizer.param_groups[0]["lr"]
    scheduler = LambdaLR(optimizer, lambda step: (1.0, 0.5, 0.0)[min(step, 2)])
    train(model, optimizer, 1)
    scheduler.step()
    innermost = optimizer
    while isinstance(innermost, OptimizerWrapper):
        innermost = innermost.inner
    assert {group["lr"] for group in innermost.param_groups} == {0.5 * rate}
    train(model, optimizer, 1, first=1)
    scheduler.step()
    before = copy.deepcopy(model.state_dict())
    train(model, optimizer, 2, first=2)
    require_equal(model.state_dict(), before)


@each
def test_a_one_cycle_schedule_with_its_momentum(text):
    model = network()
    optimizer = built(text, model)
    scheduler = OneCycleLR(optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=12)
    momenta = set()
    for step in range(11):
        train(model, optimizer, 1, first=step)
        scheduler.step()
        group = optimizer.param_groups[0]
        momenta.add(group["betas"][0] if "betas" in group else group["momentum"])
    assert len(momenta) > 5
    assert all(param.isfinite().all() for param in model.parameters())


def test_all_of_them_in_one_comparison(tmp_path):
    result = Comparison("breast-cancer", EXPRESSIONS, tmp_path, trials=1, seeds=2, steps=12).run()
    assert {candidate.label for candidate in result.candidates} == set(EXPRESSIONS)
    assert len(result.trials) == 3 * len(EXPRESSIONS)
    assert {trial.status for trial in result.trials} == {"complete"}
    assert {trial.cost for trial in result.trials} == {12 * 32}


REASONS = {
    "clip(agvm(lamb))": r"clip changes the gradients of a step, and agvm steps from more.*: write agvm\(clip\(...\)\)",
    "galore(agvm(adamw))": r"galore changes the gradients of a step, and agvm .*: write agvm\(galore\(...\)\)",
    "galore(ema(adamw))": r"galore moves matrices in subspaces, and ema averages .*: write ema\(galore\(\.\.\.\)\)",
    "clip(adahessian)": "clip changes the gradients of a step, and adahessian steps from more than these: leave it out",
    "agvm(adahessian)": "agvm changes the gradients of a step, and adahessian steps from more than these",
    "galore(adahessian)": "galore changes the gradients of a step, and adahessian steps from more than these",
    "clip(sso)": "clip changes the gradients of a step, and sso steps from more than these",
    "clip(clip(sgd))": "clip is around itself: leave one of them out",
    "galore(q_galore(adamw))": "galore and q_galore both move matrices in subspaces: take one of the two",
    "q_galore(galore(adamw))": "q_galore and galore both move matrices in subspaces: take one of the two",
    "galore(lamb)": "GaLore shows a rule no weights, and Lamb's step depends on them: take an element-wise rule",
    "q_galore(lars)": "QGaLore shows a rule no weights, and Lars's step depends on them: take an element-wise rule",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_is_refused_by_name_with_the_remedy(text):
    with pytest.raises((InputError, TypeError), match=REASONS[text]):
        parse_expression(text).build(network(), {})


def test_a_comparison_refuses_it_before_any_work(tmp_path):
    for text in REFUSED:
        with pytest.raises(InputError, match=REASONS[text]):
            Comparison("breast-cancer", f"adamw,{text}", tmp_path / "out", steps=2, jobs=1).estimate()
    assert not (tmp_path / "out").exists()


def named():
    return list(network().named_parameters())


NESTINGS = [
    (CoordinateClip, lambda: AGVM(Lamb(named()), "children")),
    (lambda inner: AGVM(inner, "children"), lambda: AdaHessian(named())),
    (lambda inner: AGVM(inner, "children"), lambda: SSO(named())),
    (lambda inner: AGVM(inner, "children"), lambda: AGVM(Lamb(named()), "children")),
    (lambda inner: AGVM(inner, "children", anchor="neck"), lambda: Lamb(named())),
    (lambda inner: AGVM(inner, "children", interval=0), lambda: Lamb(named())),
    (GaLore, lambda: AdaHessian(named())),
    (GaLore, lambda: CoordinateClip(QGaLore(torch.optim.AdamW(named())))),
    (QGaLore, lambda: GaLore(torch.optim.AdamW(named()))),
    (GaLore, lambda: Lamb(named())),
    (QGaLore, lambda: Lars(named())),
]


@pytest.mark.parametrize(("outer", "make"), NESTINGS)
def test_a_refusal_leaves_the_optimizer_inside_as_it_was(outer, make):
    inner = make()
    before, defaults = inner.state_dict(), dict(inner.defaults)
    with pytest.raises((TypeError, ValueError), match=r"inside|anchor='neck'|interval=0|shows a rule no weights"):
        outer(inner)
    assert inner.state_dict() == before
    assert inner.defaults == defaults


def test_agvm_says_what_it_goes_around():
    for modules in ("groups", "children"):
        with pytest.raises(TypeError, match=r"AGVM goes around a torch.optim.Optimizer"):
            AGVM(torch.optim.SGD, modules)

import copy
import pickle

import pytest
import schedulefree
import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab import Session
from trimtab.catalog.parsing import parse_expression
from trimtab.optim import EMA, Lion
from trimtab.study.errors import InputError
from trimtab.testing import OptimizerConformance


def averaged_lion(params, **settings):
    return EMA(Lion(params, **settings))


class TestEMA(OptimizerConformance):
    optimizer = averaged_lion


def scalar(value=1.0, dtype=torch.float64):
    return nn.Parameter(torch.tensor([value], dtype=dtype))


def steps(optimizer, param, grads):
    for grad in grads:
        param.grad = torch.full_like(param, grad)
        optimizer.step()


def test_averages_by_hand():
    param = scalar()
    optimizer = EMA(torch.optim.SGD([param], lr=1.0), decay=0.15)
    steps(optimizer, param, [0.5, -1.0, 2.0])  # 1 -> 0.5 -> 1.5 -> -0.5
    average = 1.0
    for value, decay in ((0.5, 1 / 10), (1.5, 0.15), (-0.5, 0.15)):  # 2/11 and 3/12 are more than 0.15
        average = decay * average + (1 - decay) * value
    assert optimizer.state[param]["ema_average"].item() == pytest.approx(average, rel=1e-12)
    assert param.item() == pytest.approx(-0.5)
    optimizer.eval()
    assert param.item() == pytest.approx(average, rel=1e-12)
    optimizer.eval()  # once more changes nothing
    optimizer.train()
    assert param.item() == pytest.approx(-0.5)


def test_without_warmup_it_is_torchs_averaged_model():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = EMA(torch.optim.SGD(model.parameters(), lr=0.1), decay=0.9, warmup=False)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(model)  # torch's first update copies
    for _ in range(6):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
        averaged.update_parameters(model)
    optimizer.eval()
    for ours, theirs in zip(model.parameters(), averaged.module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_steps_are_the_inner_optimizers_bit_for_bit():
    alone, inside = scalar(), scalar()
    plain = torch.optim.AdamW([alone], lr=0.1)
    optimizer = EMA(torch.optim.AdamW([inside], lr=0.1))
    for grad in (1.0, -2.0, 0.5):
        for param, each in ((alone, plain), (inside, optimizer)):
            steps(each, param, [grad])
        optimizer.eval()
        optimizer.train()
    assert torch.equal(alone, inside)


def test_averages_are_in_full_precision_and_come_back_so():
    torch.manual_seed(0)
    param = nn.Parameter(torch.randn(40).bfloat16())
    optimizer = EMA(Lion([param], lr=1e-3), decay=0.99, warmup=False)
    steps(optimizer, param, [1.0, 1.0, -1.0])
    average = optimizer.state[param]["ema_average"]
    assert average.dtype == torch.float32
    assert not torch.equal(average, average.bfloat16().float())
    other = EMA(Lion([nn.Parameter(param.detach().clone())], lr=1e-3))
    other.load_state_dict(optimizer.state_dict())
    (loaded,) = other.param_groups[0]["params"]
    assert torch.equal(other.state[loaded]["ema_average"], average)
    assert other.param_groups[0]["ema_decay"] == 0.99


def test_a_step_between_eval_and_train_is_refused():
    param = scalar()
    optimizer = EMA(torch.optim.SGD([param], lr=1.0))
    steps(optimizer, param, [1.0])
    optimizer.eval()
    with pytest.raises(RuntimeError, match=r"the averages are in the place of the weights: call train\(\)"):
        optimizer.step()


@pytest.mark.parametrize("make", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_knows_what_it_was_trained_to(make):
    param = scalar()
    optimizer = EMA(torch.optim.SGD([param], lr=1.0))
    steps(optimizer, param, [1.0, 1.0])
    optimizer.eval()
    twin = make(optimizer)
    twin.train()
    assert twin.param_groups[0]["params"][0].item() == pytest.approx(-1.0)


def test_what_has_no_gradient_is_worth_what_it_is():
    moved, still, frozen = scalar(), scalar(2.0), scalar(3.0).requires_grad_(False)
    optimizer = EMA(torch.optim.SGD([moved, still, frozen], lr=1.0))
    steps(optimizer, moved, [1.0, 1.0])
    optimizer.eval()
    assert still.item() == 2.0
    assert frozen.item() == 3.0
    assert moved.item() not in (1.0, -1.0)


@pytest.mark.parametrize("text", ["ema(adamw)", "ema(sso)", "ema(adahessian)", "ema(clip(lion))"])
def test_a_session_evaluates_the_averages(text):
    expression = parse_expression(text)
    tuned = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}
    runs = [
        Session(Toy(), lambda model, e=each: e.build(model, tuned), seed=1) for each in (expression, expression.inner)
    ]
    for _ in range(5):
        losses = {run.step() for run in runs}
        assert len(losses) == 1
    averaged, plain = runs
    assert averaged.evaluate().loss != plain.evaluate().loss
    for one, other in zip(averaged.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(one, other)  # put back
    resumed = Session(Toy(), lambda model: expression.build(model, tuned), seed=1)
    resumed.restore(averaged.snapshot(), refund=True)
    assert resumed.evaluate() == averaged.evaluate()


def test_its_lines_say_when_to_change_modes():
    code = parse_expression("ema(adamw)").code({"lr": 0.1, "weight_decay": 0.0})
    assert "EMA(torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0), decay=0.999)" in code
    assert "optimizer.train()  # and optimizer.eval() before the model is evaluated or saved" in code


@pytest.mark.parametrize(("decay", "error"), [(1.0, ValueError), (-0.1, ValueError), ("0.9", TypeError)])
def test_a_decay_outside_its_range_is_refused(decay, error):
    with pytest.raises(error, match="decay="):
        EMA(torch.optim.SGD([scalar()], lr=1.0), decay=decay)


def test_what_averages_by_itself_is_refused():
    with pytest.raises(InputError, match="ema and schedulefree both average weights: take one of the two"):
        parse_expression("ema(schedulefree)")
    with pytest.raises(TypeError, match="EMA averages weights, and so does AdamWScheduleFree"):
        EMA(schedulefree.AdamWScheduleFree([scalar()]))


def test_a_run_is_not_saved_with_the_averages_in_place():
    param = scalar()
    optimizer = EMA(torch.optim.SGD([param], lr=1.0))
    steps(optimizer, param, [1.0])
    optimizer.eval()
    with pytest.raises(RuntimeError, match=r"call train\(\) before the run is saved, or save the model alone"):
        optimizer.state_dict()
    optimizer.train()
    assert optimizer.state_dict()["state"]

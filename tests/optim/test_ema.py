import copy
import io
import pickle

import pytest
import schedulefree
import torch
from torch import nn

from tests.lab.toy import Toy
from trimtab import Session, create
from trimtab.catalog.parsing import parse_expression
from trimtab.optim import EMA, AdaHessian, Lion, NormClip
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


def made(wrap=EMA):
    """A layer in bfloat16, and an optimizer whose averages are finer than its weights."""
    torch.manual_seed(0)
    layer = nn.Linear(5, 3).bfloat16()
    return layer, wrap(Lion(layer.parameters(), lr=1e-2))


def train(layer, optimizer, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        optimizer.zero_grad()
        layer(torch.randn(4, 5, generator=generator).bfloat16()).square().sum().backward()
        optimizer.step()


def saved(layer, optimizer):
    buffer = io.BytesIO()
    torch.save({"model": layer.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def load(layer, optimizer, checkpoint):
    layer.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def clipped(optimizer):
    return NormClip(EMA(optimizer))


@pytest.mark.parametrize("wrap", [EMA, clipped])
def test_a_run_that_is_saved_with_the_averages_in_place_goes_on_bit_for_bit(wrap):
    layer, optimizer = made(wrap)
    train(layer, optimizer, 4)
    optimizer.eval()
    checkpoint, averages = saved(layer, optimizer), copy.deepcopy(layer)
    optimizer.train()
    assert not equal(layer, averages)
    resumed, other = made(wrap)
    load(resumed, other, checkpoint)
    assert equal(resumed, averages)
    with pytest.raises(RuntimeError, match=r"call train\(\) before the next step"):
        other.step()
    other.train()
    for each in ((layer, optimizer), (resumed, other)):
        train(*each, 3, seed=1)
    assert equal(resumed, layer)
    optimizer.eval()
    other.eval()
    assert equal(resumed, layer)
    assert not equal(resumed, averages)


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_state_that_is_loaded_with_the_averages_in_place_is_what_counts(evaluated):
    layer, optimizer = made()
    train(layer, optimizer, 3)
    best = copy.deepcopy(layer)
    if evaluated:
        optimizer.eval()
    checkpoint = saved(layer, optimizer)
    optimizer.train()
    train(layer, optimizer, 3)
    optimizer.eval()
    load(layer, optimizer, checkpoint)
    optimizer.train()
    assert equal(layer, best)


def test_a_state_without_averages_is_loaded_with_none_in_place():
    layer, optimizer = made()
    train(layer, optimizer, 2)
    plain = copy.deepcopy(optimizer.inner)
    for state in plain.state.values():
        del state["ema_average"], state["ema_count"]
    before = copy.deepcopy(layer)
    optimizer.eval()
    layer.load_state_dict(before.state_dict())
    optimizer.load_state_dict(
        {**plain.state_dict(), "param_groups": Lion([*layer.parameters()]).state_dict()["param_groups"]}
    )
    optimizer.train()
    assert equal(layer, before)


def test_a_state_that_lacks_the_weights_of_the_run_is_refused_before_anything_is_loaded():
    layer, optimizer = made()
    train(layer, optimizer, 2)
    optimizer.eval()
    checkpoint = saved(layer, optimizer)
    for state in checkpoint["optimizer"]["state"].values():
        del state["ema_trained"]
    fresh, other = made()
    with pytest.raises(ValueError, match=r"lacks the weights of the run: call train\(\) before saving"):
        load(fresh, other, checkpoint)
    assert not other.state


def test_averages_of_other_shapes_are_neither_loaded_nor_written():
    layer, optimizer = made()
    train(layer, optimizer, 2)
    checkpoint, before = saved(layer, optimizer), copy.deepcopy(layer)
    checkpoint["optimizer"]["state"][0]["ema_average"] = torch.ones(1)
    with pytest.raises(ValueError, match=r"an average has shape \(1,\), but its parameter has \(3, 5\)"):
        optimizer.load_state_dict(checkpoint["optimizer"])
    optimizer.state[layer.weight]["ema_average"] = torch.ones(3, 1)
    with pytest.raises(ValueError, match=r"an average has shape \(3, 1\)"):
        optimizer.eval()
    assert equal(layer, before)


def test_averages_of_what_moves_in_subspaces_resume():
    def made():
        torch.manual_seed(0)
        layer = nn.Linear(5, 6)
        return layer, create("ema(galore(adamw, rank=2))", layer, lr=1e-2)

    runs = [made(), made()]
    for layer, optimizer in runs:
        for step in range(5):
            optimizer.zero_grad()
            layer(torch.full((2, 5), step + 1.0)).square().sum().backward()
            optimizer.step()
            if layer is runs[1][0] and step == 2:
                optimizer.eval()
                load(layer, optimizer, saved(layer, optimizer))
                optimizer.train()
    assert equal(runs[0][0], runs[1][0])


@pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
@pytest.mark.parametrize("text", ["ema(adamw)", "clip_norm(ema(lion))"])
def test_hugging_faces_trainer_evaluates_saves_and_resumes(text, tmp_path):
    import transformers

    from tests.lab.adapters.tiny_models import BERT

    rows = [{"input_ids": (torch.arange(8) * i) % 16, "labels": torch.tensor(i % 3)} for i in range(12)]

    def trainer(name):
        transformers.set_seed(0)
        model = transformers.BertForSequenceClassification(transformers.BertConfig(**BERT))
        arguments = transformers.TrainingArguments(
            tmp_path / name,
            use_cpu=True,
            report_to="none",
            num_train_epochs=2,
            per_device_train_batch_size=4,
            eval_strategy="epoch",
            save_strategy="epoch",
            disable_tqdm=True,
        )
        optimizers = (create(text, model, lr=1e-2), None)
        return transformers.Trainer(model, arguments, train_dataset=rows, eval_dataset=rows[:4], optimizers=optimizers)

    whole, resumed = trainer("whole"), trainer("resumed")
    whole.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    assert equal(resumed.model, whole.model)
    averages = copy.deepcopy(whole.model)
    for each in (whole, resumed):
        each.optimizer.train()
    assert equal(resumed.model, whole.model)
    assert not equal(whole.model, averages)


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")
def test_a_step_that_a_scaler_leaves_out_is_in_no_average():
    param, twin = scalar(), scalar()
    optimizer, other = EMA(AdaHessian([param])), EMA(AdaHessian([twin]))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    for weight in (torch.inf, 1.0, torch.inf, 1.0):
        optimizer.zero_grad()
        scaler.scale(weight * param.square().sum()).backward(create_graph=optimizer.needs_graph)
        scaler.step(optimizer)
        scaler.update()
        if weight == 1.0:
            other.zero_grad()
            twin.square().sum().backward(create_graph=other.needs_graph)
            other.step()
        assert optimizer.state_dict()["state"] == other.state_dict()["state"]


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")
def test_what_a_scaler_said_of_a_refused_step_is_not_said_of_the_next():
    param = scalar()
    optimizer = EMA(AdaHessian([param]))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(param.square().sum()).backward(create_graph=True)
    optimizer.eval()
    with pytest.raises(RuntimeError, match="call train"):
        scaler.step(optimizer)
    assert not hasattr(optimizer, "found_inf")
    assert not hasattr(optimizer.inner, "grad_scale")


def test_a_scaler_unscales_for_who_does_not_do_so_by_himself():
    param = scalar()
    optimizer = EMA(torch.optim.SGD([param], lr=0.5))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    scaler.scale(param.sum()).backward()
    scaler.step(optimizer)
    assert param.item() == 0.5
    assert not hasattr(optimizer, "accumulate_curvature")

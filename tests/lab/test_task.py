from collections import UserDict, namedtuple

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy, session
from trimtab import Evaluation, Metric
from trimtab.lab.task import check_task, select, take_rows
from trimtab.study.errors import InputError


def changed(**parts):
    """A toy task with some of its parts replaced."""
    return type("Changed", (Toy,), parts)()


def test_a_good_task_passes_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    check_task(Toy(), "toy")
    assert torch.equal(torch.get_rng_state(), before)


def raising(*_):
    raise KeyError("pixels")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"losses": lambda self, o, b: o.mean()}, r"here\.losses returned shape \(\).*\(4,\)"),
        ({"losses": lambda self, o, b: o}, r"here\.losses returned shape \(4, 3\)"),
        ({"losses": lambda self, o, b: 1.0}, r"here\.losses returned 1\.0"),
        ({"losses": lambda self, o, b: o.detach().sum(1)}, r"here\.losses do not depend on the model"),
        ({"losses": raising}, r"here\.losses raised KeyError: 'pixels'"),
        ({"score": lambda self, o, b: o.argmax(1)}, r"here\.score returned a tensor of shape \(4,\), expected one"),
        ({"score": lambda self, o, b: "good"}, r"here\.score returned 'good'"),
        ({"score": lambda self, o, b: float("nan")}, r"here\.evaluate: metric=nan on an untrained model"),
        ({"model": lambda self, g: nn.ReLU()}, r"here\.model has no parameter"),
        ({"model": lambda self, g: "net"}, r"here\.model returned str"),
        ({"model": raising}, r"here\.model raised KeyError"),
        ({"outputs": raising}, r"here\.outputs on train raised KeyError"),
        ({"evaluate": lambda self, m, split="validation": 0.5}, r"here\.evaluate returned 0\.5, expected a trim"),
        ({"evaluate": lambda self, m, split="validation": Evaluation(0.5, torch.ones(2))}, r"here\.evaluate: metric="),
        ({"batch_size": 65}, r"here\.batch_size=65 exceeds the 64 training samples"),
        ({"batch_size": 0}, r"here\.batch_size=0"),
        ({"steps": 2.5}, r"here\.steps=2\.5"),
        ({"seeds": -1}, r"here\.seeds=-1"),
        ({"metric": "accuracy"}, r"here\.metric: expected a trimtab\.Metric"),
    ],
)
def test_bad_parts_are_named_with_what_is_expected(parts, message):
    with pytest.raises(InputError, match=message):
        check_task(changed(**parts), "here")


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize("data", [None, [], iter([1]), TensorDataset(torch.empty(0, 6))])
def test_bad_splits_are_named(name, data):
    task = Toy()
    setattr(task, name, data)
    with pytest.raises(InputError, match=rf"here\.{name}: expected a non-empty map-style"):
        check_task(task, "here")


def test_missing_attributes_are_named():
    task = Toy()
    del task.validation
    with pytest.raises(InputError, match="here: the task has no attribute 'validation'"):
        check_task(task, "here")


def test_something_else_than_a_task_is_refused():
    with pytest.raises(InputError, match=r"expected a trimtab\.Task"):
        check_task(nn.Linear(1, 1), "here")


def test_directions_and_targets():
    with pytest.raises(InputError, match="direction='up'"):
        Metric("accuracy", "up")
    assert Metric("accuracy", "max", target=0.9).reached(0.9)
    assert not Metric("accuracy", "max", target=0.9).reached(0.89)
    assert Metric("error", "min", target=0.1).reached(0.05)
    assert not Metric("error", "min").reached(0.0)


def test_evaluation_weights_batches_by_their_samples(monkeypatch):
    task = Toy()
    model = task.model(torch.Generator())
    whole = task.evaluate(model)
    monkeypatch.setattr("trimtab.lab.task.EVALUATION_BATCH", 7)  # 26 samples: three batches of 7 and one of 5
    parts = task.evaluate(model)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.metric == pytest.approx(whole.metric, rel=1e-6)
    assert model.training


def test_rows_of_any_map_style_dataset_are_collated():
    inputs, targets = take_rows(Toy().train, torch.tensor([3, 1]))
    assert inputs.shape == (2, 6)
    assert torch.equal(targets, Toy().train.targets[[3, 1]])


class Named(Toy):
    """Batches are mappings, of a kind of their own as a tokenizer's are."""

    def collate(self, rows):
        inputs, targets = zip(*rows, strict=True)
        return UserDict(x=torch.stack(inputs), y=torch.stack(targets), kind="named")

    def outputs(self, model, batch):
        return model(batch["x"])

    def losses(self, outputs, batch):
        return super().losses(outputs, (None, batch["y"]))

    def score(self, outputs, batch):
        return super().score(outputs, (None, batch["y"]))


def test_a_task_collates_its_rows_in_training_and_evaluation():
    task, plain = Named(), Toy()
    check_task(task, "named")
    named, usual = session(task=task), session(task=plain)
    assert [named.step() for _ in range(8)] == [usual.step() for _ in range(8)]
    assert named.batch["kind"] == "named"
    assert named.evaluate("test") == usual.evaluate("test")
    named.closure(rows=[3, 1, 2])()
    usual.closure(rows=[3, 1, 2])()
    ours, theirs = ([p.grad for p in run.model.parameters()] for run in (named, usual))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_what_a_data_set_does_with_each_of_its_rows_is_done():
    class Scaled(TensorDataset):
        def __getitem__(self, row):
            return tuple(tensor / 10 for tensor in super().__getitem__(row))

    class Kept(TensorDataset):
        pass

    data = torch.arange(5.0)
    assert take_rows(Scaled(data), torch.tensor([4, 1]))[0].tolist() == pytest.approx([0.4, 0.1])
    assert take_rows(Kept(data), torch.tensor([4, 1]))[0].tolist() == [4.0, 1.0]


def test_a_collate_function_sees_the_rows_of_a_tensor_data_set_too():
    data = TensorDataset(torch.arange(5.0))
    assert take_rows(data, torch.tensor([4, 1]), lambda rows: [float(row[0]) for row in rows]) == [4.0, 1.0]


@pytest.mark.parametrize(
    ("collate", "message"),
    [
        (
            lambda self, rows: (torch.stack([r[0] for r in rows]), [int(r[1]) for r in rows]),
            r"not \(2,\); the first dim",
        ),
        (
            lambda self, rows: (torch.stack([r[0] for r in rows]).T, torch.tensor([r[1] for r in rows])),
            "raised Runtime",
        ),
        (raising, r"here\.train raised KeyError"),
    ],
    ids=["a list of numbers", "transposed", "raising"],
)
def test_batches_that_have_no_parts_are_refused(collate, message):
    parts = {
        "collate": collate,
        "outputs": lambda self, model, batch: model(batch[0] if batch[0].shape[1] == 6 else batch[0].T),
        "losses": lambda self, outputs, batch: outputs.sum(1) + 0 * torch.as_tensor(batch[1]).sum(),
    }
    if "Runtime" in message:
        parts["losses"] = lambda self, outputs, batch: outputs.sum(1) + batch[1]
    if "not " in message:
        parts["outputs"] = lambda self, model, batch: model(torch.cat([batch[0]] * 2)[: len(batch[1])])
    with pytest.raises(InputError, match=message):
        check_task(changed(**parts), "here")


def test_samples_are_selected_through_nested_batches():
    batch = {"x": torch.arange(4), "more": [torch.arange(4) * 2, ("kept", torch.arange(8).reshape(4, 2))]}
    pair = namedtuple("pair", "a b")(torch.arange(3), UserDict(c=torch.arange(3)))
    assert [select(pair, [2]).a.tolist(), select(pair, [2]).b["c"].tolist()] == [[2], [2]]
    chosen = select(batch, [3, 0])
    assert chosen["x"].tolist() == [3, 0]
    assert chosen["more"][0].tolist() == [6, 0]
    assert chosen["more"][1][0] == "kept"
    assert chosen["more"][1][1].tolist() == [[6, 7], [0, 1]]

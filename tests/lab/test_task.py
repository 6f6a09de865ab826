from collections import UserDict, namedtuple

import pytest
import torch
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy, session
from trimtab import Metric
from trimtab.lab.task import select, take_rows
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError


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


def test_samples_are_selected_through_nested_batches():
    batch = {"x": torch.arange(4), "more": [torch.arange(4) * 2, ("kept", torch.arange(8).reshape(4, 2))]}
    pair = namedtuple("pair", "a b")(torch.arange(3), UserDict(c=torch.arange(3)))
    assert [select(pair, [2]).a.tolist(), select(pair, [2]).b["c"].tolist()] == [[2], [2]]
    chosen = select(batch, [3, 0])
    assert chosen["x"].tolist() == [3, 0]
    assert chosen["more"][0].tolist() == [6, 0]
    assert chosen["more"][1][0] == "kept"
    assert chosen["more"][1][1].tolist() == [[6, 7], [0, 1]]

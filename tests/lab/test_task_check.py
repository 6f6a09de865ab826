import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.lab.toy import Toy
from trimtab import Evaluation
from trimtab.lab.task_check import check_task
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

import numpy as np
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
        ({"losses": lambda self, o, b: o.sum(1) * float("nan")}, r"here\.evaluate: loss=nan on an untrained model"),
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


class OwnEvaluation(Toy):
    """Its metric is not a mean over batches."""

    def evaluate(self, model, split="validation"):
        return Evaluation(super().evaluate(model, split).loss, 0.5)


@pytest.mark.parametrize("base", [Toy, OwnEvaluation])
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (slice(0, 1), "raised IndexError: tuple index out of range"),
        (slice(0, 2), "raised IndexError: Target -1 is out of bounds"),
    ],
)
def test_test_data_that_cannot_be_scored_are_refused_before_final_runs_fail(base, columns, message):
    task = base()
    inputs, targets = task.test.tensors
    task.test = TensorDataset(*(inputs, torch.full_like(targets, -1))[columns])
    with pytest.raises(InputError, match=rf"here\.losses on test {message}.*final runs are scored on the test data"):
        check_task(task, "here")


def test_a_score_that_fails_on_test_data_is_refused():
    class Known(Toy):
        def score(self, outputs, batch):
            assert not torch.equal(batch[1][:4], self.test.tensors[1][:4]), "unknown"
            return super().score(outputs, batch)

    with pytest.raises(InputError, match=r"here\.score on test raised AssertionError: unknown"):
        check_task(Known(), "here")


def test_an_evaluation_of_ones_own_may_have_other_losses():
    class Other(Toy):
        def evaluate(self, model, split="validation"):
            return Evaluation(1.0, 0.5)

    task = Other()
    task.validation, task.test = (TensorDataset(data.tensors[0]) for data in (task.validation, task.test))
    check_task(task, "here")


@pytest.mark.parametrize("number", [0, 1, np.float32(0.5), np.int64(2), np.float64(0.5)])
def test_any_number_is_a_metric_and_is_kept_as_a_plain_one(number):
    class Evaluated(Toy):
        def evaluate(self, model, split="validation"):
            return Evaluation(super().evaluate(model, split).loss, number)

    task = Evaluated()
    check_task(task, "here")
    found = task.evaluate(task.model(None)).metric
    assert type(found) is float
    assert found == number
    check_task(changed(score=lambda self, outputs, batch: number), "here")


def test_a_truth_value_is_no_metric():
    with pytest.raises(InputError, match=r"here\.evaluate: metric=True on an untrained model"):
        check_task(changed(evaluate=lambda self, model, split="validation": Evaluation(0.5, True)), "here")

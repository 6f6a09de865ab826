"""What the adapters share: generators that are lent, fixed halves, orders that are a shuffle, means that agree."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, TensorDataset

from trimtab.lab.adapters.common import (
    check_batch,
    check_mean,
    check_sampler,
    halves,
    samples_of,
    seeded_globals,
)
from trimtab.study.errors import InputError

MODEL = torch.nn.Linear(1, 1)


def draw():
    return torch.rand(1).item(), np.random.random(), random.random()  # noqa: NPY002


def raise_seeded():
    with seeded_globals(1):
        draw()
        raise KeyError


def test_global_generators_are_seeded_and_put_back():
    with seeded_globals(0):
        outside = draw()
        with seeded_globals(2**63 - 2):
            inside = draw()
        following = draw()
    with seeded_globals(0):
        assert (draw(), draw()) == (outside, following)
    torch.manual_seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with pytest.raises(KeyError):
        raise_seeded()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]  # noqa: NPY002
    assert len({*outside, *inside, *following}) == 9


def test_halves_have_nothing_in_common_and_are_always_the_same():
    first, second = halves(TensorDataset(torch.arange(9)), "here")
    assert (first.indices, second.indices) == ([1, 2, 4, 5, 7], [0, 3, 6, 8])
    with pytest.raises(InputError, match="here: 1 samples cannot be split"):
        halves(TensorDataset(torch.arange(1)), "here")


@pytest.mark.parametrize("wanted", [RandomSampler, SequentialSampler, lambda data: None])
def test_shuffles_and_no_order_at_all_are_fine(wanted):
    data = TensorDataset(torch.arange(9))
    check_sampler(DataLoader(data, 2, sampler=wanted(data)), "here")
    with pytest.raises(InputError, match="here: the order of RandomSampler cannot be kept"):
        check_sampler(DataLoader(data, 2, sampler=RandomSampler(data, replacement=True)), "here")


@pytest.mark.parametrize(
    ("dtype", "error", "fine"),
    [
        (torch.float32, 1e-6, True),
        (torch.float32, 1e-4, False),
        (torch.bfloat16, 0.01, True),
        (torch.bfloat16, 0.1, False),
    ],
)
def test_means_agree_as_far_as_their_precision_allows(dtype, error, fine):
    def check():
        check_mean(
            MODEL,
            lambda: torch.full((4,), 2.0 * (1 + error), dtype=dtype),
            lambda: torch.tensor(2.0),
            4,
            host="it",
            remedy="Do so",
        )

    if fine:
        check()
    else:
        with pytest.raises(InputError, match=r"on 4 training samples, but it is 2\. Do so"):
            check()


def test_both_sides_draw_the_same_numbers():
    check_mean(MODEL, lambda: torch.rand(4), lambda: torch.rand(4).mean(), 4, host="it", remedy="Do so")


class Graph:
    """A batch of somebody's own kind."""


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((torch.ones(4, 2), {"mask": [torch.ones(4)], "return_loss": True, "nothing": None}), None),
        ({"x": torch.ones(4, 2), "y": torch.ones(3)}, r"batch\['y'\] has shape \(3,\) for 4 samples"),
        ([torch.ones(4), torch.ones(())], r"batch\[1\] has shape \(\) for 4 samples"),
        ({"labels": [{"boxes": torch.ones(2, 4)}]}, r"batch\['labels'\]\[0\]\['boxes'\] has shape \(2, 4\)"),
        (
            {"x": torch.ones(4), "text": ["a", "b", "c", "d"]},
            r"batch\['text'\]\[0\] is a str; a batch is made of tensors",
        ),
        ({"x": torch.ones(4), "y": np.ones(4)}, r"batch\['y'\] is a ndarray"),
        (Graph(), "batch is a Graph"),
        ({"return_loss": True}, "batch holds no tensor"),
    ],
)
def test_a_batch_is_tensors_whose_first_dimension_is_the_samples(batch, message):
    if message is None:
        check_batch(batch, 4, "batch")
        assert samples_of(batch) == 4
    else:
        with pytest.raises(InputError, match=f"{message}.*the first dimension of every tensor has to be the samples"):
            check_batch(batch, 4, "batch")


def test_a_loss_that_is_no_number_is_told():
    with pytest.raises(InputError, match="it is nan on 4 training samples, before any training"):
        check_mean(MODEL, lambda: torch.zeros(4), lambda: torch.tensor(float("nan")), 4, host="it", remedy="Do so")

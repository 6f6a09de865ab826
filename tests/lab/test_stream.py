"""The batches of a run, and samples of them."""

import pytest
import torch
from torch import nn

from tests.lab.toy import session
from trimtab.study.errors import InputError


def test_every_sample_is_seen_once_before_any_is_seen_again():
    run = session()
    seen = []
    for _ in range(6):
        run.next_batch()
        seen += run._stream.rows.tolist()
    assert len(set(seen)) == 60
    run.next_batch()  # four samples are left, too few: the order is drawn anew
    assert set(run._stream.rows.tolist()) & set(seen)


@pytest.mark.parametrize(
    ("rows", "charged"), [(slice(0, 5), 5), ([0, 3], 2), (torch.tensor([1, 2, 3]), 3), (torch.arange(10) > 6, 3)]
)
def test_rows_choose_samples_of_the_batch(rows, charged):
    run = session()
    inputs, targets = run.next_batch()
    run.model.eval()
    loss = run.closure(rows=rows)()
    assert loss.item() == nn.functional.cross_entropy(run.model(inputs[rows]), targets[rows]).item()
    assert run.meter.used == charged


@pytest.mark.parametrize("size", [0, 65, -1])
def test_batch_sizes_outside_the_data_are_refused(size):
    with pytest.raises(InputError, match=f"size={size}"):
        session().next_batch(size)


def test_a_closure_needs_a_batch():
    with pytest.raises(RuntimeError, match="next_batch"):
        session().closure()

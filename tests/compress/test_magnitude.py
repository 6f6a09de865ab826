"""The smallest weights of the whole network."""

import pytest
import torch

from tests.compress.layers import network, weights
from trimtab.compress import global_counts, prune


@pytest.mark.parametrize(
    ("sparsity", "counts"), [(0.2, (1, 0)), (0.4, (1, 1)), (0.6, (1, 2)), (0.8, (2, 2)), (0.99, (2, 3))]
)
def test_hand_computed(sparsity, counts):
    # sorted: 1 of the first layer, 2 and 2 of the second, 3 of the first, 4 of the second
    assert global_counts(network([1.0, -3.0], [2.0, -2.0, 4.0]), sparsity).counts == counts


def test_no_kept_weight_is_smaller_than_one_that_went():
    torch.manual_seed(1)
    values = [torch.randn(size).mul(scale).tolist() for size, scale in ((20, 1), (30, 0.1), (10, 3))]
    model = network(*values)
    prune(model, global_counts(model, 0.63))
    pairs = [
        (abs(old), new != 0) for a, b in zip(values, weights(model), strict=True) for old, new in zip(a, b, strict=True)
    ]
    assert max(size for size, kept in pairs if not kept) <= min(size for size, kept in pairs if kept)
    assert sum(not kept for _, kept in pairs) == 38

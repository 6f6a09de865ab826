"""The same share of every layer."""

from tests.compress.layers import network
from trimtab.compress import uniform_counts


def test_hand_computed():
    model = network([1.0] * 3, [1.0] * 5, [1.0] * 2)
    # 5 of 10: shares of 1.5, 2.5 and 1; of the two equal remainders the first layer's is rounded up
    assert uniform_counts(model, 0.5).counts == (2, 2, 1)
    # 8 of 10: shares of 2.4, 4 and 1.6
    assert uniform_counts(model, 0.8).counts == (2, 4, 2)


def test_layers_of_one_size_differ_by_one_at_most():
    model = network(*([1.0] * 7 for _ in range(5)))
    for percent in range(100):
        counts = uniform_counts(model, percent / 100).counts
        assert max(counts) - min(counts) <= 1

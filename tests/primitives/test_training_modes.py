import pytest
from torch import nn

from trimtab.primitives.training_modes import evaluating, kept_modes


def partly_frozen():
    return nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())


def modes(model):
    return [part.training for part in model.modules()]


def test_each_part_of_a_model_goes_back_into_its_mode():
    model = partly_frozen()
    with evaluating(model):
        assert modes(model) == [False] * 3
    assert modes(model) == [True, True, False]
    with kept_modes(model):
        assert modes(model.train()) == [True] * 3
    assert modes(model) == [True, True, False]


def test_modes_are_kept_where_something_fails():
    model = partly_frozen()
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert modes(model) == [True, True, False]

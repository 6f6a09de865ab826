"""What surrogates ask of their data."""

import pytest
import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.exceptions.warnings import InputDataWarning
from botorch.models.transforms.input import Normalize
from botorch.models.transforms.outcome import Log
from botorch.settings import validate_input_scaling

from tests.search.bnn_surrogates import linear
from trimtab.search.bnn_surrogates.data import checked_inputs, global_seed, settled_seed, standardised
from trimtab.study.errors import InputError

X, Y = linear.data()


def spoiled(value, number):
    value = value.clone()
    value[3, 0] = number
    return value


@pytest.mark.parametrize(
    ("train_X", "train_Y", "error", "words"),
    [
        (X.tolist(), Y, TypeError, "train_X is a list"),
        (X, Y.tolist(), TypeError, "train_Y is a list"),
        (X.unsqueeze(0), Y.unsqueeze(0), UnsupportedError, "batches"),
        (X.flatten(), Y, InputError, r"train_X has the shape \(40,\)"),
        (X, Y.flatten(), InputError, r"train_Y has the shape \(20,\)"),
        (X, Y[:-1], InputError, r"train_Y has the shape \(19, 1\).*each of 20 points"),
        (X[:1], Y[:1], InputError, "train_X has 1 points: at least 2"),
        (X.float(), Y, InputError, "train_X is torch.float32: torch.float64"),
        (X, Y.float(), InputError, "train_Y is torch.float32: torch.float64"),
        (spoiled(X, float("nan")), Y, InputError, "train_X holds NaN or infinity"),
        (X, spoiled(Y, float("inf")), InputError, "train_Y holds NaN or infinity"),
    ],
)
def test_bad_data(train_X, train_Y, error, words):
    with pytest.raises(error, match=words):
        checked_inputs(train_X, train_Y, None)


def test_points_outside_the_unit_cube_are_warned_of_unless_a_transform_brings_them_in():
    with pytest.warns(InputDataWarning, match="unit cube"):
        checked_inputs(7 * X, Y, None)
    torch.testing.assert_close(
        checked_inputs(7 * X, Y, Normalize(d=2)), (X - X.min(0).values) / (X.max(0).values - X.min(0).values)
    )


def test_points_outside_the_unit_cube_are_not_warned_of_where_botorch_is_told_not_to():
    with validate_input_scaling(False):
        assert torch.equal(checked_inputs(7 * X, Y, None), 7 * X)


def test_outputs_are_standardised_unless_told_otherwise():
    from botorch.utils.types import DEFAULT

    _, targets = standardised(DEFAULT, Y, X)
    torch.testing.assert_close(targets, linear.standard(Y), rtol=1e-13, atol=1e-13)
    transform, targets = standardised(None, Y, X)
    assert transform is None
    assert targets is Y
    _, targets = standardised(Log(), Y.exp(), X)
    torch.testing.assert_close(targets, Y, rtol=1e-13, atol=1e-13)
    with pytest.raises(InputError, match="train_Y after outcome_transform holds NaN"):
        standardised(Log(), -Y.abs(), X)
    with pytest.raises(TypeError, match="outcome_transform is a str"):
        standardised("log", Y, X)


def test_seeds():
    assert settled_seed(7) == 7
    before = torch.get_rng_state()
    assert settled_seed(None) != settled_seed(None)
    assert torch.equal(torch.get_rng_state(), before)
    for seed in (-1, 1.5, True, 2**63):
        with pytest.raises(InputError, match="seed="):
            settled_seed(seed)


def test_a_lent_seed_is_taken_back():
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with global_seed(3, torch.device("cpu")):
            drawn.append(torch.rand(2))
    assert torch.equal(*drawn)
    assert torch.equal(torch.get_rng_state(), before)

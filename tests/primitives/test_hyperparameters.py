import math

import numpy as np
import pytest
import torch

from trimtab.primitives.hyperparameters import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    REPRESENTABLE,
    SHARE,
    Interval,
    flag,
    floating_dtype,
    learning_rate,
    one_of,
    pair,
    whole_number,
)


@pytest.mark.parametrize(
    ("check", "value"),
    [(NON_NEGATIVE, 0), (NON_NEGATIVE, 1e300), (POSITIVE, 1e-300), (FRACTION, 0.0), (FRACTION, 0.999), (SHARE, 1.0)],
)
def test_interval_returns_numbers_inside(check, value):
    assert check("x", value) == value
    assert type(check("x", value)) is float


@pytest.mark.parametrize(
    ("check", "value", "interval"),
    [
        (NON_NEGATIVE, -1e-300, r"\[0, inf\)"),
        (NON_NEGATIVE, math.inf, r"\[0, inf\)"),
        (NON_NEGATIVE, math.nan, r"\[0, inf\)"),
        (POSITIVE, 0.0, r"\(0, inf\)"),
        (FRACTION, 1.0, r"\[0, 1\)"),
        (FRACTION, -0.1, r"\[0, 1\)"),
        (SHARE, 1.0001, r"\[0, 1\]"),
        (SHARE, math.nan, r"\[0, 1\]"),
    ],
)
def test_interval_refuses_numbers_outside_and_says_which_are_allowed(check, value, interval):
    with pytest.raises(ValueError, match=rf"momentum={value!r} must lie in {interval}"):
        check("momentum", value)


@pytest.mark.parametrize("value", ["0.1", None, True, 1j, [0.1]])
def test_interval_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"momentum=.* must be a number in"):
        FRACTION("momentum", value)


def test_numbers_of_numpy_become_plain():
    assert type(NON_NEGATIVE("x", np.float64(0.5))) is float
    assert type(NON_NEGATIVE("x", np.float32(0.5))) is float
    assert pair(FRACTION)("betas", [np.float64(0.5), 0]) == (0.5, 0.0)


@pytest.mark.parametrize("values", [0.9, (0.9,), (0.9, 0.99, 0.999), "ab"])
def test_pair_refuses_anything_but_two_values(values):
    with pytest.raises(TypeError, match=r"betas=.* must be a pair"):
        pair(FRACTION)("betas", values)


def test_pair_names_the_wrong_one():
    with pytest.raises(ValueError, match=r"betas\[1\]=1\.0 must lie in \[0, 1\)"):
        pair(FRACTION)("betas", (0.9, 1.0))


def test_representable_numbers_survive_in_float32():
    assert torch.tensor(REPRESENTABLE("eps", 1e-37), dtype=torch.float32).item() > 0
    with pytest.raises(ValueError, match=r"eps=1e-46 must lie in \[1e-37, inf\)"):
        REPRESENTABLE("eps", 1e-46)


def test_one_of_names_the_choices():
    check = one_of("fast", "slow")
    assert check("pace", "slow") == "slow"
    assert type(check("pace", np.str_("fast"))) is str
    with pytest.raises(ValueError, match="pace='quick' must be 'fast' or 'slow'"):
        check("pace", "quick")
    with pytest.raises(TypeError, match="pace=1 must be 'fast' or 'slow', not int"):
        check("pace", 1)


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_flag_refuses_truthy_values(value):
    assert flag("amsgrad", True) is True
    with pytest.raises(TypeError, match=r"amsgrad=.* must be True or False"):
        flag("amsgrad", value)


def test_learning_rate_keeps_a_tensor():
    lr = torch.tensor(0.1)
    assert learning_rate("lr", lr) is lr
    assert learning_rate("lr", 0) == 0.0


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1.0, ValueError),
        (torch.tensor(-1.0), ValueError),
        (torch.tensor(math.nan), ValueError),
        (torch.tensor([0.1, 0.2]), ValueError),
        (torch.tensor([]), ValueError),
        (torch.tensor(True), TypeError),
        (torch.tensor(1j), TypeError),
        ("0.1", TypeError),
    ],
)
def test_learning_rate_refuses(value, error):
    with pytest.raises(error, match="lr="):
        learning_rate("lr", value)


def test_floating_dtype():
    assert floating_dtype("state_dtype", None) is None
    assert floating_dtype("state_dtype", torch.bfloat16) is torch.bfloat16
    for value in (torch.int8, torch.complex64, "bfloat16"):
        with pytest.raises(TypeError, match=r"state_dtype=.* must be None or one of"):
            floating_dtype("state_dtype", value)


def test_a_whole_number_has_a_least_value():
    assert type(whole_number(1)("every", np.int64(3))) is int
    with pytest.raises(ValueError, match="every=0 must be a whole number >= 1"):
        whole_number(1)("every", 0)
    with pytest.raises(TypeError, match=r"every=1.0 must be a whole number, not float"):
        whole_number(1)("every", 1.0)


def test_an_interval_may_have_its_end():
    share = Interval(0.0, 1.0, closed=True)
    assert share("share", 1) == 1.0
    assert str(share) == "[0, 1]"
    with pytest.raises(ValueError, match=r"share=1.5 must lie in \[0, 1\]"):
        share("share", 1.5)

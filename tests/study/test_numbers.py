"""Numbers in words about a result."""

import pytest

from trimtab.study import numbers


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 4, "–"),
        (0, 4, "0"),
        (0.0123456, 3, "0.0123"),
        (0.98, 3, "0.980"),
        (12345.6, 3, "12346"),
        (1.5e-7, 2, "1.5e-07"),
        (-3.14159, 3, "-3.14"),
        (9.99996, 4, "10.00"),
        (-0.9996, 3, "-1.00"),
        (0.0000999996, 4, "0.0001000"),
        (9_999_600.0, 4, "1.000e+07"),
        (float("inf"), 3, "inf"),
    ],
)
def test_significant(value, digits, text):
    assert numbers.significant(value, digits) == text


def test_settings_and_whole_numbers():
    assert numbers.settings_text({"lr": 0.00123456, "betas": (0.9, 0.99), "nesterov": True}) == (
        "lr = 0.00123, betas = (0.9, 0.99), nesterov = True"
    )
    assert numbers.whole(10240.0) == "10,240"
    assert numbers.whole(None) == "–"

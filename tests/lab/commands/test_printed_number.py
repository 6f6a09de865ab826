"""What numbers look like when programs print them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import fuzz
from trimtab.lab.commands.printed_number import (
    UnclearNumberError,
    begins_number,
    continuation,
    is_progress_bar,
    read_number,
    read_whole,
)

READ = {
    "0.25": 0.25, ".5": 0.5, "3.": 3.0, "-0.5": -0.5, "+0.5": 0.5, "−0.5": -0.5, "007": 7.0,
    "1.2e-3": 0.0012, "1.2E-03": 0.0012, "1.2D-3": 0.0012, "1.2d3": 1200.0, "1.2e−3": 0.0012,
    "1.2×10^-3": 0.0012, "1.2 × 10^(-3)": 0.0012, "1.2*10**-3": 0.0012, "1.2x10⁻³": 0.0012, "5·10²": 500.0,
    "1,234.5": 1234.5, "12,345,678": 12345678.0, "-1,234.5e1": -12345.0, "1_234.5": 1234.5, "1_234": 1234.0,
    "1'234.5": 1234.5, "1’234’567": 1234567.0, "1\u202f234.5": 1234.5, "1\u00a0234": 1234.0,
    "12 %": 0.12, "91.2%": 0.912, "5e1%": 0.5,
    "3±0.1": 3.0, "3.1 ± 0.1": 3.1, "3 +- 1": 3.0, "3.1+/-0.1": 3.1, "91.2% ± 0.3%": 0.912, "1e-3 ± 1e-3": 0.001,
    "inf": math.inf, "-Infinity": -math.inf, "+INF": math.inf, "∞": math.inf, "−∞": -math.inf,
    "0.25.": 0.25, "0.25...": 0.25, "0.25,": 0.25, " 0.25 ": 0.25, "0." + "1" * 400: float("0." + "1" * 400),
    "0e5": 0.0, "-0.0": -0.0,
}  # fmt: skip

REFUSED = {
    "1,234": "'1,234' may be 1234 or 1.234",
    "-1,234": "'-1,234' may be 1234 or 1.234",
    "0,123": "'0,123' may have a decimal comma",
    "3,5": "may have a decimal comma",
    "1.234,5": "'1.234,5' may have a decimal comma",
    "0.5,0.6": "or be several numbers",
    "1,23,456": "or be several numbers",
    "1,234,56": "or be several numbers",
    "1\u202f234,5": "may have a decimal comma",
    "1 234.5": "'1 234' may be one number or two",
    "1 234": "'1 234' may be one number or two",
    "1_23": "not a number alone",
    "1.2.3": "'1.2.3' is not a number alone",
    "1..2": "not a number alone",
    "5/10": "'5/10' is not a number alone",
    "5 / 10": "'5 / 10' is not a number alone",
    "3 x 10": "'3 x 10' is not a number alone",
    "10^-3": "not a number alone",
    "2*3": "not a number alone",
    "1-2": "'1-2' is not a number alone",
    "12:30": "'12:30' is not a number alone",
    "0x1p3": "'0x1p3' is not a number alone",
    "1e5k": "'1e5k' is not a number alone",
    "1e": "not a number alone",
    "5e+": "not a number alone",
    "3.4ms": "'3.4ms' is not a number alone",
    "3.4 ms": "'3.4 ms' is not a number alone",
    "5k": "not a number alone",
    "2 GB": "not a number alone",
    "1st": "not a number alone",
    "0.3 0.4": "not a number alone",
    "5.0 -> 2.1": "'5.0 -> 2.1' is not a number alone",
    "1.2 million": "'1.2 million' is not a number alone",
    "0.3 (best)": "not a number alone",
    "3.1 ± 0.1 ms": "not a number alone",
    "91.2 ± 0.3 %": "may be scaled as a whole or in part",
    "3.1 ± 0.1e-3": "may be scaled as a whole or in part",
    "3 ±": "'' is not a number",
    "1e400": "too large for a float",
    "-1e-400": "too small for a float",
    "1" * 400: "too large for a float",
    "1e9999999": "not a number alone",
    "٣": "'٣' is not a number",
    "nano": "not a number alone",
    "n/a": "'n/a' is not a number",
    "": "'' is not a number",
    "--1": "'--1' is not a number",
}


@pytest.mark.parametrize("text", READ)
def test_what_is_certain_is_read(text):
    assert read_whole(text) == pytest.approx(READ[text], rel=1e-15)
    assert begins_number(text.strip(), 0)


@pytest.mark.parametrize("text", REFUSED)
def test_what_may_mean_something_else_is_refused(text):
    with pytest.raises(UnclearNumberError) as error:
        read_whole(text)
    assert REFUSED[text] in str(error.value)


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "NAN"])
def test_nan_is_a_value(text):
    assert math.isnan(read_whole(text))


@pytest.mark.parametrize(
    "rest",
    ["", " ", ", s=0.3", "; s 4", ": best", ") 5", "]", "}", '"', "'", "|0.3", " | 5", "*", "**", "!", "</td>",
     " - 1s/epoch", "  0.3", " best 12", ". Then", "...", "…", " min 0.2", "\\n", " s=3", "  234"],
)  # fmt: skip
def test_what_may_follow_a_number(rest):
    assert read_number(f"7{rest}")[0] == 7.0


@pytest.mark.parametrize("text", ["30%|███   | 3/10", "  100%|█| 5/5"])
def test_progress_is_no_value(text):
    assert is_progress_bar(text, len(text) - len(text.lstrip()))
    assert not is_progress_bar("30% | 5", 0)
    assert not is_progress_bar("30|", 0)


@pytest.mark.parametrize(
    ("text", "end", "rest"),
    [
        ("1.2e-05", 3, "e-05"),
        ("1.25", 3, "5"),
        ("1,234.5", 1, ",234.5"),
        ("1.234,5", 5, ",5"),
        ("1 234", 1, " 234"),
        ("0.5 234", 3, ""),
        ("1'234", 1, "'234"),
        ("1.2×10^3", 3, "×10^3"),
        ("5%", 1, ""),
        ("5/10", 1, ""),
        ("5ms", 1, ""),
        ("x", 1, ""),
    ],
)
def test_how_a_number_goes_on(text, end, rest):
    assert continuation(text, 0, end) == rest


@fuzz
@given(
    st.floats(-1e308, 1e308),
    st.sampled_from(["{!r}", "{:.3e}", "{:.4f}", "{:g}", "{:_.2f}", "{:E}", "{:.6G}", "{:+.3f}"]),
)
def test_whatever_python_writes_is_read(value, form):
    text = form.format(value)
    assert read_whole(text) == float(text)
    assert read_number(f"{text}, lr 3")[0] == float(text)


@fuzz
@given(st.floats(1000, 1e15), st.integers(1, 6))
def test_thousands_with_commas_are_read(value, places):
    assert read_whole(f"{value:,.{places}f}") == float(f"{value:.{places}f}")


@fuzz
@given(st.text("0123456789.,-+eEdDxX×^*%_' /±nanif\u202f()[]ms", max_size=30), st.integers(0, 30))
def test_anything_is_read_or_refused(text, start):
    try:
        value, end = read_number(text, start)
    except UnclearNumberError:
        return
    assert isinstance(value, float)
    assert start < end <= len(text)

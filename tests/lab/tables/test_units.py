import pytest

from trimtab.lab.tables.units import read_amounts


@pytest.mark.parametrize(
    ("cells", "values", "style"),
    [
        (["106.9 m2", "89.7m2"], [106.9, 89.7], "m2 left out"),
        (["106.9 m²", "89.7 m2", "7 m^2", "8 sqm"], [106.9, 89.7, 7, 8], "m² left out"),
        (["50 km/h", "72.5", "120"], [50, 72.5, 120], "km/h left out, in 1 of 3 rows"),
        (["21.5 °C", "-3", "25"], [21.5, -3, 25], "°C left out, in 1 of 3 rows"),
        (["\u22123 °C", "5°C"], [-3, 5], "°C left out"),
        (["7.5 l/100km", "6 l/100km"], [7.5, 6], "l/100km left out"),
        (["12.5 €/m2", "10 €/m2"], [12.5, 10], "€/m2 left out"),
        (["1,200 kg", "900", "2,500"], [1200, 900, 2500], "commas are thousands, kg left out, in 1 of 3 rows"),
        (["1,5 kg", "0,9", "2,5"], [1.5, 0.9, 2.5], "commas are decimal, kg left out, in 1 of 3 rows"),
        (["1 day", "2 days", "3"], [1, 2, 3], "day left out, in 2 of 3 rows"),
        (["70\u00a0kg", "60", "80"], [70, 60, 80], "kg left out, in 1 of 3 rows"),
        (["0", "70 kg", "60 kg"], [0, 70, 60], "kg left out, in 2 of 3 rows"),  # which is nothing in any unit
        (["1.5 m", "1.2", "1.9"], [1.5, 1.2, 1.9], "m left out, in 1 of 3 rows"),
        (["$1,200.50", "900", "2,500"], [1200.5, 900, 2500], "commas are thousands, $ left out, in 1 of 3 rows"),
        (["5.00", "-$4.50", "($6)", "$ 7"], [5, -4.5, -6, 7], "$ left out, in 3 of 4 rows"),
        (["12,50 €", "€ 9", "10,00"], [12.5, 9, 10], "commas are decimal, € left out, in 2 of 3 rows"),
        (["12 EUR", "3€", "€5", "7"], [12, 3, 5, 7], "EUR left out, in 3 of 4 rows"),
        (["CHF 12", "13", "−14 CHF"], [12, 13, -14], "CHF left out, in 2 of 3 rows"),
        (["12b", "7b"], [12, 7], "b left out"),  # as any word is that stands behind all of them
        (["1", "2.5"], [1, 2.5], ""),
    ],
)
def test_a_unit_is_left_out_behind_all_or_some_of_the_numbers(cells, values, style):
    found = read_amounts(cells)
    assert found.values.tolist() == values
    assert found.read.all()
    assert (found.style, found.units) == (style, "")


@pytest.mark.parametrize(
    "odd",
    ["12b", "12g", "12 b", "12 bis", "3rd", "5XL", "12K", "12 K", "1.5M", "1990s", "500L", "12W", "4x4", "M8x20", "A12",
     "8x20mm", "v12", "1.2.3", "12%", "7 pm", "12-14", "70-80 kg", "kg", "12 kg ca.", "12 Pro"],
)  # fmt: skip
def test_other_words_behind_some_numbers_are_no_units(odd):
    found = read_amounts([odd, *map(str, range(5, 25))])
    assert found.read.tolist() == [False] + [True] * 20
    assert (found.style, found.units) == ("", "")


@pytest.mark.parametrize(
    ("cells", "units"),
    [
        (["12 kg", "3 lb", "4 kg"], "numbers with the units kg and lb"),
        (["12 kg", "3 lb", "4", "5"], "numbers with the units kg and lb"),
        (["$12", "€3", "$4"], "numbers with the units $ and €"),
        (["$12", "3 USD", "4"], "numbers with the units $ and USD"),
        (["$12", "€3", "4", "5"], "numbers with the units $ and €"),
        (["$1.50", "900000", "1200000"], "numbers with and without the unit $, of different sizes"),
        (["1 km", "2 m", "3 cm", "4 mm", "5 in"], "numbers with the units km, m, cm and 2 others"),
        (["1.5 m", "900000", "1200000"], "numbers with and without the unit m, of different sizes"),
    ],
)
def test_units_that_stand_side_by_side_are_told(cells, units):
    assert read_amounts(cells).units == f"{units}; write them in one unit"


def test_units_of_few_cells_among_words_are_not_told():
    assert read_amounts(["12 kg", "3 lb", "large", "small"]).units == ""


def test_where_two_currencies_are_used_a_bare_number_may_be_of_either():
    cells = [f"${number}" for number in range(1, 39)]
    found = read_amounts(["€5", "5", *cells])
    assert found.read.tolist() == [False] * 2 + [True] * 38
    assert found.style == "$ left out"
    assert found.units == "numbers with the units $ and €; write them in one unit"
    one = read_amounts(["5", *cells])
    assert one.read.all()
    assert (one.style, one.units) == ("$ left out, in 38 of 39 rows", "")


def test_an_amount_of_another_size_among_those_of_a_currency_is_not_read():
    found = read_amounts(["1", *(f"${number},000" for number in range(10, 30))])
    assert found.read.tolist() == [False] + [True] * 20
    assert found.units == "numbers with and without the unit $, of different sizes; write them in one unit"


@pytest.mark.parametrize("bare", [1, 5, 15])
def test_bare_numbers_among_those_per_cent_are_never_read_with_them(bare):
    found = read_amounts([*map(str, range(1, bare + 1)), *(f"{number} %" for number in range(20 - bare))])
    assert not (found.read[:bare].any() and found.read[bare:].any())

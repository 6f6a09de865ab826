import math

import pytest

from trimtab.lab.tables.cells import are_codes, has_decimal_commas, is_nothing, read_numbers


@pytest.mark.parametrize("cell", ["", "NA", "n/a", "NaN", "null", "None", "?", "-", "#N/A", "."])
def test_signs_of_nothing(cell):
    assert is_nothing(cell)


@pytest.mark.parametrize("cell", ["0", "no", "nano", "-1", "none of these", "x"])
def test_what_is_something(cell):
    assert not is_nothing(cell)


@pytest.mark.parametrize(
    ("cells", "values", "style"),
    [
        (["1", "-2.5", "+.5", "3.", "4e-3"], [1, -2.5, 0.5, 3, 0.004], ""),
        (["1,234", "950", "1,234,567.8"], [1234, 950, 1234567.8], "commas are thousands"),
        (["0,125", "1"], [0.125, 1], "commas are decimal"),
        (["0,950", "1,050", "1"], [0.95, 1.05, 1], "commas are decimal"),
        (["3,14", "2", "-0,5"], [3.14, 2, -0.5], "commas are decimal"),
        (["1.234,5", "3,25"], [1234.5, 3.25], "commas are decimal"),
        (["1 234.5", "12"], [1234.5, 12], "spaces or apostrophes are thousands"),
        (["1'234", "1\u202f234", "12"], [1234, 1234, 12], "spaces or apostrophes are thousands"),
        (["5.867.793", "12", "1.200"], [5867793, 12, 1200], "points are thousands"),
        (["3.074.745,41", "1.234.567"], [3074745.41, 1234567], "commas are decimal"),
        (
            ["1.174", "1.352", "2.016", "1.009", "1.410", *"12345"],
            [1174, 1352, 2016, 1009, 1410, 1, 2, 3, 4, 5],
            "points are thousands",
        ),
        (["1.174", "1.352", "2.016", "1.009", "1.4", *"12345"], [1.174, 1.352, 2.016, 1.009, 1.4, 1, 2, 3, 4, 5], ""),
        (["0.174", "1.352", "2.016", "1.009", "1.400", *"12345"], [0.174, 1.352, 2.016, 1.009, 1.4, 1, 2, 3, 4, 5], ""),
        (
            ["1.174", "1.352", "2.016", "1.009", "1.411", "1741", *"1234"],
            [1.174, 1.352, 2.016, 1.009, 1.411, 1741, 1, 2, 3, 4],
            "",
        ),
        (["1.174", "1.352", "2.016", "1.009", "1.410"], [1.174, 1.352, 2.016, 1.009, 1.41], ""),
        (["\u22123.5", "2"], [-3.5, 2], ""),
        (["1 234", "3 456,7"], [1234, 3456.7], "commas are decimal"),
        (["70.1 kg", "3kg"], [70.1, 3], "kg left out"),
        (["(12.50)", "3"], [-12.5, 3], ""),
        (["12 EUR", "EUR 3"], [12, 3], "EUR left out"),
        (["($1,200)", "$3"], [-1200, 3], "commas are thousands, $ left out"),
        (["$1,200", "$3"], [1200, 3], "commas are thousands, $ left out"),
        (["12 €", "3 €"], [12, 3], "€ left out"),
        (["12%", "3 %"], [12, 3], "% left out"),
    ],
)
def test_numbers_are_read_as_people_write_them(cells, values, style):
    found = read_numbers(cells)
    assert found.values.tolist() == values
    assert found.style == style
    assert found.read.all()


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1_000", "0x10", "1e999", "1,23,4", "12a", "$", "1.2.3"])
def test_what_is_no_finite_number_is_not_read(cell):
    found = read_numbers(["1", cell])
    assert found.read.tolist() == [True, False]
    assert math.isnan(found.values[1])


def test_of_a_sign_that_is_not_everywhere_nothing_is_taken_away():
    assert read_numbers(["12%", "3"]).read.tolist() == [False, True]  # a hundred times as much, perhaps


@pytest.mark.parametrize("written", ["${}", "{} %", "{} kg"])
def test_a_slip_among_cells_with_a_sign_is_missing(written):
    found = read_numbers(["unknown", *(written.format(number) for number in range(1, 20))])
    assert found.read.tolist() == [False] + [True] * 19
    assert found.values[1:].tolist() == list(range(1, 20))
    assert not read_numbers(["unknown", "$1", "$2"]).read.any()  # half words are none


def test_of_a_unit_that_is_not_everywhere_the_same_nothing_is_taken_away():
    assert not read_numbers(["12 kg", "3 g"]).read.any()
    assert read_numbers(["12 kg", "3"]).read.tolist() == [False, True]


@pytest.mark.parametrize("written", ["${}", "{} $", "{} %", "{} kg", "{} rooms"])
@pytest.mark.parametrize("odd", ["5", "5.00", "1,200"])
@pytest.mark.parametrize("first", [True, False])
def test_a_few_numbers_without_what_nearly_all_have_are_not_read(written, odd, first):
    cells = [written.format(number) for number in range(1, 20)]
    found = read_numbers([odd, *cells] if first else [*cells, odd])
    expected = [*range(1, 20)]
    assert found.values[found.read].tolist() == expected
    assert not found.read[0 if first else -1]


@pytest.mark.parametrize("odd", ["€5", "5 EUR", "5 %", "$5 $", "$5-$7", "5 kg", "5k"])
def test_a_few_numbers_with_another_sign_are_not_read(odd):
    assert read_numbers([odd, *(f"${number}" for number in range(1, 20))]).read.tolist() == [False] + [True] * 19


def test_other_words_behind_few_numbers_make_names_of_all():
    assert not read_numbers(["1st", *(f"{number}th" for number in range(4, 23))]).read.any()


def test_where_commas_are_decimal_elsewhere_points_are_not():
    assert read_numbers(["1.234", "950"], decimal_commas=True).values.tolist() == [1234, 950]
    assert read_numbers(["0.125", "0.250", "1"], decimal_commas=True).values.tolist() == [0.125, 0.25, 1]
    assert read_numbers(["1.5", "950"], decimal_commas=True).values.tolist() == [1.5, 950]
    assert read_numbers(["1,234", "950"], decimal_commas=True).values.tolist() == [1.234, 950]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["0,5", "1,25", "3"], True),
        (["0,125", "3"], True),
        (["1.234,5"], True),
        (["1,234", "950"], False),
        (["0,5", "1.25,3.1"], False),
        (["5", "7"], False),
        (["Smith, John", "1"], False),
    ],
)
def test_decimal_commas_are_seen_where_they_can_be_nothing_else(cells, expected):
    assert has_decimal_commas(cells) == expected


def test_zeros_before_several_numbers_of_as_many_digits_make_codes():
    assert are_codes(["01003", "00501", "80331", "unknown"])
    assert are_codes(["07", "08", "12"])
    assert not are_codes(["01003", "01003", "80331"])  # one value alone may be a slip
    assert not are_codes(["0", "00", "000"])
    assert not are_codes(["0.5", "0.7", "0"])
    assert not are_codes(["01003", "00501", "1003.5"])

from datetime import date, timedelta

import numpy as np
import pytest

from trimtab.lab.tables.columns import Categories, Numbers, Useless, sorted_columns, with_decimal_commas

ROWS = 60
SHORT_YEARS = "dates with years of two digits; write 2024-03-31"


def only(name, cells, **more):
    found = sorted_columns({name: cells}, **more)
    (column,) = [*found.numbers, *found.categories, *found.useless]
    return column


def repeated(*cells):
    return [cells[place % len(cells)] for place in range(ROWS)]


def test_numbers_have_gaps_where_nothing_stands():
    column = only("area", ["1.5", "", "NA", *repeated("2", "3.5")])
    assert isinstance(column, Numbers)
    assert np.isnan(column.values[1:3]).all()
    assert (column.values[0], column.notes) == (1.5, ())


def test_a_few_slips_among_numbers_are_missing_and_said():
    column = only("area", ["unknown", "inf", *repeated("2.5", "3", "4")])
    assert isinstance(column, Numbers)
    assert np.isnan(column.values[:2]).all()
    assert column.notes == ("'unknown', 'inf' taken for missing",)


def test_numbers_of_which_some_have_a_unit_are_numbers_of_that_unit_and_that_is_said():
    cells = [f"{20 + place % 40}.5{' m2' if place % 20 == 0 else ''}" for place in range(ROWS)]
    column = only("area", ["", "unknown", *cells])
    assert isinstance(column, Numbers)
    assert column.values[2:].tolist() == [20.5 + place % 40 for place in range(ROWS)]
    assert column.notes == ("m2 left out, in 3 of 61 rows", "'unknown' taken for missing")


def test_numbers_of_two_units_are_not_added_together():
    numbers = [20 + 0.5 * place for place in range(ROWS)]
    remedy = "numbers with the units kg and lb; write them in one unit"
    half = [f"{number} {'lb' if place % 2 else 'kg'}" for place, number in enumerate(numbers)]
    assert only("load", half) == Useless("load", remedy)
    few = only("load", ["30 kg", "31 kg", "70 lb", *map(str, numbers)])
    assert np.isnan(few.values[:3]).all()
    assert few.notes == (remedy, "'30 kg', '31 kg', '70 lb' taken for missing")
    slip = only("load", ["70 lb", *(f"{number} kg" for number in numbers)])
    assert np.isnan(slip.values).tolist() == [True] + [False] * ROWS
    assert slip.notes == ("kg left out", remedy, "'70 lb' taken for missing")


def prices(written):
    return [written.format(20 + place + 0.25) for place in range(ROWS)]


@pytest.mark.parametrize(("written", "sign"), [("${:.2f}", "$"), ("{:.2f} $", "$"), ("{:.2f} EUR", "EUR")])
def test_a_bare_number_among_amounts_of_one_currency_is_such_an_amount_and_that_is_said(written, sign):
    column = only("price", ["35.00", *prices(written)])
    assert isinstance(column, Numbers)
    assert column.values[:2].tolist() == [35, 20.25]
    assert column.notes == (f"{sign} left out, in 60 of 61 rows",)


@pytest.mark.parametrize(
    ("odd", "written", "notes"),
    [
        ("5.0", "{:.1f} %", ("% left out", "'5.0' taken for missing")),
        ("5", "{:.1f} rooms", ("rooms left out", "'5' taken for missing")),
        (
            "€35.00",
            "${:.2f}",
            (
                "$ left out",
                "numbers with the units $ and €; write them in one unit",
                "'€35.00' taken for missing",
            ),
        ),
    ],
)
def test_a_few_numbers_of_what_may_be_another_scale_are_missing_and_said(odd, written, notes):
    column = only("price", [odd, *prices(written)])
    assert isinstance(column, Numbers)
    assert np.isnan(column.values).tolist() == [True] + [False] * ROWS
    assert column.notes == notes


def test_amounts_of_two_currencies_are_not_added_together():
    cells = [cell.replace("$", "€") if place % 6 == 0 else cell for place, cell in enumerate(prices("${:.2f}"))]
    assert only("price", cells) == Useless("price", "numbers with the units $ and €; write them in one unit")


def test_numbers_of_another_size_have_another_unit():
    cells = [f"{500 + place} g" if place % 2 else f"{0.5 + place / 1000}" for place in range(ROWS)]
    remedy = "numbers with and without the unit g, of different sizes; write them in one unit"
    assert only("load", cells) == Useless("load", remedy)


def test_words_behind_numbers_are_no_units_of_theirs():
    words = [f"{place} nice {'rooms' if place % 2 else 'flats'}, {place} kg" for place in range(ROWS)]
    assert only("note", words) == Useless("note", "60 different texts in 60 rows")


def test_half_numbers_and_half_words_are_categories():
    assert isinstance(only("size", repeated("1", "2", "large", "small")), Categories)


def test_the_number_of_the_row_is_one_where_rows_are_left_out():
    rows = [0, 1, 3, *range(5, ROWS)]
    for first, sign in ((1, 1), (200, -1)):
        cells = [str(first + sign * row) for row in rows]
        assert sorted_columns({"n": cells}, rows=rows).useless == [Useless("n", "the number of the row")]
        assert sorted_columns({"n": cells}).useless == []


@pytest.mark.parametrize(("name", "useless"), [("heat_index", False), ("index", True), ("row_id", True)])
def test_columns_that_name_the_row(name, useless):
    cells = [str(1000 + 7919 * row % 997) for row in range(ROWS)]
    assert isinstance(only(name, cells), Useless if useless else Numbers)


def test_dates_are_numbers():
    column = only("sold", [f"2024-01-{1 + place % 28:02d}" for place in range(ROWS)])
    assert isinstance(column, Numbers)
    assert column.dates


def test_eight_digits_are_dates_where_all_of_them_are():
    days = [f"202401{1 + place % 28:02d}" for place in range(ROWS)]
    column = only("sold", days)
    assert column.dates
    assert column.values[1] - column.values[0] == 1
    numbers = only("sold", [*days, "20240199"])
    assert not numbers.dates
    assert numbers.values[1] == 20240102
    assert np.ptp(column.values) == 27


def test_times_of_day_are_numbers_and_said_to_be_hours():
    column = only("start", ["late", *(f"{8 + place % 12}:30" for place in range(ROWS))])
    assert isinstance(column, Numbers)
    assert column.values[1] == 8.5
    assert column.notes == ("times of day, in hours", "'late' taken for missing")
    assert not column.dates


def test_words_that_come_again_are_categories():
    column = only("state", ["", *repeated("good", "poor")])
    assert column == Categories("state", (None, *repeated("good", "poor")))


def test_numbers_that_are_names_are_categories_where_somebody_says_so():
    assert isinstance(only("zip", repeated("1010", "1020"), categories=["zip"]), Categories)
    assert isinstance(only("store_id", repeated("1", "2", "3")), Categories)  # or where its name does


def test_numbers_with_zeros_before_several_are_codes():
    codes = ["01003", "00501", "80331"]
    column = only("zip", ["", "unknown", *repeated(*codes)])
    assert column == Categories("zip", (None, "unknown", *repeated(*codes)), ("codes, for some begin with zeros",))
    many = only("phone", [f"0{7919 * place % 99991:05d}" for place in range(ROWS)])
    assert many == Useless("phone", "60 different codes in 60 rows, for some begin with zeros")


@pytest.mark.parametrize(
    "cells",
    [("0", "0.5", "1"), ("01003", "80331", "10115"), ("01003", "00501", "8033"), ("0.25", "0.50"), ("00", "01", "-1"),
     ("01003", "00501", "80331.5"), ("0", "1")],
)  # fmt: skip
def test_other_numbers_are_no_codes(cells):
    assert isinstance(only("zip", repeated(*cells)), Numbers)


def test_a_constant_with_gaps_says_where_they_are():
    assert isinstance(only("flag", repeated("yes", "")), Categories)


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("x", repeated("", "NA"), "empty"),
        ("x", repeated("7"), "always the same"),
        ("x", repeated("7", "7.0"), "always the same"),
        ("x", [str(place) for place in range(ROWS)], "the number of the row"),
        ("x", [str(ROWS - place) for place in range(ROWS)], "the number of the row"),
        ("customer_id", [str(7919 * place % 997) for place in range(ROWS)], "it names the row"),
        ("userId", [str(7919 * place % 997) for place in range(ROWS)], "it names the row"),
        ("Unnamed: 0", [str(7919 * place % 997) for place in range(ROWS)], "it names the row"),
        ("Unnamed: 0.1", [str(7919 * place % 997) for place in range(ROWS)], "it names the row"),
        ("name", [f"person {place}" for place in range(ROWS)], "60 different texts in 60 rows"),
        ("day", [f"{1 + row % 28}/{1 + row % 12}/{10 + row % 13}" for row in range(ROWS)], SHORT_YEARS),
        ("version", [f"{row % 3}.{row % 11}.{row}" for row in range(ROWS)], "60 different texts in 60 rows"),
        ("day", repeated("3/4/2024", "5/6/2024"), "dates whose days and months cannot be told apart; write 2024-03-31"),
    ],
)
def test_what_is_useless_is_left_out_with_the_reason(name, cells, reason):
    assert only(name, cells) == Useless(name, reason)


@pytest.mark.parametrize("written", ["%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%y-%m-%d", "%d.%m.%y 14:30"])
@pytest.mark.parametrize(("first", "step"), [(date(2024, 1, 1), 1), (date(2023, 5, 20), 1), (date(2019, 3, 2), 9)])
def test_dates_with_short_years_are_left_out_where_they_come_again(written, first, step):
    cells = repeated(*((first + timedelta(days=step * place)).strftime(written) for place in range(ROWS // 3)))
    reason = f"{SHORT_YEARS}, or name the column in categories= if these are codes"
    assert only("day", ["", "unknown", *cells]) == Useless("day", reason)
    assert isinstance(only("day", cells, categories=["day"]), Categories)


@pytest.mark.parametrize(
    "cells",
    [
        ("22.04.03", "20.04.05", "18.04.26"),
        tuple(f"{place:02d}.{1 + place % 3:02d}.{1 + place % 4:02d}" for place in range(1, 16)),
        tuple(f"10.01.{place:02d}" for place in range(1, 13)),
    ],
)
def test_codes_that_may_be_dates_stay_categories_and_that_is_said(cells):
    notes = ("codes, or dates with years of two digits; write dates as 2024-03-31",)
    assert only("code", repeated(*cells)) == Categories("code", tuple(repeated(*cells)), notes)


@pytest.mark.parametrize("cells", [("1.2.10", "1.3.11", "2.0.12"), ("25.30.99", "71.12.11"), ("1/2", "3/4")])
def test_codes_that_are_no_dates_are_categories(cells):
    assert only("code", repeated(*cells)) == Categories("code", tuple(repeated(*cells)))


def test_different_numbers_are_no_names_of_rows():
    assert isinstance(only("income", [str(7919 * place % 997) for place in range(ROWS)]), Numbers)
    assert isinstance(only("valid", [str(7919 * place % 997) for place in range(ROWS)]), Numbers)  # which ends in "id"


def test_amounts_that_go_up_by_one_are_not_the_number_of_the_row():
    assert isinstance(only("price", [f"${1000 + place:,}" for place in range(ROWS)]), Numbers)


def test_one_column_shows_how_all_numbers_of_a_table_are_written():
    columns = {"a": repeated("0,5", "1"), "b": repeated("1.234", "950")}
    assert with_decimal_commas(columns, ";")
    assert not with_decimal_commas(columns, ",")
    assert sorted_columns(columns, decimal_commas=True).numbers[1].values[:2].tolist() == [1234, 950]

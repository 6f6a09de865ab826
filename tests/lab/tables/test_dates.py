from datetime import date

import numpy as np
import pytest

from trimtab.lab.tables.dates import are_hardly_codes, read_dates, read_times, share_with_short_years


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-03-31", "2024-04-01"],
        ["31.03.2024", "1.4.2024"],
        ["3/31/2024", "04/01/2024"],
        ["31/03/2024", "01/04/2024"],
        ["2024/03/31", "2024/4/1"],
        ["Mar 31, 2024", "April 1, 2024"],
        ["31 March 2024", "1 apr. 2024"],
        ["31-MAR-2024", "01-Apr-2024"],
        ["Mar 31 2024 00:00", "2024-04"],
        ["Sunday, March 31, 2024", "Mon 01.04.2024"],
        ["31-Mar-24", "1 Apr 24"],
        ["20240331", "20240401T000000"],
    ],
)
def test_dates_are_days(cells):
    found = read_dates(cells)
    assert found.days.tolist() == [(date(2024, 3, 31) - date(1970, 1, 1)).days + each for each in (0, 1)]
    assert not found.unclear


def test_times_are_parts_of_days():
    days = read_dates(["2024-03-31 00:00", "2024-03-31T06:00:00Z", "2024-03-31 12:00:00.5+02:00"]).days
    assert (days - days[0]).tolist() == [0, 0.25, 0.5]
    together = read_dates(["20240331T060000", "20240331T120000Z"]).days
    assert (together - days[0]).tolist() == [0.25, 0.5]
    half = read_dates(["Mar 31, 2024 06:00 AM", "Mar 31, 2024 6:00:00 PM", "3/31/2024 12:00 am"]).days
    assert (half - days[0]).tolist() == [0.25, 0.75, 0]
    assert (
        read_dates(["31 Mar 70", "31 Mar 24"]).days.tolist() == read_dates(["1970-03-31", "2024-03-31"]).days.tolist()
    )


def test_days_and_months_that_cannot_be_told_apart():
    assert read_dates(["3/4/2024", "5/6/2024"]).unclear
    assert not read_dates(["3.4.2024", "5.6.2024"]).unclear


@pytest.mark.parametrize("mark", ["/", "."])
@pytest.mark.parametrize("odd", ["99/99/9999", "00/00/0000", "30/02/2024", "1/13/2024 25:00", "15/45/2024"])
def test_a_cell_that_is_no_date_does_not_turn_days_and_months_around(mark, odd):
    cells = [each.replace("/", mark) for each in (odd, "01/02/2024", "02/02/2024", "03/02/2024")]
    found = read_dates(cells)
    assert np.isnan(found.days[0])
    assert found.unclear == (mark == "/")
    assert mark == "/" or np.diff(found.days[1:]).tolist() == [1, 1]
    clear = read_dates([*cells, "31/03/2024".replace("/", mark)])
    assert not clear.unclear
    assert np.diff(clear.days[1:4]).tolist() == [1, 1]


def test_a_slip_with_slashes_does_not_make_dates_with_points_unclear():
    found = read_dates(["00/00/0000", "3.4.2024", "4.4.2024"])
    assert not found.unclear
    assert found.days[2] - found.days[1] == 1


def test_more_cells_decide_which_of_days_and_months_come_first():
    months_first = ["03/31/2024", "03/30/2024", "04/01/2024"]
    found = read_dates([*months_first, "31/03/2024"])
    assert not found.unclear
    assert found.days[:3].tolist() == read_dates(["2024-03-31", "2024-03-30", "2024-04-01"]).days.tolist()
    assert np.isnan(found.days[3])
    assert read_dates(["03/31/2024", "31/03/2024", "04/01/2024"]).unclear


@pytest.mark.parametrize(
    ("cells", "share"),
    [
        (["3/12/24", "28/2/23", "31/3/24"], 1),
        (["3/31/24 14:30", "2/28/23 2:30 pm"], 1),
        (["24/03/31", "99-12-31"], 1),
        (["31.03.24", "28.02.23"], 1),
        (["31.03.24", "02.28.23", "soon", "99/99/99"], 0.25),
        (["1.2.10", "3.11.12", "1-2-10"], 0),
        (["3/12/2024", "12/24", "2024-03-31"], 0),
    ],
)
def test_dates_with_years_of_two_digits_are_seen(cells, share):
    assert share_with_short_years(cells) == share


def test_with_strokes_or_a_time_few_different_cells_are_hardly_codes():
    assert are_hardly_codes(["3/1/24", "4/1/24"])
    assert are_hardly_codes(["01.03.24 14:30", "01.04.24 9:00"])
    assert not are_hardly_codes(["01.03.24", "25.04.24", "31.12.24"])


def test_many_different_cells_with_points_are_hardly_codes_if_they_lie_as_days_do():
    assert are_hardly_codes([f"{day:02d}.03.24" for day in range(1, 14)])  # in a row
    assert are_hardly_codes([f"{3 * day:02d}.{1 + 5 * day % 12:02d}.14" for day in range(1, 11)])  # some of them late
    assert not are_hardly_codes([f"{day:02d}.{month:02d}.14" for day in (1, 8) for month in range(1, 13)])
    assert not are_hardly_codes([f"{part:02d}.{1 + part % 3:02d}.{1 + part % 4:02d}" for part in range(1, 21)])


def test_what_is_no_date():
    wrong = ["2024-13-01", "2024-02-30", "2024-13", "2024-01-01 25:00", "31/12", "Ma 3, 2024", "Foo 3, 2024", "now"]
    wrong += ["20241301", "20240230", "20240331T250000", "18990331", "2024033"]
    assert np.isnan(read_dates(wrong).days).all()


def test_times_of_day_are_hours():
    cells = ["0:00", "14:30", "14:30:36", "12:15 am", "2:30 pm", "12:00 P.M."]
    assert read_times(cells).tolist() == [0, 14.5, 14.51, 0.25, 14.5, 12]
    assert np.isnan(read_times(["24:00", "12:60", "13:00 pm", "0:10 am", "noon", "3:2"])).all()

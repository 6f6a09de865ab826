import numpy as np
import pytest

from trimtab.lab.tables.target import read_target
from trimtab.study.errors import InputError


def target(cells, **more):
    return read_target("data.csv", "y", cells, range(2, len(cells) + 2), **more)


def repeated(*cells, rows=60):
    return [cells[place % len(cells)] for place in range(rows)]


def test_numbers_are_amounts():
    found = target(repeated("1.5", "2", "30", "4"))
    assert (found.classes, found.values[:4].tolist(), found.chosen) == ((), [1.5, 2, 30, 4], False)


@pytest.mark.parametrize(
    ("cells", "classes", "chosen"),
    [
        (("yes", "no"), ("no", "yes"), False),
        (("0", "1"), ("0", "1"), False),
        (("01003", "00501", "80331"), ("00501", "01003", "80331"), True),
        (("-1", "1"), ("-1", "1"), False),
        (("1", "2", "3"), ("1", "2", "3"), True),
        (("10", "9", "b"), ("10", "9", "b"), False),
    ],
)
def test_words_and_numbers_of_classes_are_classes(cells, classes, chosen):
    found = target(repeated(*cells))
    assert (found.classes, found.chosen) == (classes, chosen)
    assert [found.classes[each] for each in found.values[: len(cells)]] == list(cells)
    assert found.shares == pytest.approx([1 / len(cells)] * len(cells))


@pytest.mark.parametrize("cells", [("3", "4", "5"), ("0", "2", "3"), ("1.5", "2.5", "3.5")])
def test_few_numbers_that_are_not_counted_from_the_first_are_amounts(cells):
    assert target(repeated(*cells)).classes == ()


def test_somebody_may_know_better():
    assert target(repeated("010", "020", "030"), kind="regression").values[:3].tolist() == [10, 20, 30]
    assert target(repeated("1", "2", "3"), kind="regression").classes == ()
    assert target(repeated("3", "4", "10"), kind="classification").classes == ("3", "4", "10")  # in order of their size


def test_rows_without_it_are_left_out_and_counted():
    found = target(["", "NA", *repeated("1.5", "2.5", "9")])
    assert (found.unknown, found.rows[0], len(found.values)) == (2, 2, 60)


def test_none_may_be_the_name_of_a_class():
    found = target(["NA", *repeated("None", "Apnea", "Insomnia")])
    assert (found.classes, found.unknown) == (("Apnea", "Insomnia", "None"), 1)
    assert target([*repeated("1.5", "2.5", "9"), *repeated("None")]).unknown == 60  # beside numbers it says nothing
    assert target([*repeated("a", "b"), "none"]).unknown == 1  # too few for a class
    assert target([*repeated("1", "2"), *repeated("none")], kind="regression").unknown == 60


def test_minus_is_a_class_where_plus_is_another_one():
    found = target(["", *repeated("+", "-")])
    assert (found.classes, found.unknown) == (("+", "-"), 1)
    assert found.shares == [0.5, 0.5]
    assert target(repeated("+", "-", "equal")).classes == ("+", "-", "equal")
    assert target(repeated("--", "-", "+", "++")).classes == ("+", "++", "-", "--")
    assert target(repeated("a", "-", "b", rows=90)).unknown == 30  # beside other words it is none
    assert target([*repeated("a", "b", "+"), "-"]).unknown == 1  # too few for a class
    assert target(repeated("-", "1.5", "-", "3", rows=120)).unknown == 60  # beside numbers, too


def test_decimal_commas():
    assert target(repeated("1,5", "2,25", "9"), decimal_commas=True).values[:2].tolist() == [1.5, 2.25]


DAYS = [f"2024-{1 + place // 28:02d}-{1 + place % 28:02d}" for place in range(60)]
TIMES = [f"{place % 24:02d}:{place // 24 + 30}" for place in range(60)]


@pytest.mark.parametrize(
    ("cells", "more", "message"),
    [
        (repeated("", "NA"), {}, "data.csv: the target y is an empty column; choose another one$"),
        (repeated("a"), {}, "the target y is 'a' in every row, so that there is nothing to learn"),
        (repeated("a", "", rows=120), {}, "is 'a' in every row in which it is known, so that there is nothing .*n$"),
        (
            repeated("a", "-", "NA", rows=180),
            {},
            "'a' in every row in which it is known, .*; '-' in 60 rows and 'NA' in 60 rows are taken for empty: write",
        ),
        (["-", *repeated("+")], {}, r"'\+' in every row in which .*; '-' in 1 row is taken for empty: write a word"),
        (repeated("a", "b", "-"), {}, r"40 rows to learn from \(20 have no y; '-' in 20 rows is taken for empty\): 50"),
        (["+", "+", *repeated("-")], {}, r"classes with fewer than 5 rows, .*: '\+' \(2 rows\)"),
        (repeated("7", "7.0"), {}, "is '7' in every row"),
        (repeated("1.5", "2", "3", rows=49), {}, "has 49 rows to learn from: 50 are needed"),
        (repeated("1.5", "2", "", rows=60), {}, r"has 40 rows to learn from \(20 have no y\)"),
        (["unknown", *repeated("1.5", "2", "9")], {}, r"not in line 2 \('unknown'\): leave the cell empty"),
        (["a", "b", "c", "d", "e", *repeated("1.5", "2", "9")], {}, r"line 4 \('c'\) and 2 other lines: .*kind="),
        (repeated("1", "b"), {"kind": "regression"}, r"has numbers, but not in line 3 \('b'\)"),
        (["c", *repeated("a", "b")], {}, r"with fewer than 5 rows, .* each have one: 'c' \(1 row\)\. Give"),
        ([f"p{place}" for place in range(60)], {}, "60 different .* no classes, and cells such as 'p0' cannot be"),
        ([f"{place}" for place in range(60)], {"kind": "classification"}, "no classes; say kind=regression"),
        (
            [*repeated("1", "2", "3"), "4"],
            {},
            r"each have one: '4' \(1 row\).* such rows are left out. If they are amounts, say kind=regression",
        ),
        (DAYS, {}, r"y has dates, such as '2024-01-01', and dates cannot be learned; make it a number, such as days"),
        (["unknown", *DAYS], {}, "y has dates, such as '2024-01-01', and"),
        (DAYS, {"kind": "regression"}, "dates cannot be learned"),
        ([day.replace("-", "") for day in DAYS], {}, "y has dates, such as '20240101', and dates cannot be learned"),
        (TIMES, {}, r"times of day, such as '00:30', and times of day cannot be learned; make it a number, .* minutes"),
        ([*(f"{place}.5" for place in range(20)), *repeated("x", "y")], {}, "such as 'x' cannot be read as numbers"),
        (
            [f"{place} {'kg' if place % 2 else 'lb'}" for place in range(60)],
            {},
            "no classes, but numbers with the units lb and kg; write them in one unit$",
        ),
        (
            ["3 lb", "4 kg", *(f"{place}" for place in range(60))],
            {},
            r"not in line 2 \('3 lb'\) and line 3 \('4 kg'\): it has numbers with the units lb and kg; write them in "
            "one unit, or say kind=classification$",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused_with_the_remedy(cells, more, message):
    with pytest.raises(InputError, match=message):
        target(cells, **more)


def test_amounts_of_which_some_have_a_unit_are_amounts():
    found = target([*(f"{place}.5" for place in range(60)), "7.25 km"])
    assert (found.classes, found.values[-1], found.notes) == ((), 7.25, ("km left out, in 1 of 61 rows",))


def test_dates_in_many_rows_each_are_classes_and_those_without_marks_amounts_for_who_says_so():
    assert target(repeated("2024-01-01", "2024-02-01")).classes == ("2024-01-01", "2024-02-01")
    assert target([day.replace("-", "") for day in DAYS], kind="regression").values[0] == 20240101


def test_classes_that_differ_in_capitals_alone_stay_apart_and_are_said():
    found = target(repeated("yes", "no", "Yes", "other"))
    assert found.classes == ("Yes", "no", "other", "yes")
    assert found.notes == ("names that differ in capitals alone, such as 'Yes' and 'yes', stay apart",)
    assert target(repeated("yes", "no")).notes == ()


@pytest.mark.parametrize("slip", ["1e12", "-1e12", "1e300"])
def test_a_row_that_makes_nearly_all_of_the_variance_is_found(slip):
    usual = np.random.default_rng(0).normal(size=59).astype(str).tolist()
    assert target([slip, *usual]).alone == float(slip)
    assert target([slip, slip, *usual]).alone is None
    assert target(["9", *usual]).alone is None
    assert target(usual).alone is None
    assert target(repeated("a", "b")).alone is None


def test_values_of_classes_are_whole():
    assert target(repeated("a", "b")).values.dtype == np.int64


def test_numbers_that_differ_after_sixteen_digits_are_no_classes():
    cells = [f"1000000000000000.0{place:02d}" for place in range(40, 100)]
    found = target(cells)
    assert (found.classes, len(np.unique(found.values))) == ((), 2)
    assert len(target(repeated("1", "1.0", "+1", "0", "0.0")).classes) == 2


@pytest.mark.parametrize("others", [(), ("22345678901234567",)])
def test_long_numbers_may_be_names_of_classes(others):
    ids = ("12345678901234567", "12345678901234568", *others)
    assert target(repeated(*ids), kind="classification").classes == ids

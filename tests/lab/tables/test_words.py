import numpy as np
import pytest

from tests.lab.tables.tables import houses, write
from trimtab import TableTask
from trimtab.study.errors import InputError


def task(tmp_path, columns, *arguments, **more):
    return TableTask(write(tmp_path / "data.csv", columns), *arguments, **more)


def test_a_line_says_what_was_understood(tmp_path):
    columns = {"id": list(range(100, 300)), **houses(200)}
    columns["sold"] = [f"2024-{1 + row % 12:02d}-01" for row in range(200)]
    columns["area"][0] = "unknown"
    columns["price"][1:3] = ["", "NA"]
    found = task(tmp_path, columns, "price", drop="age")
    assert found.introduction == (
        "data.csv: 200 rows, 1 numeric column (area), 1 date (sold) and 2 category columns (district 12, state 3); "
        f"target price (regression, {_range(columns)}), quoted by R²; 118 rows to train on, 40 to choose by, 40 to "
        "test; left out: id: the number of the row; left out as you said: age; 2 rows without price left out; read: "
        "area: 'unknown' taken for missing; missing cells in state"
    )


def _range(columns):
    prices = [price for price in columns["price"] if isinstance(price, float)]
    return f"{min(prices):,.6g} to {max(prices):,.6g}"


def test_classes_are_named_with_their_shares(tmp_path):
    columns = houses(200)
    columns["kind"] = [1 + row % 4 for row in range(200)]
    found = task(tmp_path, columns, "kind")
    assert "target kind (classification with 4 classes, 4 25 %, 3 25 %, 2 25 %, 1 25 %), quoted by accuracy" in (
        found.introduction
    )
    assert found.introduction.endswith("kind is taken for numbers of classes; say kind=regression if they are amounts")


def test_names_that_differ_in_capitals_alone_are_said(tmp_path):
    columns = {**houses(200), "y": [["yes", "no", "Yes", "NO "][row % 4] for row in range(200)]}
    columns["state"] = ["Good" if row % 5 == 0 else state for row, state in enumerate(columns["state"])]
    said = task(tmp_path, columns, "y").introduction
    assert "classification with 4 classes" in said
    assert "; read: y: names that differ in capitals alone, such as 'NO' and 'no', stay apart, state: names" in said
    assert "such as 'Good' and 'good', stay apart" in said
    assert "capitals" not in task(tmp_path, houses(200), "state").introduction


def test_an_amount_that_makes_nearly_all_of_the_variance_is_said(tmp_path):
    columns = houses(200)
    columns["price"][7] = 1e12
    assert task(tmp_path, columns, "price").introduction.endswith(
        "; price of a single row, 1,000,000,000,000, makes nearly all of its variance; if it is a slip, correct it or "
        "leave the cell empty"
    )
    assert "variance" not in task(tmp_path, houses(200), "price").introduction


def test_codes_that_begin_with_zeros_are_said(tmp_path):
    columns = {**houses(200), "zip": [f"{7919 * (row % 9) % 10000:05d}" for row in range(200)]}
    assert "read: zip: codes, for some begin with zeros" in task(tmp_path, columns, "price").introduction
    said = task(tmp_path, columns, "zip").introduction
    assert "target zip (classification with 9 classes" in said
    assert "zip is taken for numbers of classes; say kind=regression if they are amounts" in said


def test_a_line_names_few_columns_and_a_report_all(tmp_path):
    columns = {f"x{n}": [(row * (n + 3)) % 17 / 2 for row in range(100)] for n in range(8)}
    found = task(tmp_path, columns, "x7")
    assert "7 numeric columns (x0, x1, x2 and 4 more)" in found.introduction
    assert found.introduction.endswith("; --dry-run and the report name all")
    assert "7 numeric columns (x0, x1, x2, x3, x4, x5, x6)" in found.understood.paragraph(found.metric)
    assert found.introduction_details == ("numeric columns: x0, x1, x2, x3, x4, x5, x6",)


def test_of_many_numeric_columns_a_dry_run_names_the_first_and_of_all_others_each(tmp_path):
    columns = {**houses(100), **{f"x{n}": [(row * (n + 3)) % 101 / 2 for row in range(100)] for n in range(30)}}
    columns.update({f"empty {n}": [""] * 100 for n in range(30)})
    random = np.random.default_rng(0)
    columns.update({f"word {n}": random.choice(["a", "b", "c"], size=100).tolist() for n in range(25)})
    found = task(tmp_path, columns, "price")
    numeric, categories, useless = found.introduction_details[:3]
    names = ["area", "age", *(f"x{n}" for n in range(30))]
    assert numeric == (
        f"numeric columns: {', '.join(names[:10])} and 22 more: every column that is said to be nothing else"
    )
    assert categories.endswith(", ".join(["state 3", *(f"word {n} 3" for n in range(25))]))
    assert all(f"empty {n}" in useless for n in range(30))
    assert found.introduction.endswith("; --dry-run names all but most numeric columns, and the report all")
    assert ", ".join(names) in found.understood.paragraph(found.metric)


def test_long_lists_are_whole_in_lines_of_their_own(tmp_path):
    columns = houses(100)
    for name in ("a", "b", "c"):
        columns[f"empty {name}"], columns[f"note {name}"] = [""] * 100, [f"{name}{row}" for row in range(100)]
        columns[f"share {name}"] = [f"{(row * len(columns)) % 37} %" if row % 9 else "" for row in range(100)]
    found = task(tmp_path, columns, "price", drop=["note a", "note b", "empty b", "state"])
    assert "left out: empty a: empty, empty c: empty, note c: 100 different texts in 100 rows; " in found.introduction
    assert "left out as you said: note a, note b, empty b and 1 more; read: share a: % left out" in found.introduction
    assert found.introduction_details == (
        "numeric columns: area, age, share a, share b, share c",
        "left out as you said: note a, note b, empty b, state",
        "missing cells in age, share a, share b, share c",
    )
    all_of_it = task(tmp_path, columns, "price").introduction_details
    assert "left out: empty a, empty b, empty c: empty" in all_of_it
    assert "left out: note a, note b, note c: 100 different texts in 100 rows" in all_of_it
    assert task(tmp_path, houses(100), "price").introduction_details == ()


def test_a_name_with_a_comma_is_one_name(tmp_path):
    columns = houses(200)
    columns["state, now"] = columns.pop("state")
    columns["state, then"] = columns["state, now"]
    columns["size, net"] = ["" if row % 9 == 0 else f"{row * 7 % 101}.5 m2" for row in range(200)]
    columns['"a", b'] = [1] * 200
    found = task(tmp_path, columns, "price")
    assert '2 category columns (district 12, "state, now" 3); target' in found.introduction
    assert 'left out: """a"", b": always the same, "state, then": a copy of "state, now"; ' in found.introduction
    assert 'read: "size, net": m2 left out; missing cells in age, "size, net", "state, now"' in found.introduction
    dropped = task(tmp_path, columns, "price", drop='"size, net",age')
    assert 'left out as you said: "size, net", age; ' in dropped.introduction
    with pytest.raises(InputError, match='; there are area, age, district, price, "state, now", "state, then", '):
        task(tmp_path, columns)


def test_a_column_from_which_the_target_follows_is_named(tmp_path):
    columns = houses(100)
    columns["cents"] = [f"{100 * price:.4f}" for price in columns["price"]]
    columns["gone"] = columns["age"]
    found = task(tmp_path, columns, "price")
    assert "left out: gone: a copy of age" in found.introduction
    assert found.introduction.endswith(
        "every row's price follows from cents alone; leave out what is known only when it is: drop='cents'"
    )


def test_a_column_from_which_the_target_follows_where_it_is_there_is_named(tmp_path):
    columns = houses(200)
    columns["euros"] = ["" if row % 9 == 0 else price * 0.9 for row, price in enumerate(columns["price"])]
    columns["band"] = ["high" if price > 60_000 else "low" for price in columns["price"]]
    assert task(tmp_path, columns, "band", drop="area").introduction.endswith(
        "every row's band follows from price alone or from euros alone, where that is not missing; leave out what is "
        "known only when it is: drop='price,euros'"
    )


def test_rows_that_are_there_to_train_on_and_to_test_are_told(tmp_path):
    columns = {name: [cell for cell in cells for _ in range(4)] for name, cells in houses(50).items()}
    found = task(tmp_path, {"a\nb": [row % 7 / 2 for row in range(200)], **columns}, "price")
    assert "rows to test are, cell by cell, also among those to train on" not in found.introduction
    assert "numeric columns (a b, area" in found.introduction
    again = task(tmp_path, columns, "price")
    assert "rows to test are, cell by cell, also among those to train on" in again.introduction

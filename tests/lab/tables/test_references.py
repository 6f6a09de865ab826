import subprocess
import sys

import pytest

from trimtab.lab.references import parse_reference
from trimtab.lab.tables.references import is_table, other_table, table_name, with_target
from trimtab.study.errors import InputError


@pytest.mark.parametrize(
    ("place", "name"), [("data.csv", "data"), ("a/b.c.CSV", "b.c"), ("x.tsv.gz", "x"), ("a/.csv", ".csv")]
)
def test_tables_are_told_by_their_names(place, name):
    assert is_table(place)
    assert table_name(place) == name


@pytest.mark.parametrize(
    "place", ["digits", "task.py", "task.py:Mine", "data.parquet", "data", "csv", "data.csv:price"]
)
def test_others_are_none(place):
    assert not is_table(place)


@pytest.mark.parametrize(("place", "name"), [("a", "a"), ("a.txt", "a"), ("b/a.gz", "a"), ("a.b.txt", "a.b")])
def test_other_files_are_called_as_they_are_without_their_ending(place, name):
    assert table_name(place) == name


def test_other_tables_have_remedies():
    assert "pandas" in other_table("a/data.parquet")
    assert "spreadsheet" in other_table("data.XLSX")
    assert other_table("data.csv") == other_table("digits") == ""


def test_a_target_is_for_tables_that_have_none():
    given = ["digits", "a.csv", "b.csv(target=x)", "c.csv(y)", "d.csv(kind=regression)"]
    assert with_target(given, "price") == [
        "digits", "a.csv(target=price)", "b.csv(target=x)", "c.csv(y)", "d.csv(target=price, kind=regression)"
    ]  # fmt: skip
    assert with_target(given, None) == given


@pytest.mark.parametrize(
    "target", ["a, b", "price (USD)", "a)", "=1", "'", '"', "2024", "None", "a=b", " x", "[", "é", "x#y", "a\nb"]
)
def test_any_name_comes_through(target):
    (reference,) = with_target(["a.csv"], target)
    assert dict(parse_reference(reference).settings) == {"target": target}


def test_a_target_that_no_table_takes_is_refused_beside_theirs():
    with pytest.raises(InputError, match=r"target='price': a.csv says target=x in its brackets, and no other table"):
        with_target(["a.csv(target=x)", "digits"], "price")
    with pytest.raises(InputError, match=r"a.csv says target=x in its brackets and b.csv says target=2024 in"):
        with_target(["a.csv(x)", "b.csv(2024)"], "price")
    same = ["a.csv(target=Price)", "b.csv(x)"]
    assert with_target(same, "price") == same
    assert with_target(["a.csv(2024)"], "2024") == ["a.csv(2024)"]


def test_without_a_table_it_is_for_nobody():
    with pytest.raises(InputError, match=r"target='price': .* no problem here is a table"):
        with_target(["digits", object()], "price")
    with pytest.raises(InputError, match="write it with pandas"):
        with_target(["a.parquet"], "price")
    with pytest.raises(InputError, match="target=3"):
        with_target(["a.csv"], 3)


def test_telling_tables_imports_neither_torch_nor_pandas():
    program = "import sys, trimtab.lab.loading; print({'torch', 'pandas', 'sklearn', 'numpy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

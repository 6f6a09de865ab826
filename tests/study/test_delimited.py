"""Files of delimited text; tests/compare/imported/test_table.py has more, through tables of runs."""

import csv

import pytest

from trimtab.study.delimited import Delimited, FewFaults, read_delimited
from trimtab.study.errors import InputError


def read(tmp_path, content, row="row"):
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(path, row)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_what_stands_between_cells_is_found_by_the_first_line(tmp_path, separator):
    found = read(tmp_path, f"a{separator}b\n1{separator} x \n")
    assert found == Delimited(("a", "b"), ((2, ["1", "x"]),), separator)


def test_what_is_quoted_in_the_first_line_separates_nothing(tmp_path):
    found = read(tmp_path, '"a, b, c";d\n1;2\n')
    assert (found.columns, found.separator) == (("a, b, c", "d"), ";")


def test_a_name_of_a_column_may_hold_lines_and_quotes(tmp_path):
    found = read(tmp_path, '"area\n(m2, net)";x;price\n1;2;3\n')
    assert (found.columns, found.separator) == (("area\n(m2, net)", "x", "price"), ";")
    assert read(tmp_path, '"5"" pipe";b\n"1";2\n').columns == ('5" pipe', "b")


def test_what_begins_with_a_bracket_is_json_if_it_looks_like_it(tmp_path):
    assert read(tmp_path, "[x],y\n1,2\n").columns == ("[x]", "y")
    for content in ('{"a": 1}', '[{"a": 1}]', "[[1, 2]]", "[1, 2]", "{}", "[]", "[-1]", ' [ "a" ]'):
        with pytest.raises(InputError, match="is JSON and no CSV file"):
            read(tmp_path, content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_which_they_are(tmp_path, encoding):
    assert read(tmp_path, "größe,b\n1,2\n".encode(encoding)).columns == ("größe", "b")


def test_another_encoding_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match=r"byte 2 is not text in UTF-8 .*save it again as UTF-8, or: iconv -f latin1"):
        read(tmp_path, "größe,b\n1,2\n".encode("latin1"))


def test_cells_may_hold_lines_and_what_other_programs_take_for_their_ends(tmp_path):
    found = read(tmp_path, 'a,b\r\n"x\ny",1\r\nu\u2028v\x0bw,2\r\n')
    assert found.rows == ((2, ["x\ny", "1"]), (4, ["u\u2028v\x0bw", "2"]))
    assert csv.field_size_limit() == 131072


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty: a line of column names and a line for each house are needed"),
        ("a,b\n", "has column names and no houses"),
        ("a,b,a\n1,2,3\n", "line 1: column 'a' is there 2 times"),
        ("a,b\n1\n", "line 2: there are 1 cells below 2 columns"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content, "house")


def test_without_faults_there_is_nothing_to_raise():
    FewFaults("x").raise_any()

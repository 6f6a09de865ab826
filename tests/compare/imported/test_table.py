import csv
import gzip

import pytest

from trimtab.compare.imported.table import in_words, read_table, with_points
from trimtab.study.errors import InputError

TEXT = "candidate,seed,score\nadamw,0,1.5\n\nlion,0, 1.25 \n"


def written(tmp_path, content, name="runs.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(table):
    return [(row.name, *row.cells.values()) for row in table.rows]


def test_a_file_is_read_with_the_numbers_of_its_lines(tmp_path):
    table = read_table(written(tmp_path, TEXT))
    assert table.columns == ("candidate", "seed", "score")
    assert rows_of(table) == [(2, "adamw", "0", "1.5"), (4, "lion", "0", "1.25")]
    assert table.place(table.rows[1], "score") == "runs.csv, line 4, column score"


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TEXT.encode(), mtime=0),
        f"\ufeff{TEXT}",  # as spreadsheets begin a file
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t"),
        "".join(f"{line},,\n" if line else "\n" for line in TEXT.split("\n")[:-1]),  # columns that have nothing
    ],
)
def test_files_as_other_programs_write_them_are_the_same_table(tmp_path, content):
    assert rows_of(read_table(written(tmp_path, content))) == rows_of(read_table(written(tmp_path, TEXT, "plain.csv")))


def test_cells_may_hold_several_lines_and_long_curves(tmp_path):
    curve = ";".join(f"{place}:1.5" for place in range(30_000))
    assert len(curve) > csv.field_size_limit()
    table = read_table(written(tmp_path, f'candidate,curve\n"a\nb",{curve}\nc,0:1\n'))
    assert [row.name for row in table.rows] == [2, 4]
    assert table.rows[0].cells == {"candidate": "a\nb", "curve": curve}
    assert csv.field_size_limit() < len(curve)  # which others may rely on


def test_rows_in_memory_are_a_table():
    table = read_table([{"candidate": "adamw", "seed": 0}, {"candidate": "lion", "score": None}])
    assert table.columns == ("candidate", "seed", "score")
    assert rows_of(table) == [(1, "adamw", "0"), (2, "lion", "")]
    assert table.place(table.rows[0], "seed") == "source, row 1, column seed"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty: a line of column names and a line for each run are needed"),
        ("a,b\n", "has column names and no runs"),
        ("a,b,a\n1,2,3\n", "line 1: column 'a' is there 2 times"),
        ("a,b\n1,2\n1\n1,2,3\n", "line 3: there are 1 cells below 2 columns"),
        ("a,b\n1,2\n1\n1,2,3\n", "line 4: there are 3 cells below 2 columns"),
        ('a,b\n1,"2\n', "cannot be read as CSV"),
        (b"a,b\n\xff\xfe,1\n", "is no CSV file: byte 4 is not text in UTF-8"),
        ('{\n "schema": 1}', "is JSON and no CSV file"),
        (b"a,b\n\0,1\n", "is no CSV file: it has bytes that no text has"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "cannot be decompressed"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, message):
    with pytest.raises(InputError) as error:
        read_table(written(tmp_path, content))
    assert message in str(error.value)
    assert "runs.csv" in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_table(tmp_path)


@pytest.mark.parametrize("source", [[], [1], {}, None, 3, b"a,b"])
def test_what_holds_no_rows_is_refused(source):
    with pytest.raises(InputError, match="the path of a CSV file, a list of mappings or a data frame is needed"):
        read_table(source)


def test_of_many_faults_the_first_are_told(tmp_path):
    with pytest.raises(InputError) as error:
        read_table(written(tmp_path, "a,b\n" + "1\n" * 5000))
    messages = error.value.messages
    assert messages[0].startswith("runs.csv, line 2:")
    assert messages[-1] == "runs.csv: 4,990 more faults like these"
    assert len(messages) == 11


def test_what_is_left_out_is_said_if_it_is_something():
    assert [in_words(number, "run", "finished") for number in (0, 1, 2)] == [
        "", "1 run that is not finished", "2 runs that are not finished",
    ]  # fmt: skip


def test_a_first_line_may_say_what_separates_cells(tmp_path):
    table = read_table(written(tmp_path, "sep=;\ncandidate;seed;score\nadamw;0;1.5\n"))
    assert table.columns == ("candidate", "seed", "score")
    assert rows_of(table) == [(3, "adamw", "0", "1.5")]


def test_columns_are_found_whatever_their_capitals_if_that_is_clear():
    table = read_table([{"Candidate": "a", "seed": 0, "Seed": 1, "SCORE": 2, "Score": 3}])
    names = ("candidate", "Candidate", "seed", "SEED", "score", "cost")
    assert [table.column(name) for name in names] == ["Candidate", "Candidate", "seed", None, None, None]


@pytest.mark.parametrize(
    ("separator", "cells", "expected"),
    [
        (";", ("0,5", "1,25", "3"), True),
        ("\t", ("-1,5e-3", "2"), True),
        (";", ("0,123", "950"), True),
        (";", ("1,234", "2,345"), True),
        (";", ("1,234", "950"), False),  # a thousand and more, perhaps
        (";", ("0,5", "1.25"), False),
        (";", ("5", "7"), False),
        (",", ('"0,5"', '"1,25"'), False),
    ],
)
def test_commas_are_those_of_decimals_where_they_can_be_nothing_else(tmp_path, separator, cells, expected):
    lines = [separator.join(("candidate", "score")), *(separator.join(("a", cell)) for cell in cells)]
    table = read_table(written(tmp_path, "\n".join(lines)))
    assert table.separator == separator
    assert table.comma_columns == (frozenset({"score"}) if expected else frozenset())


def test_decimal_commas_become_points():
    assert [with_points(text) for text in ("1,5", "-0,25e3", "a,b", "1, 5")] == ["1.5", "-0.25e3", "a,b", "1, 5"]

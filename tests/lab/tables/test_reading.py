import gzip

import pandas as pd
import pytest

from trimtab.lab.tables.reading import read_source
from trimtab.study.errors import InputError

TEXT = ",Area,price\n0,1.5,3\n\n1,,4\n"


def written(tmp_path, content, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_is_columns_with_the_numbers_of_lines(tmp_path):
    path = written(tmp_path, TEXT)
    table = read_source(path)
    assert table.columns == {"Unnamed: 0": ("0", "1"), "Area": ("1.5", ""), "price": ("3", "4")}
    assert (table.place, table.name, table.path) == ("data.csv", "data", str(path))
    assert (list(table.lines), table.separator) == ([2, 4], ",")


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",Unnamed: 0,y", ["Unnamed: 0.1", "Unnamed: 0", "y"]),
        ("Unnamed: 1,,y", ["Unnamed: 1", "Unnamed: 1.1", "y"]),
        (",Unnamed: 0,Unnamed: 0.1", ["Unnamed: 0.2", "Unnamed: 0", "Unnamed: 0.1"]),
    ],
)
def test_a_column_without_a_name_is_not_lost_beside_one_that_is_called_so(tmp_path, header, names):
    path = written(tmp_path, f"{header}\n1,2,3\n")
    assert read_source(path).columns == dict(zip(names, [("1",), ("2",), ("3",)], strict=True))
    assert list(pd.read_csv(path)) == names


def test_a_data_frame_is_a_table(tmp_path):
    frame = pd.DataFrame({"Area": [1.5, None], "price": [3, 4], "day": pd.to_datetime(["2024-03-31", None])})
    table = read_source(frame)
    assert table.columns == {"Area": ["1.5", ""], "price": ["3", "4"], "day": ["2024-03-31 00:00:00", ""]}
    assert (table.name, table.path, list(table.lines)) == ("table", "", [1, 2])
    assert table.categories == ()
    named = frame.assign(district=pd.Categorical([10, 20]))
    assert read_source(named).categories == ("district",)
    with pytest.raises(InputError, match="the data frame has no rows"):
        read_source(frame[:0])


def test_a_compressed_file_has_the_same_cells(tmp_path):
    first = read_source(written(tmp_path, TEXT))
    assert read_source(written(tmp_path, gzip.compress(TEXT.encode()), "other.csv.gz")).columns == first.columns


def test_columns_are_found_whatever_their_capitals(tmp_path):
    table = read_source(written(tmp_path, "Area,AREA,price,2024\n1,2,3,4\n"))
    assert [table.column("target", name) for name in ("Area", "PRICE", " price ", 2024)] == [
        "Area", "price", "price", "2024"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pric", r"data.csv has no column 'pric' \(target\): did you mean price\?"),
        ("area", r"no column 'area' \(target\): did you mean A"),  # of two it cannot be told which
        (None, r"which column is to be learned\? Say \(target=COLUMN\) behind .*there are Area, AREA, price"),
        (3.5, "target=3.5: the name of a column is needed"),
        (True, "target=True: the name of a column is needed"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_near(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_source(written(tmp_path, "Area,AREA,price\n1,2,3\n")).column("target", name)


def test_a_first_line_of_numbers_is_said(tmp_path):
    with pytest.raises(InputError, match=r"its first line has to name the columns, and holds numbers"):
        read_source(written(tmp_path, "1.5,2\n3,4\n")).column("target", "price")


def test_of_many_columns_the_first_are_named(tmp_path):
    table = read_source(written(tmp_path, ",".join(f"column{n}" for n in range(30)) + "\n" + ",".join("1" * 30)))
    with pytest.raises(InputError, match="its 30 columns begin with column0, column1, column2"):
        table.column("target", "zzz")
    with pytest.raises(InputError, match="column19 and 10 others"):
        table.column("target", None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.csv", "there is no file nowhere.csv"),
        ("data.parquet", r"data.parquet: tables are read from .csv and .tsv .*write it with pandas: .to_csv"),
        ("data.xlsx", "save it from the spreadsheet as CSV"),
        (3, "source='3': the path of a CSV file or a data frame is needed"),
    ],
)
def test_what_is_no_table_is_refused(source, message):
    with pytest.raises(InputError, match=message):
        read_source(source)

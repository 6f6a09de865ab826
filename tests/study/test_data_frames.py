import subprocess
import sys

import pandas as pd
import pytest

from trimtab.study.data_frames import columns_of, is_data_frame
from trimtab.study.errors import InputError


def test_data_frames_are_told_from_everything_else():
    frame = pd.DataFrame({"a": [1]})
    assert is_data_frame(frame)
    assert not any(map(is_data_frame, (frame["a"], {"a": [1]}, [{"a": 1}], "a", None)))


def test_pandas_is_not_imported_for_it():
    code = "import sys; from trimtab.study.data_frames import *; assert not is_data_frame({}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pandas" not in done.stdout.split()


def test_whatever_is_missing_is_none():
    frame = pd.DataFrame(
        {
            "number": [1.5, float("nan")],
            "time": [pd.Timestamp(0), pd.NaT],
            "name": ["a", None],
            "whole": pd.array([1, None], dtype="Int64"),
            "kind": pd.Categorical(["x", None]),
        }
    )
    columns = columns_of("source", frame)
    assert {name: values[0] for name, values in columns.items()} == {
        "number": 1.5, "time": pd.Timestamp(0), "name": "a", "whole": 1, "kind": "x",
    }  # fmt: skip
    assert all(values[1] is None for values in columns.values())


def test_an_index_counts_where_it_has_a_name_and_is_asked_for():
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(3, 4), (5, 6)], names=["seed", None]))
    assert columns_of("source", frame) == {"a": [1, 2]}
    assert columns_of("source", frame, index=True) == {"seed": [3, 5], "a": [1, 2]}
    assert columns_of("source", frame.rename_axis(["a", None]), index=True) == {"a": [1, 2]}


def test_two_columns_of_one_name_are_refused():
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", 1, "1"])
    with pytest.raises(InputError, match="source: column '1' is there 2 times in the data frame"):
        columns_of("source", frame)

import pytest

from trimtab.compare.imported.conditions import kept_rows
from trimtab.compare.imported.table import read_table
from trimtab.study.errors import InputError

TABLE = read_table(
    [{"data": data, "seed": seed, "a!": "="} for data in ("adult", "otto") for seed in ("0", "1", "1.0")]
)


def kept(*where):
    return [(row.cells["data"], row.cells["seed"]) for row in kept_rows(TABLE, where).rows]


def test_rows_are_kept_that_all_conditions_hold_of():
    assert len(kept()) == 6
    assert kept("seed!=0", "data=otto") == [("otto", "1"), ("otto", "1.0")]
    assert kept("Seed = 0") == [("adult", "0"), ("otto", "0")]
    assert kept("data!=", "seed=0", "data!=otto") == [("adult", "0")]


def test_numbers_are_compared_as_numbers():
    assert kept("seed=1.00", "data=otto") == [("otto", "1"), ("otto", "1.0")]


def test_long_seeds_are_compared_to_the_last_digit():
    table = read_table([{"seed": 2**60 + each} for each in range(4)])
    assert len(kept_rows(table, [f"seed!={2**60}"]).rows) == 3


def test_decimal_commas_are_compared_as_they_are_read(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("lr;score\n0,5;1,25\n0,25;2,5\n")
    table = read_table(path)
    assert [len(kept_rows(table, [where]).rows) for where in ("lr=0.5", "lr=0,5", "lr!=0.50")] == [1, 1, 1]


def test_cells_that_are_no_number_are_left_out_whatever_their_capitals():
    table = read_table([{"score": score} for score in (1, "nan", "NaN", "", "-nan", "none")])
    assert [row.name for row in kept_rows(table, ["score!=nan"]).rows] == [1, 4, 6]
    assert [row.name for row in kept_rows(table, ["score=NAN"]).rows] == [2, 3, 5]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["seed"], "--where 'seed': column=value or column!=value is needed"),
        (["=1"], "--where '=1': column=value"),
        (["!=1"], "--where '!=1': column=value"),
        (["sed=1"], "--where 'sed=1': source has no column 'sed'; did you mean seed?"),
        (["seed=7"], "no row of source is left by --where seed=7"),
        ("seed=1", "a list of texts is needed"),
        ([1], "a text is needed"),
    ],
)
def test_what_is_no_condition_is_refused(where, message):
    with pytest.raises(InputError) as error:
        kept_rows(TABLE, where)
    assert message in str(error.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(InputError) as error:
        kept_rows(TABLE, ["seed", "sed=1"])
    assert len(error.value.messages) == 2

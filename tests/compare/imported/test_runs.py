import pytest

from trimtab.compare.imported.columns import find_columns
from trimtab.compare.imported.runs import ImportedRun, read_runs
from trimtab.compare.imported.table import read_table
from trimtab.study.errors import InputError, messages_of

NONE = dict.fromkeys(("candidate", "problem", "seed", "score", "cost", "curve"))


def row(**given):
    return {"candidate": "adamw", "seed": "0", "score": "0.5", **given}


def runs(*rows):
    table = read_table(rows)
    return read_runs(table, find_columns(table, NONE))


GOOD = row(problem="z", cost="1", curve="0:1")


def refusals(*rows):
    with pytest.raises(InputError) as error:
        runs(*rows, {**{name: GOOD[name] for each in rows for name in each}, "candidate": "lion"})
    return messages_of(error.value)


def test_runs_are_read_of_rows():
    found = runs(
        row(problem="hf/mnist", seed="7.0", score="-1e-3", cost="12.5", curve="0:1; 5:0.5;12.5:-0.001"),
        row(problem="b", candidate="lion", cost="3", curve="0:2;4:0.5"),
    )
    assert found == (
        ImportedRun("hf-mnist", "adamw", 7, -0.001, 12.5, ((0, 1.0), (5, 0.5), (12.5, -0.001))),
        ImportedRun("b", "lion", 0, 0.5, 3, ((0, 2.0), (4, 0.5))),
    )
    assert isinstance(found[1].cost, int)


def test_a_curve_may_end_a_step_before_its_run():
    for cost, end in ((10, 9), (1000, 990)):
        rows = [row(candidate=who, cost=str(cost), curve=f"0:1;{end}:0.5") for who in ("adamw", "lion")]
        assert [run.curve[-1][0] for run in runs(*rows)] == [end, end]


def test_without_a_column_there_is_one_problem():
    assert {run.problem for run in runs(row(), row(candidate="lion"))} == {"runs"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"score": "abc"}, "source, row 1, column score: 'abc' is not a number"),
        ({"score": "1,5"}, "source, row 1, column score: '1,5' is not a number; decimals are written with a point"),
        ({"score": "1_0"}, "source, row 1, column score: '1_0' is not a number"),
        ({"score": "inf"}, "source, row 1, column score: inf is not finite"),
        ({"score": "NaN"}, "source, row 1, column score: NaN is not finite"),
        ({"score": "NaN"}, "no score that a mean could be made of; --where 'score!=nan' leaves such runs out"),
        ({"score": "1.7e308"}, "source, row 1, column score: 1.7e308 is too large for a score"),
        ({"score": ""}, "source, row 1, column score: the cell is empty; --where 'score!=' leaves such runs out"),
        ({"candidate": " "}, "source, row 1, column candidate: the cell is empty"),
        ({"candidate": "a\nb"}, "source, row 1, column candidate: candidate 'a\\nb'"),
        ({"seed": "first"}, "source, row 1, column seed: 'first' is no whole number"),
        ({"seed": "1.5"}, "source, row 1, column seed: '1.5' is no whole number"),
        ({"seed": "1_0"}, "source, row 1, column seed: '1_0' is no whole number"),
        ({"seed": "inf"}, "source, row 1, column seed: 'inf' is no whole number"),
        ({"seed": "1" * 400}, "is no whole number"),
        ({"cost": "-1"}, "source, row 1, column cost: -1 is no cost"),
        ({"cost": "nan"}, "source, row 1, column cost: nan is no cost"),
        ({"problem": ".."}, "source, row 1, column problem: problem='..': a name that a directory can have"),
        ({"curve": "0:1;0:2"}, "source, row 1, column curve: point 2, '0:2': costs must grow along a curve"),
        ({"curve": "0:1;3"}, "point 2, '3': a cost, a colon and a value are needed"),
        ({"curve": "0:x"}, "point 1, '0:x': 'x' is not a number"),
        ({"curve": ";"}, "';' is no curve"),
        (
            {"curve": "0:1;3:0.4"},
            "source, row 1, column curve: it ends at 0.4, and score is 0.5; a curve is the course",
        ),
        (
            {"cost": "3600", "curve": "0:1;100:0.5"},
            "source, row 1, column curve: it ends at a cost of 100, and cost is 3600; both have to count the same. "
            "--cost '' leaves costs unread, --curve '' curves",
        ),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_its_row_and_column(given, message):
    assert any(message in each for each in refusals(row(**given)))


def test_all_that_is_wrong_is_said_at_once():
    found = refusals(row(score="x", seed="y"), row(score="z"), row(seed="1"), row(seed="1"))
    assert [each.split(":")[0] for each in found] == [
        "source, row 1, column seed",
        "source, row 1, column score",
        "source, row 2, column score",
        "source, rows 3 and 4, column seed",
    ]


def test_a_run_that_is_there_twice_is_named_with_both_rows():
    first, second = row(problem="a"), row(problem="a", seed="0.0")
    (found,) = refusals(first, row(problem="b"), second, row(problem="a", seed="1"))
    assert found == "source, rows 1 and 3, column seed: adamw on a is there twice with seed 0"


def test_problems_that_would_share_a_directory_are_refused():
    (found,) = refusals(row(problem="a/b"), row(problem="a-b", seed="1"))
    assert found == "source, rows 1 and 2, column problem: 'a/b' and 'a-b' would have the same directory"


def test_each_two_names_of_a_directory_are_told_once():
    rows = [row(problem=name, seed=str(seed)) for seed in range(5) for name in ("a/b", "a-b")]
    assert refusals(*rows) == ("source, rows 1 and 2, column problem: 'a/b' and 'a-b' would have the same directory",)


def test_where_runs_are_not_matched_there_need_not_be_seeds():
    table = read_table([{"candidate": name, "problem": on, "score": 1} for on in "xy" for name in ("a", "b", "a")])
    columns = find_columns(table, NONE, seeds=False)
    assert columns.seed is None
    assert columns.words() == "candidate, score, problem"
    found = [(run.problem, run.candidate, run.seed) for run in read_runs(table, columns)]
    assert found == [(on, name, seed) for on in "xy" for name, seed in (("a", 0), ("b", 0), ("a", 1))]
    with_seeds = read_table([row(seed="7"), row(candidate="lion", seed="7")])
    assert find_columns(with_seeds, NONE, seeds=False).seed == "seed"
    assert find_columns(with_seeds, NONE | {"seed": ""}, seeds=False).seed is None
    with pytest.raises(InputError, match="has no column 'seed'"):
        find_columns(table, NONE)


def test_a_candidate_alone_is_refused():
    with pytest.raises(InputError, match="column candidate: 'adamw' is the only candidate; two are needed at least"):
        runs(row(), row(seed="1"))


def test_columns_that_need_not_be_there_can_be_left_unread():
    table = read_table([row(cost="", problem="a"), row(candidate="lion", cost="1")])
    with pytest.raises(InputError) as error:
        read_runs(table, find_columns(table, NONE))
    assert messages_of(error.value) == (
        "source, row 1, column cost: the cell is empty; --where 'cost!=' leaves such runs out, --cost '' the column",
        "source, row 2, column problem: the cell is empty; --where 'problem!=' leaves such runs out, --problem '' the "
        "column",
    )
    found = read_runs(table, find_columns(table, NONE | {"cost": "", "problem": ""}))
    assert [(run.problem, run.cost) for run in found] == [("runs", None), ("runs", None)]
    with pytest.raises(InputError, match="--seed '': source has no such column"):
        find_columns(table, NONE | {"seed": ""})


def of_file(tmp_path, *lines):
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    table = read_table(path)
    return read_runs(table, find_columns(table, NONE))


def test_decimals_are_read_with_commas_where_cells_have_other_separators(tmp_path):
    found = of_file(
        tmp_path,
        "candidate;Seed;score;cost;Curve",
        'a;0;-0,5;1,5;"0:2,5;1,5:-0,5"',
        'lion 0,1;1,0;1,25;2;"0:2;2:1,25"',
    )
    assert found == (
        ImportedRun("runs", "a", 0, -0.5, 1.5, ((0, 2.5), (1.5, -0.5))),
        ImportedRun("runs", "lion 0,1", 1, 1.25, 2, ((0, 2.0), (2, 1.25))),
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a;0;0,5", "b;0;1.5"), "'0,5' is not a number; decimals of this column are written with a point in other"),
        (("a;0;1,250", "b;0;950"), "'1,250' is not a number; whether commas are those of thousands or of decimals"),
        (("a;0;1,2,3", "b;0;1,5"), "'1,2,3' is not a number"),
    ],
)
def test_commas_that_may_be_something_else_are_refused(tmp_path, lines, message):
    with pytest.raises(InputError) as error:
        of_file(tmp_path, "candidate;seed;score", *lines)
    assert message in str(error.value)

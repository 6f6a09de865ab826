import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from trimtab.lab.tables.columns import sorted_columns
from trimtab.lab.tables.copies import known_rows, tell_tales, without_copies
from trimtab.lab.tables.splitting import Parts
from trimtab.lab.tables.target import Target, read_target

ROWS = 60
AMOUNTS = [str(7919 * row % 997 / 8) for row in range(ROWS)]


def told(cells, **columns):
    target = read_target("data.csv", "y", cells, range(2, len(cells) + 2))
    return tuple(each.name + "?" * each.gaps for each in tell_tales(target, sorted_columns(columns)))


def test_a_copy_of_an_earlier_column_is_of_no_use():
    names = ["a" if row % 3 else "" for row in range(ROWS)]
    gaps = ["", *AMOUNTS[1:]]
    columns = {"x": gaps, "again": gaps, "whole": AMOUNTS, "name": names, "same": names, "other": names[::-1]}
    found = without_copies(sorted_columns(columns))
    assert [each.name for each in found.numbers] == ["x", "whole"]
    assert [each.name for each in found.categories] == ["name", "other"]
    reasons = {each.name: each.reason for each in found.useless}
    assert reasons == {"again": "a copy of x", "same": "a copy of name"}


def test_the_same_written_otherwise_is_a_copy():
    found = without_copies(sorted_columns({"x": AMOUNTS, "dollars": [f"${cell}" for cell in AMOUNTS]}))
    assert [(each.name, each.reason) for each in found.useless] == [("dollars", "a copy of x")]


def test_a_target_in_other_units_is_told():
    cents, minus = [str(100 * float(cell)) for cell in AMOUNTS], [str(-float(cell)) for cell in AMOUNTS]
    logarithm = [str(np.log1p(float(cell))) for cell in AMOUNTS]
    noisy = [str(float(cell) + row % 2) for row, cell in enumerate(AMOUNTS)]
    found = told(AMOUNTS, cents=cents, minus=minus, logarithm=logarithm, noisy=noisy, gaps=["", *cents[1:]])
    assert found == ("cents", "minus", "logarithm", "gaps?")


@pytest.mark.parametrize("factor", [0.92, -0.92])
def test_a_target_in_other_units_is_told_where_it_is_rounded(factor):
    euros = [str(round(factor * float(cell))) for cell in AMOUNTS]
    assert len(set(euros)) < len(set(AMOUNTS))
    assert told(AMOUNTS, euros=euros) == ("euros",)
    assert told(euros, dollars=AMOUNTS) == ("dollars",)
    slip = [euros[30], *euros[1:]]
    assert told(AMOUNTS, euros=slip, sorted=sorted(euros)) == ()


def test_few_numbers_in_the_same_order_are_no_tale():
    steps = [str(2.5 + row % 9) for row in range(ROWS)]
    assert told(steps, other=[str(10 * float(cell)) for cell in steps]) == ()


@pytest.mark.parametrize("code", [("1.5", "2.5", "7.5"), ("first", "second", "third")])
def test_a_code_for_each_class_is_told(code):
    classes = ["red", "green", "blue"]
    cells = [classes[row % 3] for row in range(ROWS)]
    assert told(cells, code=[code[row % 3] for row in range(ROWS)]) == ("code",)
    assert told(cells, code=[code[row % 3] for row in range(ROWS - 1)] + [code[0]]) == ()
    assert told(cells, code=["", *(code[row % 3] for row in range(1, ROWS))]) == ("code",)
    assert told(cells, code=["" if row % 3 else code[0] for row in range(ROWS)]) == ()
    assert told(cells, code=["" if row % 2 else code[row % 3] for row in range(ROWS)]) == ("code?",)
    assert told(cells, code=["" if row > 5 else code[row % 3] for row in range(ROWS)]) == ()  # six rows may be chance


@pytest.mark.parametrize("other", ["moved", ""])
def test_reasons_that_come_with_one_class_alone_are_told(other):
    reasons = ["price", "service", other, other, other]
    cells = ["left" if row % 5 < 2 else "stayed" for row in range(ROWS)]
    assert told(cells, reason=[reasons[row % 5] for row in range(ROWS)]) == ("reason",)
    assert told(cells, reason=[reasons[row % 5] for row in range(ROWS - 1)] + ["price"]) == ()
    assert told(cells, gaps=["" if row % 5 < 2 else "1.5" for row in range(ROWS)]) == ("gaps",)
    assert told(cells, name=[f"{reasons[row % 5]} {row // 10}" for row in range(ROWS)]) == ()  # so many may be chance


def test_names_in_the_rows_of_one_class_alone_are_told_however_many_they_are():
    cells = ["left" if row % 5 < 2 else "stayed" for row in range(ROWS)]
    reasons = [f"reason {row // 3}" if row % 5 < 2 else "" for row in range(ROWS)]
    assert len(set(reasons)) > ROWS / 4
    assert told(cells, reason=reasons) == ("reason",)
    assert told(["left", *cells], reason=["", *reasons]) == ()
    three = [f"{cell} {row % 2}" if cell == "left" else cell for row, cell in enumerate(cells)]
    assert told(three, reason=reasons) == ()  # which of those that left it is, they do not say


@pytest.mark.parametrize("names", [20, 60, 100])
def test_names_that_each_come_with_one_class_are_told(names):
    places = np.random.default_rng(0).integers(names, size=500)
    cells, city = [f"class {place % 2}" for place in places], [f"city {place}" for place in places]
    assert told(cells, city=city) == ("city",)
    assert told(cells, city=[*city[:-1], "city 0" if places[-1] % 2 else "city 1"]) == ()
    assert told(cells, city=["" if row % 9 == 0 else name for row, name in enumerate(city)]) == ("city?",)
    other = [f"{place}.25" for place in np.random.default_rng(1).permutation(names)[places]]
    assert told(cells, code=other) == (("code",) if names <= 50 else ())  # numbers near each other may be alike


def test_names_that_each_come_with_one_amount_are_told():
    amounts = np.random.default_rng(0).integers(1, 40, size=500).tolist()
    cells, band = [str(100 * amount) for amount in amounts], [f"band {amount}" for amount in amounts]
    wide = [f"band {amount // 2}" for amount in amounts]
    assert told(cells, band=band, wide=wide, narrow=[f"{name} {row % 3}" for row, name in enumerate(band)]) == (
        "band",
        "narrow",
    )
    assert told(["150", *cells], band=[band[0], *band]) == ()
    assert told(cells, band=["" if row % 9 == 0 else name for row, name in enumerate(band)]) == ("band?",)
    assert told(AMOUNTS, name=[f"name {row // 4}" for row in range(ROWS)]) == ()


def test_names_are_not_told_by_chance():
    random = np.random.default_rng(0)
    for rows in (50, 100, 500):
        targets = {
            "halves": random.integers(2, size=rows),
            "one in twenty": random.permutation(rows) < rows / 20,
            "five": random.permutation(rows) < 5,
            "three": random.choice(3, p=[0.9, 0.07, 0.03], size=rows),
        }
        sizes = [2, 5, 20, rows // 4, rows // 2]
        columns = {
            f"{size} {gaps} {again}": [
                f"name {name}" if there else ""
                for name, there in zip(random.integers(size, size=rows), random.random(rows) > gaps, strict=True)
            ]
            for size in sizes
            for gaps in (0, 0.05, 0.5, 0.95)
            for again in range(3)
        }
        for values in targets.values():
            for classes in (tuple(map(str, np.unique(values))), ()):
                target = Target("y", np.arange(rows), values.astype(np.int64), classes)
                assert tell_tales(target, sorted_columns(columns)) == ()


SCORES = [float(cell) for cell in AMOUNTS]


@pytest.mark.parametrize("name", [lambda score: "low" if score < 40 else "high" if score > 80 else "middle",
                                  lambda score: "usual" if 40 < score < 80 else "odd"])  # fmt: skip
def test_a_number_that_was_cut_into_classes_is_told(name):
    cells = [name(score) for score in SCORES]
    days = [str(np.datetime64("2024-01-01") + int(8 * score)) for score in SCORES]
    others = {"texts": [f"n{score}" for score in SCORES], "other": AMOUNTS[::-1]}
    assert told(cells, score=AMOUNTS, days=days, minus=[str(-score) for score in SCORES], **others) == (
        "score", "days", "minus",
    )  # fmt: skip
    cells[SCORES.index(min(SCORES))] = name(60)
    assert told(cells, score=AMOUNTS) == ()


def test_missing_cells_do_not_hide_a_number_that_was_cut_into_classes():
    cells = ["low" if score < 60 else "high" for score in SCORES]
    assert told(cells, score=["" if row % 4 == 0 else cell for row, cell in enumerate(AMOUNTS)]) == ("score?",)
    of_one = zip(AMOUNTS, cells, strict=True)
    assert told(cells, fee=[amount if cell == "high" else "" for amount, cell in of_one]) == ("fee",)
    assert told(cells, fee=["" if row % 2 else "1.5" for row in range(ROWS)]) == ()
    assert told(cells, score=["" if row > 12 else cell for row, cell in enumerate(AMOUNTS)]) == ()  # may be chance


def test_classes_of_a_few_rows_lie_apart_by_chance():
    def cut(rare):
        return told(["rare" if row < rare else "usual" for row in range(ROWS)], x=[f"{row / 7}" for row in range(ROWS)])

    assert (cut(5), cut(9), cut(ROWS // 2)) == ((), ("x",), ("x",))
    several = ["b" if 20 <= row < 25 or row >= 50 else "a" for row in range(ROWS)]
    assert told(several, x=[f"{row / 7}" for row in range(ROWS)]) == ()  # an interval of five rows of many


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_columns_that_only_come_close_are_not_told(load):
    data = load()
    columns = {f"x{place}": [str(cell) for cell in column] for place, column in enumerate(data.data.T)}
    assert told([f"class {each}" for each in data.target], **columns) == ()
    if load is load_iris:  # of which the first class differs from both others in the length and width of its petals
        assert told([str(each == 0) for each in data.target], **columns) == ("x2", "x3")


def test_rows_to_test_that_are_there_to_train_on_are_counted():
    cells = [str(row // 2) for row in range(ROWS)]
    columns = {
        "gaps": ["" if row // 2 % 2 else "1.5" for row in range(ROWS)],
        "other": [f"x{row // 2}" for row in range(ROWS)],
    }
    target = read_target("data.csv", "y", cells, range(2, ROWS + 2), kind="regression")
    parts = Parts(np.arange(0, ROWS, 2), np.array([], dtype=np.int64), np.array([1, 3, 5]))
    assert known_rows(target, sorted_columns(columns, categories=["other"]), parts) == 3
    columns["other"][1] = "x1"
    assert known_rows(target, sorted_columns(columns, categories=["other"]), parts) == 2

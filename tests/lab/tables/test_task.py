import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.preprocessing import OneHotEncoder

from tests.lab.tables.tables import houses, write
from trimtab import Comparison, Session, TableTask
from trimtab.lab.loading import load_task
from trimtab.lab.measures import TEST_LOSS
from trimtab.lab.problem import Workplace
from trimtab.lab.tables.task import TEST_RMSE
from trimtab.lab.task import take_rows
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError
from trimtab.study.point import Point

HOUSES = houses(300)


def diabetes():
    data = load_diabetes(scaled=False)
    return {**dict(zip(data.feature_names, data.data.T.tolist(), strict=True)), "y": data.target.tolist()}


def breast_cancer():
    data = load_breast_cancer()
    names = dict(zip(data.feature_names.tolist(), data.data.T.tolist(), strict=True))
    return {**names, "y": [data.target_names[each] for each in data.target]}


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "houses.csv", HOUSES)


def adamw(rate):
    return lambda model: torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)


def arrays(task):
    """What scikit-learn's models get of the same rows: names as columns of zeros and ones."""
    train, *others = (data.tensors for data in (task.train, task.validation, task.test))
    if not train[1].shape[1]:
        return [(x.numpy(), y.numpy()) for x, _, y in (train, *others)]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[1])
    return [(np.hstack([x, encoder.transform(names)]), y.numpy()) for x, names, y in (train, *others)]


@pytest.mark.parametrize(("columns", "target"), [(diabetes, "y"), (breast_cancer, "y"), (lambda: houses(500), "price")])
def test_a_run_does_not_lose_to_a_linear_model(tmp_path, columns, target):
    task = TableTask(write(tmp_path / "data.csv", columns()), target)
    (x, y), validation, _ = arrays(task)
    if task.understood.target.classes:
        models = [LogisticRegression(C=penalty, max_iter=3000).fit(x, y) for penalty in (0.1, 1, 10)]
        linear = min(log_loss(validation[1], model.predict_proba(validation[0])) for model in models)
    else:
        model = RidgeCV(np.logspace(-2, 3, 11)).fit(x, y)
        linear = mean_squared_error(validation[1], model.predict(validation[0]))
    run = Session(task, adamw(3e-3), seed=0)
    while not run.meter.exhausted:
        run.step()
    assert run.evaluate().loss < 1.05 * linear


@pytest.mark.parametrize("more", [{"target": "price"}, {"target": "state"}, {"target": "price", "metric": "rmse"}])
def test_it_is_a_task(table, more):
    task = TableTask(table, **more)
    check_task(task, "houses.csv")
    for data in (task.train, task.validation, task.test):
        assert [tensor.dtype for tensor in data.tensors[:2]] == [torch.float32, torch.int64]
        assert torch.isfinite(data.tensors[0]).all()
    twins = [pickle.loads(pickle.dumps(task)), copy.deepcopy(task), TableTask(table, **more)]
    runs = [Session(each, adamw(0.01), seed=0) for each in (task, *twins)]
    losses = [[run.step() for _ in range(3)] + [run.evaluate()] for run in runs]
    assert losses[1:] == losses[:-1]


def test_parts_have_no_row_in_common_and_the_test_is_untouched_by_preparation(tmp_path):
    first = TableTask(write(tmp_path / "a.csv", HOUSES), "price")
    changed = {name: list(cells) for name, cells in HOUSES.items()}
    for row in first.understood.parts.test:
        changed["area"][row] *= 7
    second = TableTask(write(tmp_path / "b.csv", changed), "price")
    for one, other in zip(first.train.tensors, second.train.tensors, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.test.tensors[0], second.test.tensors[0])


def test_numbers_are_learned_in_deviations_of_the_training_rows_and_quoted_in_their_units(table):
    task, in_units = TableTask(table, "price"), TableTask(table, "price", metric="rmse")
    targets = task.train.tensors[2].double()
    assert (float(targets.mean()), float(targets.var(correction=0))) == pytest.approx((0, 1), abs=1e-6)
    model = task.model(torch.Generator().manual_seed(0))
    price = np.array(HOUSES["price"])
    deviation = price[task.understood.parts.train].std()
    evaluation = task.evaluate(model)
    assert in_units.evaluate(model).metric == pytest.approx(deviation * evaluation.loss**0.5, rel=1e-6)
    spread = price[task.understood.parts.validation].var() / deviation**2
    assert evaluation.metric == pytest.approx(1 - evaluation.loss / spread, rel=1e-5)


def test_the_loss_of_a_batch_is_the_mean_over_its_rows(table, monkeypatch):
    task = TableTask(table, "state")
    model = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.validation, torch.arange(len(task.validation)))
    losses = task.losses(task.outputs(model, batch), batch)
    monkeypatch.setattr("trimtab.lab.tables.task.EVALUATION_BATCH", 7)
    assert task.evaluate(model).loss == pytest.approx(float(losses.detach().double().mean()), rel=1e-6)
    assert task.evaluate(model).metric == pytest.approx(task.score(task.outputs(model, batch), batch))


def test_parts_of_a_model_keep_their_modes_when_it_is_evaluated(table):
    task = TableTask(table, "state")
    model = task.model(torch.Generator().manual_seed(0))
    next(model.children()).eval()
    before = [part.training for part in model.modules()]
    task.evaluate(model)
    assert [part.training for part in model.modules()] == before != [True] * len(before)


def test_a_final_run_has_the_error_in_units_and_a_tuning_run_has_not(table):
    task = TableTask(table, "price")

    def trial(phase):
        return task.trial(
            adamw(0.01),
            Point(task.name, phase, "adamw", 0, {}, 0),
            budget=64,
            report=lambda *_: False,
            place=Workplace(table.parent),
        )

    final = trial("final")
    assert final.measures[TEST_RMSE] == pytest.approx(task._spread * final.measures[TEST_LOSS] ** 0.5)
    assert TEST_RMSE not in trial("tune").measures
    measures = {measure.name: measure.explanation for measure in task.facts("", (), None).measures}
    assert measures[TEST_RMSE].endswith("in the units of price.")
    assert TEST_RMSE not in {measure.name for measure in TableTask(table, "state").facts("", (), None).measures}
    quoted = TableTask(table, "price", metric="rmse").facts("", (), None)
    assert [measure.heading for measure in quoted.measures].count("test RMSE") == 1


def test_choices_are_in_its_name_and_its_reference(table):
    task = load_task(f"{table}(PRICE, drop='age,state', split_seed=2)")
    assert task.name == "houses-price(drop='age,state', split_seed=2)"
    assert task.reference == f"{table}(target=price, drop='age,state', split_seed=2)"
    again = load_task(task.reference)
    assert (again.name, again.definition()) == (task.name, task.definition())
    assert TableTask(table, "price", drop=["age", "STATE"], split_seed=2).name == task.name
    assert TableTask(table, "price").name == "houses-price"
    assert task.definition() != TableTask(table, "price").definition()


def test_it_is_another_problem_where_a_cell_or_how_it_is_understood_is_another_one(table):
    frame = pd.DataFrame(HOUSES)
    known = TableTask(frame, "price").definition()
    assert TableTask(frame.copy(), "price").definition() == known
    assert TableTask(frame.assign(note="the same"), "price").definition() == known  # nothing is learned from that
    first = frame.index == 0
    others = [
        TableTask(frame.assign(price=frame["price"] + first), "price"),
        TableTask(frame.assign(area=frame["area"] + first), "price"),
        TableTask(frame.assign(state=frame["state"].where(~first, "xx")), "price"),
        TableTask(frame.assign(age=frame["age"].astype("category")), "price"),
        TableTask(frame.rename(columns={"area": "space"}), "price"),
        TableTask(frame.rename(columns={"price": "price?"}), "price?"),
        TableTask(frame, "price", split_seed=1),
    ]
    assert len({str(each.definition()) for each in others} | {str(known)}) == len(others) + 1


def test_a_column_may_have_a_comma_or_a_year_for_a_name(tmp_path):
    columns = {**HOUSES, "size, net": HOUSES["area"], "2019": HOUSES["age"]}
    table = write(tmp_path / "a.csv", columns)
    for drop, said in ((("size, net",), "drop='size, net'"), (("size, net", "2019"), "drop=('size, net', '2019')")):
        task = TableTask(table, "price", drop=drop)
        assert task.name.endswith(f"({said})")
        assert load_task(task.reference).definition() == task.definition()
        assert load_task(f"{table}(target=price, {said})").definition() == task.definition()
    assert load_task(f"{table}(target=price, drop=2019)").understood.dropped == ("2019",)
    for said in ("""'"size, net",2019'""", '''"2019 , 'size, net'"''', "['size, net', '2019']"):
        assert set(load_task(f"{table}(target=price, drop={said})").understood.dropped) == {"size, net", "2019"}
    named = load_task(f"""{table}(price, categories='"size, net",age')""").understood.preparation.levels
    assert {each.name for each in named} >= {"size, net", "age"}


def test_names_with_quotes_are_taken_apart_as_they_are_meant(tmp_path):
    names = ['5" pipe', "children's", '"so" called', "'round', or not", 'a "b", c', "x"]
    table = write(tmp_path / "a.csv", {**HOUSES, **{name: [f"{row} x" for row in range(300)] for name in names}})
    asked = """5" pipe, children's,"so" called ,"'round', or not",'a "b", c',x"""
    task = TableTask(table, "price", drop=asked)
    assert task.understood.dropped == tuple(names)
    assert load_task(task.reference).understood.dropped == tuple(names)
    assert TableTask(table, "price", drop='"a ""b"", c",x').understood.dropped == ('a "b", c', "x")
    assert load_task(TableTask(table, "price", drop=['"so" called', "x"]).reference).understood.dropped[1] == "x"


@pytest.mark.parametrize("drop", ["size, net,age", "['size, net', age]", "agee,area"])
def test_a_name_with_a_comma_that_stands_alone_is_told_how_it_is_given(tmp_path, drop):
    table = write(tmp_path / "a.csv", {"size, net": HOUSES["area"], **HOUSES})
    with pytest.raises(InputError, match=r"stands in quotes of its own, .* list: drop=\['size, net', 'area'\]"):
        TableTask(table, "price", drop=drop)
    with pytest.raises(InputError) as error:
        TableTask(table, "price", drop=["agee"])
    assert "quotes" not in str(error.value)


@pytest.mark.parametrize(("rows", "seeds"), [(999, 3), (1000, 1)])
def test_a_small_table_is_tuned_with_further_seeds(tmp_path, rows, seeds):
    task = TableTask(write(tmp_path / "houses.csv", houses(rows)), "price")
    assert Comparison(task, "adamw,sgd", out=tmp_path / "out").first.plan.tuning_seeds == seeds


def test_what_no_command_line_names_has_no_reference(tmp_path):
    assert TableTask(write(tmp_path / "houses.txt", HOUSES), "price").reference == ""


def test_names_of_columns_may_be_any(tmp_path):
    task = TableTask(
        write(tmp_path / "my data (1).csv", {**HOUSES, "Price, in $/m²": HOUSES["price"]}), "Price, in $/m²"
    )
    assert task.name == "my-data-1-Price-in-m²"
    assert load_task(task.reference).definition() == task.definition()


def test_a_data_frame_is_a_table(table):
    task, of_file = TableTask(pd.DataFrame(HOUSES), "price"), TableTask(table, "price")
    assert (task.name, task.reference) == ("table-price", "")
    assert torch.equal(task.train.tensors[0], of_file.train.tensors[0])
    assert "table-price" in task.facts("", (), None).paragraphs[0][1]


def test_facts_tell_what_was_understood(table):
    paragraphs = dict(TableTask(table, "price").facts("", (), None).paragraphs)
    assert f"houses-price ({table}(target=price)): 180 samples to train on" in paragraphs["Task"]
    assert "2 numeric columns (area, age) and 2 category columns (district 12, state 3)" in paragraphs["Table"]
    assert "a loss of 1 is what guessing their mean costs" in paragraphs["Loss"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"target": "pric"}, r"houses.csv has no column 'pric' \(target\): did you mean price"),
        ({"target": None}, "which column is to be learned"),
        ({"target": "price", "drop": "stat"}, r"has no column 'stat' \(drop\): did you mean state"),
        ({"target": "price", "drop": 3}, r"houses.csv has no column '3' \(drop\)"),
        ({"target": "price", "drop": 3.5}, "drop=3.5: names of columns are needed"),
        ({"target": "price", "drop": ("area", 3.5)}, "drop=3.5: the name of a column is needed"),
        ({"target": "price", "drop": "price"}, "drop='price' is the target"),
        ({"target": "price", "categories": "zip"}, r"has no column 'zip' \(categories\)"),
        ({"target": "price", "kind": "clasification"}, "kind='clasification': did you mean classification"),
        ({"target": "price", "metric": "auc"}, "metric='auc' is none for numbers"),
        ({"target": "price", "split_seed": -1}, "split_seed=-1"),
        (
            {"target": "price", "drop": "area,age,district,state"},
            "no column from which price could be learned; area, age",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(table, more, message):
    with pytest.raises(InputError, match=message):
        TableTask(table, **more)


def test_categorical_columns_of_a_data_frame_hold_names():
    rows = range(120)
    frame = pd.DataFrame({"district": pd.Categorical([10 * (row % 4) for row in rows]), "x": [row / 3 for row in rows]})
    frame["kind"] = pd.Categorical([5 * (row % 3) for row in rows])
    task = TableTask(frame, "kind")
    assert "1 numeric column (x) and 1 category column (district 4)" in task.introduction
    assert "classification with 3 classes" in task.introduction


def test_a_target_that_hardly_varies_is_refused(tmp_path):
    columns = {"x": [row / 3 for row in range(100)], "y": [f"1000000000000000.{row:02d}" for row in range(40, 140)]}
    with pytest.raises(InputError, match=r"hardly varies .* subtract what all its numbers have in common"):
        TableTask(write(tmp_path / "data.csv", columns), "y")


def test_several_faults_are_told_at_once(table):
    with pytest.raises(InputError) as error:
        TableTask(table, "pric", drop="stat", kind="?")
    assert len(error.value.messages) == 3


def test_a_table_of_ids_alone_says_why_nothing_can_be_learned(tmp_path):
    columns = {"row": list(range(100)), "name": [f"n{row}" for row in range(100)], "y": [row % 2 for row in range(100)]}
    with pytest.raises(
        InputError, match=r"no column .* \(row: the number of the row; name: 100 different texts in 100"
    ):
        TableTask(write(tmp_path / "ids.csv", columns), "y")


@pytest.mark.filterwarnings("error")
def test_odd_files_are_read(tmp_path):
    rows = "".join(f'{place % 7},5;"a\nb";{place % 3 * 1000 + 234:_}\n'.replace("_", ".") for place in range(60))
    (tmp_path / "odd.csv").write_bytes(("\ufeffx;text;price\n" + rows).encode())
    task = TableTask(tmp_path / "odd.csv", "price", kind="regression")
    assert sorted(set(task.understood.target.values)) == [234, 1234, 2234]
    assert task.understood.columns.numbers[0].values[:3].tolist() == [0.5, 1.5, 2.5]
    assert "text: always the same" in task.introduction

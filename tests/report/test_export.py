"""The files for other programs: strict, complete, and never half written."""

import csv
import dataclasses
import io
import json

import pytest

from tests.report.synthetic import TRACEBACK
from trimtab.compare.schema import SCHEMA_VERSION
from trimtab.report.export import to_csv, to_json, write_csv, write_json


def reject(constant):
    raise AssertionError(f"{constant} is not JSON")


def test_json_holds_everything_and_is_strict(result, tmp_path):
    path = write_json(result, tmp_path / "results.json")

    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=reject)

    assert (values.pop("schema"), values.pop("schema_version")) == ("trimtab.comparison", SCHEMA_VERSION)
    assert values == json.loads(json.dumps(result.to_dict(), allow_nan=False))


def test_json_has_a_line_a_trial(result):
    lines = [line for line in to_json(result).splitlines() if '"key": ' in line]

    assert len(lines) == len(result.trials) == 6 * 22
    assert json.loads(lines[0].rstrip(","))["key"] == result.trials[0].key


def test_json_over_several_problems_holds_all_of_each(over_problems, tmp_path):
    path = write_json(over_problems, tmp_path / "results.json")

    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=reject)

    assert values.pop("schema") == "trimtab.comparison-over-problems"
    assert values.pop("schema_version") == SCHEMA_VERSION
    for name, found in over_problems.problems.items():
        assert values["problems"][name] == json.loads(to_json(found))
        del values["problems"][name]["schema"], values["problems"][name]["schema_version"]
    assert values == json.loads(json.dumps(over_problems.to_dict(), allow_nan=False))
    assert len([line for line in to_json(over_problems).splitlines() if '"key": ' in line]) == 2 * 132 + 102


@pytest.mark.parametrize("name", ["lonely", "unfinished"])
def test_json_of_what_is_nearly_empty(name, request):
    result = request.getfixturevalue(name)

    assert len(json.loads(to_json(result), parse_constant=reject)["trials"]) == len(result.trials)


def test_a_number_that_is_not_finite_is_refused_and_the_old_file_stays(result, tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    broken = dataclasses.replace(result.trials[0], loss=float("nan"))

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(dataclasses.replace(result, trials=(broken,)), path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_csv_has_a_row_a_trial_with_flat_settings(result, tmp_path):
    path = write_csv(result, tmp_path / "results.csv")

    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))

    assert [row["key"] for row in rows] == [trial.key for trial in result.trials]
    assert float(rows[0]["setting.lr"]) == result.trials[0].settings["lr"]
    assert float(rows[0]["loss"]) == result.trials[0].loss
    assert rows[0]["test_loss"] == ""  # a tuning run has none
    failed = next(row for row in rows if row["status"] == "failed")
    assert failed["error"] == TRACEBACK
    assert failed["loss"] == failed["step_seconds"] == ""


def test_csv_of_settings_that_only_some_candidates_have(result):
    first, second = result.trials[:2]
    trials = (
        dataclasses.replace(first, settings={"lr": 0.1}),
        dataclasses.replace(second, settings={"rank": 8, "nesterov": True}),
    )

    rows = list(csv.DictReader(io.StringIO(to_csv(dataclasses.replace(result, trials=trials)))))

    names = ("setting.lr", "setting.rank", "setting.nesterov")
    assert [[row[name] for name in names] for row in rows] == [["0.1", "", ""], ["", "8", "True"]]


def test_csv_without_trials_is_a_heading(unfinished):
    assert to_csv(unfinished).count("\n") == 1


def test_csv_has_a_row_a_trial_whatever_its_texts_hold(result):
    odd = 'a\rb,"c"\r\nd'
    trials = tuple(dataclasses.replace(trial, candidate=odd, error="x\ry") for trial in result.trials)
    rows = list(csv.DictReader(io.StringIO(to_csv(dataclasses.replace(result, trials=trials)), newline="")))
    assert [(row["candidate"], row["error"]) for row in rows] == [(odd, "x\ry")] * len(trials)

"""The table of trials is complete and compact."""

import dataclasses
import json

from tests.report.synthetic import TRACEBACK
from trimtab.report import trials
from trimtab.report.trials import trials_table

KEY, ERROR = 0, 1
ALL = [
    "candidate", "phase", "seed", "status", "val loss", "val accuracy", "test loss", "test accuracy", "lr",
    "other settings", "sample-gradients", "steps", "ms a step", "state", "seconds",
]  # fmt: skip


def places(table):
    """Key of a column to its place in a row."""
    return {column["key"]: column["index"] for column in table["columns"]}


def headings(result):
    return [column["heading"] for column in trials_table(result)["columns"]]


def test_rows_hold_what_the_trials_were(result):
    table = trials_table(result)

    assert [row[KEY] for row in table["rows"]] == [trial.key for trial in result.trials]
    row, trial, place = table["rows"][0], result.trials[0], places(table)
    assert row[place["candidate"]] == trial.candidate
    assert row[place["loss"]] == float(f"{trial.loss:.6g}")
    assert row[place["rate"]] == float(f"{trial.settings['lr']:.6g}")
    assert row[place["settings"]] == "weight_decay = 0.0001"
    assert row[place["step seconds"]] == 1.31
    assert row[ERROR] is None


def test_a_seed_that_a_browser_would_round_is_a_text(result):
    seeds = (2**53, 2**53 + 1, 2**63 - 1)
    some = tuple(dataclasses.replace(t, seed=s) for t, s in zip(result.trials, seeds, strict=False))

    table = trials_table(dataclasses.replace(result, trials=some))

    assert [row[places(table)["seed"]] for row in table["rows"]] == [2**53, "9007199254740993", "9223372036854775807"]


def test_a_traceback_is_kept_once(result):
    table = trials_table(result)

    place = places(table)
    failed = [row for row in table["rows"] if row[place["status"]] == "failed"]
    assert len(failed) == 5
    assert {table["errors"][row[ERROR]] for row in failed} == {TRACEBACK}
    assert table["errors"].count(TRACEBACK) == 1


def test_tracebacks_are_shortened_to_their_end_and_limited_in_all(result, monkeypatch):
    monkeypatch.setattr(trials, "ERROR_BUDGET", 10_000)
    many = tuple(dataclasses.replace(t, error=f"{'x' * 9000}{i}") for i, t in enumerate(result.trials))

    table = trials_table(dataclasses.replace(result, trials=many))

    assert table["errors"][0] == "...\n" + ("x" * 9000 + "0")[-4000:]
    assert sum(map(len, table["errors"])) < 20_000
    assert table["errors"][-1].startswith("Left out")
    assert table["rows"][-1][ERROR] == len(table["errors"]) - 1


def test_columns_without_a_value_are_left_out(unfinished, result):
    assert headings(unfinished) == ["candidate", "phase", "status", "other settings"]
    assert headings(result) == [heading for heading in ALL if heading != "state"]
    (kept, *others) = result.trials
    kept = dataclasses.replace(kept, measures={**kept.measures, "state bytes": 2_141_696})
    assert headings(dataclasses.replace(result, trials=(kept, *others))) == ALL


def test_a_learning_rate_that_is_not_a_number_is_one_of_the_other_settings(result):
    odd = dataclasses.replace(result.trials[0], settings={"lr": "auto", "rank": 4})

    table = trials_table(dataclasses.replace(result, trials=(odd,)))

    (row,), place = table["rows"], places(table)
    assert "rate" not in place
    assert row[place["settings"]] == "lr = auto, rank = 4"


def test_five_thousand_trials_are_less_than_two_megabytes(large):
    assert len(large.trials) == 5000
    assert len(json.dumps(trials_table(large), allow_nan=False)) < 2e6

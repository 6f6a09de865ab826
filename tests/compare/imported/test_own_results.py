import json
import re

import pytest

from tests.report import synthetic
from trimtab.compare.imported.outcomes import analyse
from trimtab.compare.imported.own_results import is_json, read_results
from trimtab.report.export import to_json
from trimtab.study.errors import InputError

MADE = {
    "one problem": synthetic.comparison,
    "several": synthetic.over_problems,
    "one candidate": synthetic.lonely,
    "unfinished": synthetic.unfinished,
    "transforms": synthetic.pruned,
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_results_are_read_back_as_they_were(make, tmp_path):
    result, path = make(), tmp_path / "results.json"
    path.write_text(to_json(result), encoding="utf-8")
    assert read_results(path) == result
    assert analyse(path) == result
    assert to_json(read_results(path)) == path.read_text(encoding="utf-8")


def test_json_is_told_from_tables(tmp_path):
    (tmp_path / "a").write_text('\ufeff\n {"schema": 1}', encoding="utf-8")
    (tmp_path / "b").write_text("candidate,seed\n", encoding="utf-8")
    assert [is_json(tmp_path / name) for name in ("a", "b", "missing")] == [True, False, False]
    assert not is_json([{"candidate": "a"}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}', "is JSON, but no results.json of a comparison"),
        ('{"schema": "trimtab.scaling", "schema_version": 1}', "is JSON, but no results.json of a comparison"),
        ("{", "cannot be read as JSON"),
        ('{"schema": "trimtab.comparison", "schema_version": 1}', "has schema_version 1 and 2 is read"),
        ('{"schema": "trimtab.comparison", "schema_version": 2}', r"results\.json: problem is missing"),
    ],
)
def test_other_json_is_refused(text, message, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        analyse(path)


def test_a_broken_field_is_named_with_its_place(tmp_path):
    values = json.loads(to_json(synthetic.comparison()))
    values["trials"][3]["loss"] = "low"
    path = tmp_path / "results.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.json\.trials\[3\]\.loss: a number is needed, got 'low'"):
        read_results(path)


def test_what_results_say_themselves_cannot_be_said_of_them(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(to_json(synthetic.comparison()), encoding="utf-8")
    for given, words in (
        ({"direction": "max"}, "--maximize (direction='max')"),
        ({"score": "loss"}, "--score (score='loss')"),
        ({"where": ["seed=1"]}, "--where (where=['seed=1'])"),
        ({"against_reference": True}, "--against-reference (against_reference=True)"),
    ):
        with pytest.raises(InputError, match=f"^{re.escape(words)} is for tables; .* says itself what it holds"):
            analyse(path, **given)

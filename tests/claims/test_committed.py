"""The results that ship, and what is generated from them."""

import importlib.util
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from trimtab.catalog import entries
from trimtab.claims import CLAIMS, result
from trimtab.claims.analysis import judge, overall
from trimtab.claims.fingerprint import is_stale, method_hashes, protocol_hash
from trimtab.claims.loading import find_reference, load_reference
from trimtab.claims.result import committed
from trimtab.claims.runner import verify
from trimtab.cli.verifying import verify as verify_command
from trimtab.study.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def verdicts():
    spec = importlib.util.spec_from_file_location("verdicts", ROOT / "docs" / "verdicts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_result(method):
    """A result that ships belongs to the protocol that ships, and its verdict follows from its numbers."""
    found = committed(method)
    if found is None:
        pytest.skip(f"the claim of {method} has not been run")
    claim = load_reference(find_reference(method))
    assert not is_stale(method, found.protocol_hash), "run `make claims`: the protocol has changed since"
    assert (found.id, found.statement) == (claim.id, claim.statement)
    assert [arm.name for arm in found.arms] == [arm.name for arm in claim.arms]
    assert [arm.seeds for arm in found.arms] == [arm.test_seeds for arm in claim.arms]
    again = judge(claim.comparisons, found.arms)
    for finding, told in zip(again, found.findings, strict=True):
        for name, value in asdict(finding).items():
            stored = getattr(told, name)
            assert stored == (pytest.approx(value, rel=1e-4, abs=1e-7) if isinstance(value, float) else value), name
    assert found.verdict == overall(finding.verdict for finding in again if finding.decides)


@pytest.mark.parametrize("method", sorted(CLAIMS))
def test_results_that_ship_are_not_stale_and_follow_from_their_numbers(method):
    check_result(method)


def test_the_readme_has_the_verdicts_that_ship(verdicts):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert verdicts.with_methods(readme) == readme, "run `python docs/verdicts.py`"


def test_what_is_said_of_their_cost_is_what_they_cost():
    found = map(committed, dict.fromkeys(load_reference(each).id for each in CLAIMS.values()))
    seconds = [each.processor_seconds for each in found if each is not None]
    range_said = f"{round(min(seconds) / 60)} to {round(max(seconds) / 60)}"
    page = " ".join((ROOT / "docs" / "claims.md").read_text(encoding="utf-8").split())
    assert f"from {range_said} minutes of processor time a claim, and about three and a half hours for all" in page
    assert f"a small experiment of {range_said} processor minutes" in verify_command.__doc__
    assert "# about three and a half hours of processor time" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert 3.25 < sum(seconds) / 3600 < 3.75


@pytest.fixture
def shipped(register, tmp_path, monkeypatch):
    """A package in which the toy claim has a result."""
    register("CONFIRMED")
    monkeypatch.setattr(result, "RESULTS", tmp_path / "results")
    (found,) = verify(["toy"], tmp_path / "results", jobs=1)

    def ship(changed):
        (tmp_path / "results" / "toy.json").write_text(changed.to_json())

    return found, ship


def test_a_stale_or_altered_result_would_be_noticed(shipped):
    found, ship = shipped
    check_result("toy")
    ship(replace(found, protocol_hash="another"))
    with pytest.raises(AssertionError, match="the protocol has changed"):
        check_result("toy")
    ship(replace(found, verdict="refuted"))
    with pytest.raises(AssertionError):
        check_result("toy")
    ship(replace(found, findings=(replace(found.findings[0], mean=1.0),)))
    with pytest.raises(AssertionError):
        check_result("toy")


def test_a_damaged_result_says_so(shipped, tmp_path):
    (tmp_path / "results" / "toy.json").write_text('{"schema": "other"}')
    with pytest.raises(InputError, match="damaged"):
        committed("toy")


def test_the_table_is_written_between_its_marks_and_nowhere_else(verdicts, shipped):
    written = verdicts.with_methods("# A\n<!-- verdicts -->\nanything\n<!-- /verdicts -->\nmore\n")
    before, heading, _, *rows, after, more = written.splitlines()[1:]
    assert (before, after, more) == ("<!-- verdicts -->", "<!-- /verdicts -->", "more")
    assert [cell.strip() for cell in heading.split("|")[1:3]] == ["method", "name"]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[2])]
    assert sorted(named) == sorted(entry.id for entry in entries().values())
    with pytest.raises(ValueError, match="no table"):
        verdicts.with_methods("# A\n")


def test_a_verdict_on_what_has_changed_since_has_a_mark_that_is_explained(verdicts, monkeypatch):
    lion = committed("lion")

    def told(methods):
        found = replace(lion, protocol_hash=protocol_hash(CLAIMS["lion"]), methods=methods)
        monkeypatch.setattr(verdicts, "committed", lambda method: found if method == "lion" else None)
        *_, last, end = verdicts.with_methods("<!-- verdicts --><!-- /verdicts -->").splitlines()
        row = next(row for row in verdicts.table() if "`lion`" in row)
        return row.endswith(" † |"), last.startswith("† "), end

    assert told(method_hashes(CLAIMS["lion"])) == (False, False, "<!-- /verdicts -->")
    assert told({"lion": "another"}) == (True, True, "<!-- /verdicts -->")


def test_results_are_adopted(verdicts, shipped, tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(verdicts, "RESULTS", tmp_path / "package")
    verdicts.adopt(tmp_path / "results")
    assert [file.name for file in (tmp_path / "package").iterdir()] == ["toy.json"]

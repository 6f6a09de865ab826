"""`trimtab audit` from the outside."""

import json
import re

import pytest
from typer.testing import CliRunner

from trimtab.cli import app
from trimtab.testing import audit as running

FEW = ("printed", "refuses_later")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    whole = running.audit_optimizer
    monkeypatch.setattr(running, "audit_optimizer", lambda *a, **k: whole(*a, **{"only": FEW, **k}))


def test_a_sound_optimizer_ends_with_zero():
    done = CliRunner().invoke(app, ["audit", "lion"])
    assert done.exit_code == 0, done.output
    assert re.search(r"All \d+ cases of \d+ checks hold", done.output)


def test_a_broken_promise_ends_with_one_and_is_named():
    done = CliRunner().invoke(app, ["audit", "torch.optim:SGD(lr=0.1)"])
    assert done.exit_code == 1
    assert "refuses_later: A bad setting that is written to a group" in done.output
    _, _, also = done.output.partition("What torch.optim.AdamW breaks as well")
    assert "[lr=-1.0] lr=-1.0 is accepted" in also  # and of momentum, which AdamW does not have, it is one more case


def test_json_alone_is_on_standard_output():
    done = CliRunner().invoke(app, ["audit", "torch.optim:SGD", "--json"])
    facts = json.loads(done.stdout)
    assert facts["optimizer"] == "torch.optim:SGD"
    assert {each["outcome"] for each in facts["checks"]} == {"holds", "broken", "skipped"}
    assert done.exit_code == 1


def test_what_there_is_not_ends_with_two():
    done = CliRunner().invoke(app, ["audit", "torch.optim:SDG"])
    assert done.exit_code == 2
    assert "did you mean SGD?" in done.output

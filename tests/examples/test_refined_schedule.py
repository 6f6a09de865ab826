"""The example of a refined schedule, and the page of the documentation that goes on with its norms."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.examples import test_examples
from trimtab.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "refine.md"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    directory = tmp_path_factory.mktemp("refined")
    return directory, test_examples.ran(directory, "refined_schedule")


def shown():
    """The outputs that the page shows, by the command that gives them."""
    blocks = re.findall(r"^```text\n\$ (.*?)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return {command: output.splitlines() for command, output in blocks}


def form(lines):
    """What stays the same with another version of torch: words, and where numbers are."""
    return re.sub(r"[\d.]+", "#", " ".join(" ".join(lines).split()))


def test_refined_schedule(ran):
    directory, (linear, refined, peak) = ran
    losses = {line.split(" validation")[0].strip(): re.findall(r"(\d\.\d+) at", line) for line in (linear, refined)}
    assert losses.keys() == {"linear decay", "refined"}
    for found in losses.values():
        assert 0.05 < min(map(float, found)) < 0.2
    assert 10 < int(re.search(r"peaks at (\d+)%", peak)[1]) < 95
    assert [path.name for path in directory.iterdir()] == ["norms.json"]


def test_the_page_shows_what_is_printed(ran, monkeypatch):
    directory, lines = ran
    monkeypatch.chdir(directory)
    page = shown()
    assert form(page["python examples/refined_schedule.py"]) == form(lines)
    done = CliRunner().invoke(app, ["refine", "norms.json"], env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    assert form(page["trimtab refine norms.json"]) == form(done.output.splitlines())


def test_the_blocks_of_the_page_run(ran, monkeypatch):
    import torch
    from torch import nn

    monkeypatch.chdir(ran[0])
    assert CliRunner().invoke(app, ["refine", "norms.json"]).exit_code == 0
    record, clipped, follow = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    model = nn.Linear(3, 1)
    loader = [(torch.randn(4, 3), torch.randn(4, 1)) for _ in range(5)]
    names = {"torch": torch, "model": model, "loader": loader, "total_steps": 5, "loss_of": nn.functional.mse_loss}
    for block in (record, clipped, follow):
        names["optimizer"] = torch.optim.AdamW(model.parameters(), lr=0.1)
        exec(block, names)
    assert len(names["recorder"].norms) == 5
    assert names["scheduler"].total_steps == 5

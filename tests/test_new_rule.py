"""A new update rule is its file, its catalogue entry, its test file and its claim: nothing else is edited."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1]

RULE = '''
"""Plain signs: a step of the same size in every coordinate."""

from typing import ClassVar

import torch

from trimtab.primitives.flat.flat_step import FlatOptimizer
from trimtab.study.tunable import LogUniform


class PlainSigns(FlatOptimizer):
    """The sign of the gradient.

    Args:
        params: parameters or parameter groups, as in ``torch.optim``.
        lr: step size, >= 0.
    """

    state_names = ()
    weight_decay = "decoupled"
    tunables: ClassVar = {"lr": LogUniform(1e-4, 1e-1)}

    def __init__(self, params, lr=1e-3, *, weight_decay=0.0, **options):
        super().__init__(params, lr=lr, weight_decay=weight_decay, **options)

    @staticmethod
    def scalars(step):
        return {}

    @staticmethod
    def direction(grad):
        return (torch.sign(grad),)
'''

ENTRY = """
[plainsigns]
title = "Plain signs"
kind = "method"
slot = "optimizer"
summary = "Moves every coordinate by the same amount."
adapts = "the direction of the step"
signal = "the sign of the gradient"
when = "In tests."
when_not = "Elsewhere."
object = "trimtab.optim.plain_signs:PlainSigns"
paper = "A Stochastic Approximation Method"
authors = "Robbins, Monro"
year = 1951
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package with a rule in it; a claim is another one's, of a name of its own."""
    root = tmp_path_factory.mktemp("copy")
    package = root / "src" / "trimtab"
    shutil.copytree(SOURCE / "src" / "trimtab", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "optim" / "plain_signs.py").write_text(RULE)
    with (package / "catalog" / "optim.toml").open("a") as file:
        file.write(ENTRY)
    claim = (package / "claims" / "lion.py").read_text()
    (package / "claims" / "plainsigns.py").write_text(claim.replace('id="lion"', 'id="plainsigns"'))
    return root


def python(copied, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(copied / "src"), "COLUMNS": "200"}
    made = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, cwd=copied
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


LOOK = """
import json, torch, trimtab
from trimtab import optim
from trimtab.claims import CLAIMS
from trimtab.catalog.entries import find
from trimtab.catalog.candidates import parse_candidates
model = torch.nn.Linear(2, 1, bias=False)
before = model.weight.detach().clone()
optimizer = trimtab.create("plainsigns", model, lr=0.25)
model(torch.ones(2)).backward()
optimizer.step()
print(json.dumps({
    "class": type(optimizer) is optim.PlainSigns and "PlainSigns" in optim.__all__,
    "step": (before - model.weight.detach()).round(decimals=6).tolist(),
    "claim": CLAIMS["plainsigns"],
    "public": find("plainsigns").public,
    "tuned": list(parse_candidates("clip(plainsigns)")[0].tunables),
}))
"""


def test_it_is_exported_built_composed_and_has_its_claim(copied):
    assert json.loads(python(copied, "-c", LOOK)) == {
        "class": True,
        "step": [[0.25, 0.25]],
        "claim": "trimtab.claims.plainsigns:CLAIM",
        "public": ["trimtab.optim", "PlainSigns"],
        "tuned": ["lr", "clip.fraction"],
    }


def test_the_command_line_knows_it(copied):
    assert "plainsigns" in python(copied, "-m", "trimtab", "list", "--slot", "optimizer")
    shown = python(copied, "-m", "trimtab", "show", "plainsigns")
    assert "from trimtab.optim import PlainSigns" in shown
    assert "not run yet; `trimtab verify plainsigns` does" in shown
    shutil.copytree(SOURCE / "docs", copied / "docs", ignore=shutil.ignore_patterns("assets"))
    shutil.copy(SOURCE / "README.md", copied / "README.md")
    python(copied, "docs/verdicts.py")
    (row,) = (line for line in (copied / "README.md").read_text().splitlines() if "`plainsigns`" in line)
    does = "Moves every coordinate by the same amount (Robbins & Monro, 1951)"
    assert row == f"| Plain signs | `plainsigns` | {does} | not run yet |"

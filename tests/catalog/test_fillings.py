"""What is said of candidates whatever slot they fill."""

import pytest

from trimtab import CommandProblem
from trimtab.catalog.fillings import commands, optimizers, transforms, typed_settings

OWN = """
import torch

class Mine(torch.optim.SGD):
    pass


def uniform(model, calibration, target, *, share=0.5, finetune, generator):
    return model
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return f"{path}:"


def typed(candidates, *tune):
    return {each.label: typed_settings(each, tune) for each in optimizers(None, candidates, tune)}


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        ("adam.lr=1e-4..1e-2:log", {"adam": {"lr"}}),
        ("adamw.lr=1e-4..1e-2:log", {"adamw": {"lr"}, "clip(adamw)": {"lr"}}),
        ("adamw.beta2=0.9..0.99", {"adamw": {"beta2"}, "clip(adamw)": {"beta2"}}),
        ("clip.fraction=0.1..0.2", {"clip(adamw)": {"clip.fraction"}}),
    ],
)
def test_a_range_is_typed_for_whom_it_names_and_for_nobody_whose_name_contains_that(tune, expected):
    found = typed("adam,adamw,nadam,clip(adamw)", tune)
    assert {label: settings for label, settings in found.items() if settings} == expected


def test_a_range_without_a_name_is_for_ones_own_class_alone(own):
    mine = f"{own}Mine"
    found = typed(f"adamw,{mine},clip({mine})", "lr=1e-4..1e-1:log", "clip.fraction=0.1..0.2")
    assert found == {"adamw": set(), mine: {"lr"}, f"clip({mine})": {"lr", "clip.fraction"}}
    assert typed(f"adamw,{mine}", f"{mine}.lr=1e-4..1e-1:log") == {"adamw": set(), mine: {"lr"}}
    (transform,) = transforms(None, f"{own}uniform", ["share=0.1..0.9"])
    assert typed_settings(transform, ["share=0.1..0.9"]) == {"share"}


def test_a_range_of_a_command_is_for_the_candidate_that_it_names_or_for_all():
    problem = CommandProblem("sh -c {optimizer} {lr} {seed}", metric="loss")
    for tune, expected in (("adam.lr=0.1..1", [{"lr"}, set()]), ("lr=0.1..1", [{"lr"}, {"lr"}])):
        assert [typed_settings(each, [tune]) for each in commands(problem, "adam,nadam", [tune])] == expected

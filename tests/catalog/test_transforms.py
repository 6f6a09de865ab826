"""Transforms as candidates: of the catalogue, and one's own."""

from pathlib import Path

import pytest
import torch

from trimtab.catalog.slots import SLOTS, candidates_for, restored
from trimtab.catalog.transforms import read_transforms
from trimtab.compress import LampPruning
from trimtab.lab.loading import load_problem
from trimtab.study.errors import InputError

OWN = Path(__file__).parents[1] / "lab" / "transforms" / "own.py"


def test_the_usual_candidates():
    found = candidates_for([load_problem("pruned-digits")], None)
    assert [candidate.label for candidate in found] == ["uniform", "magnitude", "lamp"]
    assert [candidate.kind for candidate in found] == ["baseline"] * 3
    assert type(found[2].build({})) is LampPruning
    assert found[2].title == "LAMP"


def test_a_function_of_one_s_own_with_settings_and_without():
    one, other = read_transforms(f"{OWN}:halve,{OWN}:clashing(finetune_lr=0.5)", [])
    assert one.build({}).func.__name__ == "halve"
    assert other.build({}).keywords == {"finetune_lr": 0.5}
    assert one.summary == "Masks the first weights of every layer, exactly as many as have to go, and trains."


def test_a_class_is_built_and_then_called():
    (one,) = read_transforms(f"{OWN}:Untouched", [])
    assert list(one.tunables) == ["share"]
    assert one.build({"share": 0.25}).share == 0.25
    (fixed,) = read_transforms(f"{OWN}:Untouched(share=0.75)", [])
    assert (fixed.tunables, fixed.build({}).share) == ({}, 0.75)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lion", "lion is an optimizer; here fits lamp, magnitude or uniform"),
        ("lamb", "unknown method|lamb is an optimizer"),
        ("lamp(rounds=3)", "lamp has no setting 'rounds'; it has none"),
        ("lamp(finetune=3)", "lamp has no setting 'finetune'"),
        ("lamp(target=0.5)", "lamp has no setting 'target'"),
        (f"{OWN}:wrong", r"wrong has to be called as \(model, calibration, target, \*, finetune, generator\)"),
        (f"{OWN}:NotCalled", "NotCalled has no __call__"),
        (f"{OWN}:Untouched(shares=1)", "Untouched has no setting 'shares'; did you mean share"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        read_transforms(text, [])


def test_lines_to_paste_run():
    (lamp,) = read_transforms("lamp", [])
    code = lamp.code({}, 300)
    model = torch.nn.Linear(4, 5)
    names = {"model": model, "calibration": [], "target": 0.5, "finetune": lambda model, steps=None: None}
    exec(code, names)
    assert int((names["smaller"].weight == 0).sum()) == 10


def test_lines_without_a_run_say_what_their_names_are():
    (lamp,) = read_transforms("lamp", [])
    for name in ("model", "calibration", "target", "finetune(model, steps=None)", "finetune.left"):
        assert f"{name}: " in lamp.code({})


def test_tuned_settings_are_rounded_in_lines_and_fixed_ones_stand_as_they_were_written():
    (own,) = read_transforms(f"{OWN}:Untouched", [])
    assert "Untouched(share=0.424)(" in own.code({"share": 0.424334901411617})
    (fixed,) = read_transforms(f"{OWN}:Untouched(share=0.123456)", [])
    assert "Untouched(share=0.123456)(" in fixed.code({})


def test_lines_of_a_class_build_it_first():
    (own,) = read_transforms(f"{OWN}:Untouched", [])
    assert "smaller = Untouched(share=0.25)(model, calibration, target, finetune=" in own.code({"share": 0.25})
    assert "from own import Untouched" in own.code({})


def test_lines_call_what_is_no_class_whatever_its_name_looks_like(tmp_path):
    file = tmp_path / "odd.py"
    arguments = "(model, calibration, target, *, finetune, generator)"
    file.write_text(
        f"def Rounds{arguments}:\n    return model\n"
        f"class rounds:\n    def __call__(self, model, calibration, target, *, finetune, generator):\n"
        "        return model\n"
        f"class Outer:\n    class Inner(rounds):\n        pass\n"
    )
    found = read_transforms(f"{file}:Rounds,{file}:rounds,{file}:Outer.Inner", [])
    file.unlink()
    again = restored("transform", [each.label for each in found], {each.label: each.definition() for each in found})
    for function, small, inner in (found, again):
        assert "smaller = Rounds(model, calibration, target, finetune=" in function.code({})
        assert "smaller = rounds()(model, calibration, target, finetune=" in small.code({})
        assert "from odd import Outer\n" in inner.code({})
        assert "smaller = Outer.Inner()(model, " in inner.code({})
    (usual,) = read_transforms(f"{OWN}:halve", [])
    assert "is_class" not in usual.definition()


def test_a_study_is_shown_without_the_file_of_its_candidates(tmp_path):
    file = tmp_path / "gone.py"
    file.write_text("def mine(model, calibration, target, *, finetune, generator, share=1):\n    return model\n")
    (mine,) = read_transforms(f"{file}:mine", ["share=0.1..0.9"])
    definition = mine.definition()
    file.unlink()
    (again,) = restored("transform", [mine.label], {mine.label: definition})
    assert again.label == mine.label
    assert str(again.tunables["share"]) == "0.1 to 0.9"
    assert "from gone import mine" in again.code({"share": 0.5})


def test_the_template_s_problem_is_named():
    assert SLOTS["transform"].template == "MyProblem"

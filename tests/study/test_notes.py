"""What notes say without the problem itself."""

import pytest

from trimtab.study.notes import reference_of, sign_of, slot_of


def of(direction, slot="sampler"):
    return {"slot": slot, "facts": {"objective": {"direction": direction}, "reference": "branin"}}


OLD_TASK = {"task": {"kind": "task", "direction": "max", "reference": "digits"}}
OLD_COMMAND = {"task": {"kind": "command", "direction": "max", "reference": "train.py"}}


@pytest.mark.parametrize(
    ("notes", "slot", "reference", "sign"),
    [
        (of("min"), "sampler", "branin", 1),
        (of("max"), "sampler", "branin", -1),
        (OLD_TASK, "optimizer", "digits", 1),  # its loss is the objective, whatever is better of its metric
        (OLD_COMMAND, "command", "train.py", -1),
        ({"task": {"direction": "max"}}, "optimizer", "", 1),  # from before there were commands
        ({}, "", "", 1),
    ],
)
def test_notes_of_one_problem(notes, slot, reference, sign):
    assert (slot_of(notes), reference_of(notes), sign_of(notes, "any")) == (slot, reference, sign)


def test_notes_of_several_problems():
    notes = {"tasks": {"one": of("max"), "two": of("min")}}
    assert (slot_of(notes), reference_of(notes)) == ("sampler", "")
    assert [sign_of(notes, name) for name in ("one", "two", "three")] == [-1, 1, 1]

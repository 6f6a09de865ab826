"""Which candidates fit which problems."""

import pytest

from tests.lab.toy import Toy
from trimtab import CommandProblem, Comparison
from trimtab.catalog.slots import DEFAULT_OPTIMIZERS, SLOTS, candidates_for
from trimtab.study.errors import InputError

COMMAND = "python train.py --opt {optimizer} --lr {lr} --seed {seed}"


def test_problems_of_different_slots_are_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"toy by optimizers and sh by commands cannot be compared in one go"):
        candidates_for([Toy(), CommandProblem("sh -c {optimizer} {seed}", metric="loss")], "adamw")


def test_a_task_has_usual_candidates_and_a_command_has_none():
    assert ",".join(each.label for each in candidates_for([Toy()], None)) == DEFAULT_OPTIMIZERS
    with pytest.raises(InputError, match="no candidates were given"):
        candidates_for([CommandProblem(COMMAND, metric="loss")], None)


def test_what_was_written_down_becomes_candidates_again():
    problem = CommandProblem("true {optimizer} {lr} {seed}", metric="loss")
    made = candidates_for([problem], "a,b", ["lr=1e-3..1:log"])
    written = {each.label: each.definition() for each in made}
    assert SLOTS["command"].restored(["a", "b"], written) == made
    assert [c.label for c in SLOTS["optimizer"].restored(["lion", "adamw(lr=0.1)"], {})] == ["lion", "adamw(lr=0.1)"]


def test_a_task_has_to_be_given_by_its_place():
    with pytest.raises(InputError, match="workers load it by themselves, so that its place is needed"):
        Comparison(Toy(), "adamw")

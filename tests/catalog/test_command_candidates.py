"""What a comparison of commands says of all that was given to it."""

import pytest

from trimtab.catalog.command_candidates import candidates_of
from trimtab.lab.commands.problem import CommandProblem
from trimtab.study.errors import InputError, messages_of


def test_everything_that_is_wrong_with_ranges_is_said_at_once():
    problem = CommandProblem("true {optimizer} {lr} {seed}", metric="loss")
    with pytest.raises(InputError) as error:
        candidates_of(problem, {"adamw": "", "lion": ""}, ["lr=1..0", "adamv.lr=1", "lrr=2"])
    order, name, place = messages_of(error.value)
    assert "the first number must be the smaller one" in order
    assert "'adamv' is not among the candidates; did you mean adamw?" in name
    assert "there is no {lrr} in the command" in place

"""What a comparison of commands says of all that was given to it."""

import pytest

from trimtab.compare.command.reading import candidates_of, commands_of
from trimtab.lab.errors import InputError, messages_of


def test_everything_that_is_wrong_with_ranges_is_said_at_once():
    commands = commands_of("true {optimizer} {lr} {seed}", "adamw,lion", shell=False)
    with pytest.raises(InputError) as error:
        candidates_of(commands, ["lr=1..0", "adamv.lr=1", "lrr=2"], unseeded=False)
    order, name, place = messages_of(error.value)
    assert "the first number must be the smaller one" in order
    assert "'adamv' is not among the candidates; did you mean adamw?" in name
    assert "there is no {lrr} in the command" in place

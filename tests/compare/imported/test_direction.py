import pytest

from trimtab.compare.imported.direction import chosen_direction, direction_of, option_of
from trimtab.study.errors import InputError


def test_one_of_two_flags_is_a_direction():
    assert chosen_direction(maximize=True, minimize=False) == "max"
    assert chosen_direction(maximize=False, minimize=True) == "min"
    assert chosen_direction(maximize=False, minimize=False) is None
    with pytest.raises(InputError, match="exclude each other"):
        chosen_direction(maximize=True, minimize=True)


def test_whoever_made_the_runs_may_say_it():
    place = "trials.db"
    assert direction_of(place, "score", {"max"}, None) == direction_of(place, "score", {"max", None}, "max") == "max"
    assert direction_of(place, "loss", {None}, "min") == "min"
    with pytest.raises(InputError, match=r"^--minimize \(direction='min'\): the studies of trials.db say maximize"):
        direction_of(place, "score", {"max"}, "min")
    with pytest.raises(InputError, match="studies that maximize score and others that minimize it"):
        direction_of(place, "score", {"max", "min"}, "max")
    for wanted, given in ((None, ""), ("up", "direction='up': "), ([], r"direction=\[\]: ")):
        with pytest.raises(InputError, match=f"^{given}say whether more of loss is better or less of it"):
            direction_of(place, "loss", {None}, wanted)


def test_a_direction_is_an_option():
    assert [option_of(each) for each in ("max", "min")] == ["--maximize", "--minimize"]
    assert {option_of(each) for each in ("up", [])} == {"--maximize or --minimize"}

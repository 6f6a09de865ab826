import pytest

from trimtab.compare.imported.direction import chosen_direction, direction_of, option_of
from trimtab.compare.imported.table import Table
from trimtab.study.errors import InputError


def test_one_of_two_flags_is_a_direction():
    assert chosen_direction(maximize=True, minimize=False) == "max"
    assert chosen_direction(maximize=False, minimize=True) == "min"
    assert chosen_direction(maximize=False, minimize=False) is None
    with pytest.raises(InputError, match="exclude each other"):
        chosen_direction(maximize=True, minimize=True)


def test_a_table_may_say_it_of_its_columns():
    told = Table("trials.db", "trials", "trial", ("score", "loss"), (), {"score": "max"})
    assert direction_of(told, "score", None) == direction_of(told, "score", "max") == "max"
    assert direction_of(told, "loss", "min") == "min"
    with pytest.raises(InputError, match=r"^--minimize \(direction='min'\): the studies of trials.db say maximize"):
        direction_of(told, "score", "min")
    for wanted, given in ((None, ""), ("up", "direction='up': "), ([], r"direction=\[\]: ")):
        with pytest.raises(InputError, match=f"^{given}say whether more of loss is better or less of it"):
            direction_of(told, "loss", wanted)


def test_a_direction_is_an_option():
    assert [option_of(each) for each in ("max", "min")] == ["--maximize", "--minimize"]
    assert {option_of(each) for each in ("up", [])} == {"--maximize or --minimize"}

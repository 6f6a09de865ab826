import pytest

from trimtab.study.errors import Faults, InputError, NoStudyError, SeveralFaultsError, messages_of


def gathered(*errors):
    faults = Faults()
    for error in errors:
        with faults:
            raise error
    return faults


def test_all_that_is_wrong_is_said_at_once_and_each_thing_once():
    inner = SeveralFaultsError(("b", "c"))
    with pytest.raises(InputError) as error:
        gathered(InputError("a"), inner, InputError("a")).raise_any()
    assert messages_of(error.value) == ("a", "b", "c")
    assert str(error.value) == "a\nb\nc"


def test_a_single_fault_stays_what_it_is_and_none_is_none():
    with pytest.raises(NoStudyError, match="only") as error:
        gathered(NoStudyError("only")).raise_any()
    assert messages_of(error.value) == ("only",)
    Faults().raise_any()


def test_what_is_no_fault_of_the_input_is_not_gathered():
    with pytest.raises(KeyError):
        gathered(KeyError("x"))

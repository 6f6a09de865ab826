"""What a problem has tuned goes with every candidate, into a store and back."""

import pytest

from trimtab.catalog.transforms import read_transforms
from trimtab.compare.within import Within, read, within, written
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogUniform, Uniform

RATE = {"finetune_lr": LogUniform(3e-5, 3e-2)}


def test_settings_are_told_apart():
    (lamp,) = read_transforms("lamp", [])
    candidate = within("pruned-digits", RATE, lamp)
    assert isinstance(candidate, Within)
    assert dict(candidate.tunables) == RATE
    assert candidate.settings({"finetune_lr": 0.01}) == {"finetune_lr": 0.01}
    assert vars(candidate.build({"finetune_lr": 0.01})) == {}
    assert "finetune_lr" not in candidate.code({"finetune_lr": 0.01}, 3)
    assert (candidate.label, candidate.title, candidate.definition()) == ("lamp", "LAMP", {})


def test_without_any_a_candidate_stays_itself():
    (lamp,) = read_transforms("lamp", [])
    assert within("digits", {}, lamp) is lamp
    assert written({}) == {}
    assert read({}) == {}


def test_a_name_that_both_have_is_refused():
    (lamp,) = read_transforms("lamp", [])
    one = within("pruned-digits", RATE, lamp)
    with pytest.raises(InputError, match="lamp has a setting 'finetune_lr', and so has pruned-digits: rename one"):
        within("pruned-digits", RATE, one)


def test_ranges_are_read_as_they_were_written():
    brought = {**RATE, "momentum": Uniform(0.1, 0.9), "batch": Choice((16, 64))}
    assert read(written(brought)) == brought

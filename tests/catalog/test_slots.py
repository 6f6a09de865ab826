"""Which candidates fit which problems."""

from dataclasses import replace

import pytest

from tests.lab.toy import Toy
from trimtab import CommandProblem, Comparison
from trimtab.catalog.entries import of_slot
from trimtab.catalog.listing import search_problems
from trimtab.catalog.slots import (
    DEFAULT_OPTIMIZERS,
    SLOTS,
    candidates_for,
    check_candidates,
    example,
    restored,
    slot_named,
    with_settings,
)
from trimtab.lab import shipped
from trimtab.lab.loading import load_problem
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


@pytest.mark.parametrize(("problem", "label"), [("branin", "tpe(n_startup_trials=3)"), ("diabetes", "lion(lr=0.1)")])
def test_candidates_of_every_slot_come_back_from_their_labels(problem, label):
    loaded = load_problem(problem)
    (made,) = candidates_for([loaded], label)
    assert [each.label for each in restored(loaded.slot, [label], {})] == [made.label] == [label]


@pytest.mark.parametrize("slot", [slot for slot, each in SLOTS.items() if each.default])
def test_who_is_compared_by_default_fits_and_can_be_shown(slot):
    fitting = of_slot(slot)
    assert set(SLOTS[slot].default.split(",")) <= set(fitting)
    for name in SLOTS[slot].default.split(","):
        assert example(fitting[name]).label == name


def test_what_fills_no_slot_is_not_shown_as_a_candidate():
    entry = replace(of_slot("sampler")["tpe"], slot=None, key="alone")
    with pytest.raises(InputError, match="alone fills no slot; trimtab verify alone runs its claim"):
        example(entry)


@pytest.mark.parametrize(
    ("references", "slot"),
    [
        (["branin(nois=1)"], "sampler"),
        (["pruned(nowhere.py:Mine)", "pruned-digits"], "transform"),
        (["brannin", "digits"], "optimizer"),
        (["study:sqlite:///nowhere.db#old", "study:a.log"], "sampler"),
        (["study:a.log", "digits"], None),
        (["brannin"], None),
        (["digits", "branin"], None),
        (["branin(", "mine.py:Mine"], None),
        ([], None),
    ],
)
def test_the_slot_of_what_ships_is_known_whatever_is_in_its_brackets(references, slot):
    assert slot_named(references) is (None if slot is None else SLOTS[slot])


def test_candidates_are_looked_at_only_where_the_slot_is_known():
    check_candidates(["brannin"], "no such candidate")
    check_candidates(["branin(nois=1)"], "random,tpe")
    with pytest.raises(InputError, match=r"unknown method 'tpee'; did you mean tpe\?"):
        check_candidates(["branin(nois=1)"], "random,tpee")


def test_a_candidate_is_shown_with_its_settings():
    assert with_settings(of_slot("sampler")["tpe"], "tpe(n_startup_trials=5)").label == "tpe(n_startup_trials=5)"
    with pytest.raises(InputError, match="lamp has no setting 'x'"):
        with_settings(of_slot("transform")["lamp"], "lamp(x=1)")


def test_problems_are_found_by_their_names_and_by_what_they_are():
    assert list(search_problems("branin")) == ["branin"]
    assert "svc-digits" in search_problems("noisy objective")
    assert set(search_problems("samplers")) == set(shipped.of_slot("sampler"))
    assert search_problems("zzz") == {}

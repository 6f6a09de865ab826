"""Trials that ended alike are told once."""

import dataclasses

import pytest

from tests.report.synthetic import comparison
from trimtab.report.failures import failures, first_errors


def trials(*errors, status="failed"):
    """Trials of which the n-th is of candidate n."""
    any_trial = comparison().trials[0]
    return [
        dataclasses.replace(any_trial, candidate=f"c{i}", seed=i, status=status, error=error)
        for i, error in enumerate(errors)
    ]


def test_one_that_came_to_its_end_leaves_nothing_to_tell():
    ended = dataclasses.replace(trials("")[0], status="complete", error=None)
    assert failures([*trials("no data"), ended]) == []
    assert failures([*trials("no data"), dataclasses.replace(ended, status="pruned")]) == []
    assert failures([]) == []


def test_names_settings_and_seeds_make_no_other_reason():
    errors = [f"exit code 1\npython t.py c{i} 0.0{i}3e-05 {i}\n\nKeyError: 'c{i}' at 0x7f{i}a" for i in range(4)]
    (failure,) = failures(trials(*errors))
    assert (failure.count, failure.first.candidate) == (4, "c0")
    assert failure.words.splitlines()[-1] == "KeyError: 'c0' at 0x7f0a"


def test_the_most_frequent_reason_comes_first():
    found = failures(trials("a\nOSError: full", "a\nKeyError: 3", "a\nKeyError: 4", "b\nKeyError: 4"))
    assert [(each.count, each.first.seed) for each in found] == [(2, 1), (1, 0), (1, 3)]


@pytest.mark.parametrize("error", [None, ""])
def test_without_words_the_status_is_all(error):
    (failure,) = failures(trials(error, error, status="diverged"))
    assert (failure.count, failure.status, failure.words) == (2, "diverged", "it diverged")
    assert failure.remedy.startswith("A loss that is not finite at step 1 was so before anything was trained")


def test_a_traceback_is_its_own_remedy():
    (failure,) = failures(trials("KeyError: 'x'"))
    assert failure.remedy == ""


def test_of_a_long_text_the_end_is_shown():
    (failure,) = failures(trials("\n".join(f"line {i}" for i in range(40))))
    assert failure.words.splitlines() == ["...", *(f"line {i}" for i in range(25, 40))]


def test_the_first_error_of_each_candidate_is_a_line():
    first, second = trials("Traceback\n  line 3\nKeyError: 'x'\n", "OSError: full")
    again = dataclasses.replace(first, error="KeyError: 'y'")
    diverged = dataclasses.replace(second, candidate="c2", status="diverged", error="the loss was nan")
    assert first_errors([first, again, second, diverged]) == {"c0": "KeyError: 'x'", "c1": "OSError: full"}


def test_the_last_line_of_a_command_has_its_exit_code_beside_it():
    error = "it ended with exit code 3; its output ended:\nepoch 5 val_loss 0.85"
    assert first_errors(trials(error)) == {"c0": "exit code 3, after the line epoch 5 val_loss 0.85"}
    assert first_errors(trials("it ended with exit code 3")) == {"c0": "it ended with exit code 3"}

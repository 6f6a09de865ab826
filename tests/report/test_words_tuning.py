"""How candidates were tuned, in words."""

from dataclasses import replace

import pytest

from trimtab.compare.tuning import Extension
from trimtab.report.words import trials
from trimtab.report.words_tuning import again, gone_on, numbered, winners_curse


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([3], "seed 3"),
        (range(1, 3), "seeds 1 to 2"),
        ([1, 5, 9], "seeds 1, 5 and 9"),
        (range(0, 40, 2), "seeds from 0 to 38"),
    ],
)
def test_seeds_are_named_or_counted(numbers, words):
    assert numbered(numbers) == words


def test_one_seed_of_tuning_needs_no_words(result):
    assert again(replace(result, protocol=replace(result.protocol, tuning_seeds=1))) == ""
    more = replace(result, protocol=replace(result.protocol, tuning_seeds=3))
    assert "ran with seeds 1 to 2 as well" in again(more)


def test_one_setting_does_not_run_again(result):
    alone = replace(result, protocol=replace(result.protocol, tuning_seeds=3, trials=1))
    assert again(alone) == ""
    assert "settings that were tried, all with seed 0. Phase final" in trials(alone)
    assert "the best with seeds 1 to 2 as well" in trials(replace(alone, protocol=replace(alone.protocol, trials=2)))


def test_who_went_on_is_named_and_how_far(result):
    first, *others = result.candidates
    plain = replace(result, candidates=tuple(replace(each, extensions=()) for each in result.candidates))
    assert gone_on(plain) == ""
    went = Extension("lr", "high", 0.1, 0.273, 2, chosen=False)
    within = Extension("weight_decay", "low", 0.1, 0.12, 1, chosen=True)
    words = gone_on(replace(result, candidates=(replace(first, extensions=(went, within)), *others)))
    assert f"{first.label} tried 2 more values of lr, as far as 0.273, beyond 0.1; " in words
    assert "tried 1 more value of weight_decay, as far as 0.12, within its range." in words


def test_luck_is_told_where_it_is_known(result):
    nobody = replace(result, candidates=tuple(replace(each, winners_curse=None) for each in result.candidates))
    assert winners_curse(nobody) == []
    ((heading, words),) = winners_curse(
        replace(result, candidates=tuple(replace(each, winners_curse=0.5) for each in result.candidates))
    )
    assert heading == "Winner's curse"
    assert f"{result.candidates[0].label} 0.5" in words
    assert "mean 0.5" in words

"""What a store holds beside the comparison that was asked for last."""

import pytest

from trimtab.study.beside import Beside, beside


def keys(problem, label, trials, seeds):
    return [f"{problem}/tune/{label}/{i}" for i in range(trials)] + [
        f"{problem}/final/{label}/{i}" for i in range(seeds)
    ]


HELD = [*keys("digits", "adamw", 3, 4), *keys("digits", "sgd", 3, 4), *keys("digits", "lion/x", 2, 0)]


@pytest.mark.parametrize(
    ("labels", "seeds", "found", "words", "remedy"),
    [
        (["adamw", "sgd", "lion/x"], {"digits": 4}, None, "", ""),
        (["adamw", "sgd", "lion/x"], {"digits": 9}, None, "", ""),
        (["adamw"], {"digits": 4}, Beside((), ("sgd", "lion/x"), 0, 4), "sgd and lion/x", "name them as well"),
        (["adamw", "sgd", "lion/x"], {"digits": 3}, Beside((), (), 1, 4), "1 more seed", "give --seeds 4"),
        (
            ["adamw", "sgd"], {"digits": 2}, Beside((), ("lion/x",), 2, 4), "lion/x and 2 more seeds",
            "name them as well and give --seeds 4",
        ),
        (["adamw"], {"other": 2}, Beside(("digits",), (), 0, 0), "the runs on digits", "name them as well"),
    ],
)  # fmt: skip
def test_what_takes_no_part_is_named(labels, seeds, found, words, remedy):
    result = beside(HELD, iter(labels), seeds)
    assert result == found
    if result is not None:
        assert (result.words, result.remedy) == (words, remedy)


def test_runs_that_a_race_does_not_need_are_counted():
    raced = {"digits": {"adamw": 4, "sgd": 1}}
    found = beside(HELD, iter(["adamw", "sgd", "lion/x"]), {"digits": 4}, raced)
    assert found == Beside((), (), 0, 4, 3)
    assert (found.words, found.remedy) == ("3 final runs that the race has no use for", "")
    assert beside(HELD, iter(["adamw", "sgd", "lion/x"]), {"digits": 4}, {"digits": {"adamw": 4, "sgd": 4}}) is None

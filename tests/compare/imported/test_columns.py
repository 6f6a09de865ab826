import pytest

from trimtab.compare.imported.columns import Columns, find_columns
from trimtab.compare.imported.table import read_table
from trimtab.study.errors import InputError, messages_of

NONE = dict.fromkeys(("candidate", "problem", "seed", "score", "cost", "curve"))

TABLE = read_table([{"optimizer": "a", "seed": 0, "test_score": 1, "curve": "0:1"}])


def test_columns_have_the_usual_names_or_those_that_are_given():
    found = find_columns(TABLE, NONE | {"candidate": "optimizer", "score": "test_score"})
    assert found == Columns("optimizer", "seed", "test_score", curve="curve")
    assert found.words() == "candidate (optimizer), seed, score (test_score), curve"


THERE = "source has no such column, but optimizer, seed, test_score, curve"


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({}, ["no column 'candidate', but optimizer, seed, test_score, curve; --candidate", "no column 'score'"]),
        (
            {"candidate": "optimiser", "score": "test_scor", "cost": "xyz"},
            [
                f"--candidate 'optimiser': {THERE}; did you mean optimizer?",
                f"--score 'test_scor': {THERE}; did you mean test_score?",
                f"--cost 'xyz': {THERE}",
            ],
        ),
        ({"candidate": "optimizer", "score": "seed"}, ["column 'seed' cannot be --seed and --score at once"]),
        ({"candidate": 3, "score": "seed"}, ["candidate=3: a text is needed"]),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_are_named_with_those_that_are(given, messages):
    with pytest.raises(InputError) as error:
        find_columns(TABLE, NONE | given)
    said = messages_of(error.value)
    assert len(said) == len(messages)
    assert all(each in found for each, found in zip(messages, said, strict=True))

"""How a time is written, and what it may be asked for."""

import pytest

from tests.compare.pricing import budget
from trimtab.compare.budget import parse_duration, written
from trimtab.study.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20m", 1200), ("90s", 90), ("1h30m", 5400), ("2h", 7200), ("20min", 1200), ("1d 2h", 93600), ("2H", 7200)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds
    assert parse_duration(written(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "soon", "20 m 3", "m", "0m", "-5m", "20m1h", "1.5h", "0", "-3", "1.5"])
def test_what_is_no_duration(text):
    with pytest.raises(InputError, match="is not a time; examples are 20m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["200", "20", 200])
def test_a_bare_number_is_refused_with_both_remedies(text):
    with pytest.raises(InputError, match=rf"has no unit: --budget {text}m .* --steps {text}$"):
        parse_duration(text)


def test_a_budget_needs_something_to_choose():
    with pytest.raises(InputError, match="has nothing to choose"):
        budget(100, trials=2, seeds=2)

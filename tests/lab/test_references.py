"""References to problems, with settings in brackets."""

import pytest

from trimtab.lab.references import parse_reference
from trimtab.study.errors import InputError


@pytest.mark.parametrize(
    ("text", "place", "arguments", "settings", "again"),
    [
        ("digits", "digits", (), {}, "digits"),
        ("pruned-digits(sparsity=0.95)", "pruned-digits", (), {"sparsity": 0.95}, "pruned-digits(sparsity=0.95)"),
        (
            "pruned(dir/task.py:Mine,sparsity = 0.9)",
            "pruned",
            ("dir/task.py:Mine",),
            {"sparsity": 0.9},
            "pruned(dir/task.py:Mine, sparsity=0.9)",
        ),
        (
            "task.py:Mine(shape=(2, 3), kind=plain, deep=None)",
            "task.py:Mine",
            (),
            {"shape": (2, 3), "kind": "plain", "deep": None},
            "task.py:Mine(shape=(2, 3), kind=plain, deep=None)",
        ),
        ("cached(fitted(digits, bytes=64), bits=2)", "cached", ("fitted(digits, bytes=64)",), {"bits": 2}, None),
        ("a(b='1')", "a", (), {"b": "1"}, "a(b='1')"),
        ("a.csv(b='x, y=(1')", "a.csv", (), {"b": "x, y=(1"}, None),
        ('a.csv("it\'s", b="\\"), \\"")', "a.csv", ("it's",), {"b": '"), "'}, "a.csv(it's, b='\"), \"')"),
        ("a.csv(b=price (USD))", "a.csv", (), {"b": "price (USD)"}, None),
        ("a.csv(b='', c=' x ')", "a.csv", (), {"b": "", "c": " x "}, None),
        ("my data (1).csv", "my data (1).csv", (), {}, None),
        ("my data (1).CSV.gz(b=1)", "my data (1).CSV.gz", (), {"b": 1}, None),
        ("a()", "a", (), {}, "a"),
        ("odd(.py:Mine", "odd(.py:Mine", (), {}, None),
        ("odd(.py", "odd(.py", (), {}, None),
        ("my dir (1)/task.py", "my dir (1)/task.py", (), {}, None),
        ("my dir (1)/task.py:Mine(n=1)", "my dir (1)/task.py:Mine", (), {"n": 1}, None),
        ("study:sqlite:///a.db#b(workers=4)", "study:sqlite:///a.db#b", (), {"workers": 4}, None),
        ("study:dir (1)/a.log#b", "study:dir (1)/a.log#b", (), {}, None),
        ("study:a.log#b (2)()", "study:a.log#b (2)", (), {}, None),
    ],
)
def test_a_reference_is_taken_apart_and_written_alike(text, place, arguments, settings, again):
    found = parse_reference(text)
    assert (found.place, found.arguments, dict(found.settings)) == (place, arguments, settings)
    assert found.text == (again or text)
    assert parse_reference(found.text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task.py:Mine(4", "a bracket has no partner"),
        ("digits)", "a bracket has no partner"),
        ("(a=1)", "a bracket has no partner"),
        ("a(b=1, b=2)", "b was given twice"),
        ("a(b=1, 2)", "2 comes after a setting"),
        ("a(b=)", "'b=' is no setting"),
        ("a(1,,2)", "'nothing' is no setting"),
        ("a(b c=1)", "'b c=1' is no setting"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match=message):
        parse_reference(text)

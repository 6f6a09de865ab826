import pytest

from trimtab.study.suggestions import nearest

MANY = [f"name{i}" for i in range(13)]


@pytest.mark.parametrize(
    ("name", "names", "words"),
    [
        ("loin", ["lion", "adamw"], "did you mean lion?"),
        ("LION", ["lion", "adamw"], "did you mean lion?"),
        ("mytask", ["MyTask", "Other"], "did you mean MyTask?"),
        ("zzz", ["b", "a"], "known are a, b"),
        ("zzz", MANY[:12], f"known are {', '.join(sorted(MANY[:12]))}"),
        ("zzz", MANY, "look there"),
        ("name", MANY[:2], "did you mean name1 or name0?"),
    ],
)
def test_names_that_are_near_or_else_where_they_are(name, names, words):
    assert nearest(name, names, "look there") == words


def test_all_names_are_listed_unless_something_else_is_said():
    assert nearest("zzz", MANY) == f"known are {', '.join(sorted(MANY))}"

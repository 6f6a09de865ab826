import pytest

from trimtab.lab.commands.splitting import partition_outside_brackets, split_outside_brackets


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (
            "clip(sgd, fraction=0.1),adamw(betas=(0.9, 0.99)),x",
            ["clip(sgd, fraction=0.1)", "adamw(betas=(0.9, 0.99))", "x"],
        ),
        ("", [""]),
        ("a,", ["a", ""]),
        ("a),b(c,d", ["a)", "b(c,d"]),
    ],
)
def test_a_comma_in_brackets_does_not_split(text, parts):
    assert split_outside_brackets(text, ",") == parts


def test_an_equals_sign_in_brackets_does_not_divide():
    assert partition_outside_brackets("sgd(lr=1)=run --x=2", "=") == ("sgd(lr=1)", "=", "run --x=2")
    assert partition_outside_brackets("sgd(lr=1)", "=") == ("sgd(lr=1)", "", "")

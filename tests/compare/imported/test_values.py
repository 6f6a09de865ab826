import pytest

from trimtab.compare.imported.values import OF_TEXTS, READERS, cut


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("problem", "hf/mnist", "hf-mnist"),
        ("candidate", "adamw(lr=1e-3)", "adamw(lr=1e-3)"),
        ("seed", "3.0", 3),
        ("seed", "9007199254740993", 9007199254740993),  # which no float is
        ("score", "-1e-3", -1e-3),
        ("cost", "12.0", 12),
        ("cost", "0.5", 0.5),
        ("curve", "0:1; 2.5:-3;", ((0, 1.0), (2.5, -3.0))),
    ],
)
def test_what_cells_say(name, text, value):
    found = READERS[name](text)
    assert (found, type(found)) == (value, type(value))


def test_names_are_no_numbers():
    assert READERS.keys() > set(OF_TEXTS)


def test_long_cells_are_cut_in_messages():
    assert (cut("a" * 40), cut("a" * 41)) == ("a" * 40, "a" * 40 + "…")

"""What a terminal makes of a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import fuzz
from trimtab.lab.commands.terminal import as_shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1m\x1b[32mval_loss\x1b[0m: \x1b[38;5;9m0.25\x1b[m", "val_loss: 0.25"),
        ("\x1b[38:2:1:2:3mx\x1b[0m", "x"),
        ("\x1b[2K\x1b[?25lval_loss 1\x1b[K\x1b[?25h", "val_loss 1"),
        ("\x1b]0;title\x07val_loss 1", "val_loss 1"),
        ("\x1b]8;;http://x\x1b\\loss\x1b]8;;\x1b\\ 1", "loss 1"),
        ("loss:\x1b[20G0.3\x1b[A", "loss: 0.3 "),
        ("0.3\x1b(B\x1b[m", "0.3"),
        ("\x9b1mx", "x"),
        ("loss 0.31\b2", "loss 0.32"),
        ("\b\b\bloss 1 |\b/", "loss 1 /"),
        ("l\0o\0s\0s\0", "loss"),
        ("a\tb\x0cc\x85d\x07", "a\tb c d"),
        ("ä → ∞ ██", "ä → ∞ ██"),
    ],
)
def test_colours_and_controls_are_not_shown(text, shown):
    assert as_shown(text) == shown


@fuzz
@given(st.text(), st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[1;4;38;2;9;9;9m", "\x1b[K"]), st.integers(0, 50))
def test_a_colour_changes_nothing(text, colour, place):
    text = "".join(c for c in text if c.isprintable())
    assert as_shown(text[:place] + colour + text[place:]) == text
    assert all(c.isprintable() or c == "\t" for c in as_shown(text + colour))

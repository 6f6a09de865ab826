"""Text as a terminal shows it."""

import re

_WITHOUT_WIDTH = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|(?:\x1b\[|\x9b)[0-9;:?<=>]*[mKJhl]"  # colours, erasing, modes
    r"|\x1b[()][0-9A-Z]"  # character sets
)
_MOVING = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")
_CONTROL = re.compile(r"[\x00-\x07\x0b-\x1f\x7f-\x9f]")


def as_shown(text: str) -> str:
    """Returns a line of output without colours and other controls; what moves the cursor is a blank.

    A backspace goes back, and what follows is written over what stood there.
    """
    text = _MOVING.sub(" ", _WITHOUT_WIDTH.sub("", text))
    text = _overwritten(text) if "\b" in text else text
    return _CONTROL.sub(lambda found: " " if found[0].isspace() else "", text)


def _overwritten(text: str) -> str:
    cells: list[str] = []
    at = 0
    for character in text:
        if character == "\b":
            at = max(0, at - 1)
        else:
            cells[at : at + 1] = character
            at += 1
    return "".join(cells)

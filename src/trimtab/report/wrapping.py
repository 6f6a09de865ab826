"""Labels in lines."""

import re


def wrapped(text: str, width: int) -> list[str]:
    """Returns text in lines. Candidates are written as calls, so that a line may also end after a bracket.

    Where nothing else will do, it ends within a path or a name, after what joins the parts of it.
    """
    lines = [""]
    for piece in re.findall(r".+?(?:[(,]\s*|\s+|$)", text, flags=re.DOTALL):
        whole = len(piece.rstrip()) <= width
        for part in [piece] if whole else re.findall(r".+?(?:[_:/+]|$)", piece, flags=re.DOTALL):
            if len(lines[-1]) + len(part.rstrip()) > width and lines[-1]:
                lines.append("")
            lines[-1] += part
            while len(lines[-1].rstrip()) > width:
                lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]

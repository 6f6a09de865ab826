"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer


def given_path(text: str) -> Path:
    """Returns a path as it was typed; ``--out "$OUT"`` without such a variable does not mean where somebody stands."""
    if not text:
        raise typer.BadParameter("nothing stands there, and a path is needed")
    return Path(text)


def path_option(words: str) -> Any:
    """Returns an option that is a path.

    Args:
        words: what is said of it.
    """
    return typer.Option(parser=given_path, metavar="PATH", help=words)


Reference: TypeAlias = Annotated[
    str | None, typer.Option(help="Candidate that verdicts compare with. (default: adamw, else the first)")
]

AgainstReference: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--against-reference", help="Test each candidate against the reference alone: more is found, without ranks."
    ),
]

"""Options that several commands have."""

from typing import Annotated, TypeAlias

import typer

Reference: TypeAlias = Annotated[
    str | None, typer.Option(help="Candidate that verdicts compare with. (default: adamw, else the first)")
]

AgainstReference: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--against-reference", help="Test each candidate against the reference alone: more is found, without ranks."
    ),
]

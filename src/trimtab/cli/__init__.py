"""The command line: parses, calls, prints."""

from trimtab.cli import (  # noqa: F401 - each gives the application its commands
    analysing,
    auditing,
    comparing,
    diagnosing,
    methods,
    refining,
    scaling,
    verifying,
    watching,
)
from trimtab.cli.application import app, output_errors


def main() -> None:
    """Entry point."""
    with output_errors():
        app()

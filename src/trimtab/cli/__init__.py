"""The command line: parses, calls, prints."""

from trimtab.cli import comparing, diagnosing, methods, refining, verifying, watching  # noqa: F401 - each gives the application its commands
from trimtab.cli.application import app


def main() -> None:
    """Entry point."""
    app()

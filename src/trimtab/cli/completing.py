"""What the shell offers when a command line is being typed."""

from trimtab.catalog import entries


def complete_problems(incomplete: str) -> list[str]:
    """Returns the problems that ship and begin so."""
    from trimtab.lab.shipped import PROBLEMS

    return [name for name in PROBLEMS if name.startswith(incomplete)]


def complete_tasks(incomplete: str) -> list[str]:
    """Returns the training tasks among them."""
    from trimtab.lab.shipped import of_slot

    return [name for name in of_slot("optimizer") if name.startswith(incomplete)]


def complete_candidates(incomplete: str) -> list[str]:
    """Returns the lists of candidates that what has been typed may become."""
    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in entries() if name.startswith(last)]

"""What a small number of seeds cannot show, said before anything runs."""


def few_seeds(seeds: int) -> str | None:
    """Returns what to know of so few final runs; ``None`` where they are enough."""
    if seeds > 1:
        return None
    return (
        "With --seeds 1 no difference can be shown: how far runs of one candidate differ by chance is not seen, so all "
        "candidates share the first rank. The same command with --seeds 5 goes on from there, and runs the other seeds."
    )

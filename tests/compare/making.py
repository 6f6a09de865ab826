"""Comparisons of commands in one call, as the command line makes them."""

import inspect

from trimtab import CommandProblem, Comparison

OWN = inspect.signature(CommandProblem).parameters


def command_comparison(command=None, candidates="", **options):
    """Returns a comparison of a command's candidates; options of the problem are told from those of the comparison."""
    own = {name: value for name, value in options.items() if name in OWN}
    return Comparison(CommandProblem(command, **own), candidates, **{k: v for k, v in options.items() if k not in OWN})

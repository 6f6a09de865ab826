"""The least that there is to compare: two commands, whose workers do not import torch."""

from trimtab import CommandProblem, Comparison


def compare_commands(out):
    problem = CommandProblem("echo {optimizer} {seed} loss={rate}", metric="loss")
    return Comparison(problem, "a,b", out, tune=["rate=0..1"], trials=1, seeds=2, jobs=1).run()

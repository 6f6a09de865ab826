"""What the benchmarks share: their options, the clock, and steps that are taken in turn."""

import argparse
import random
import time

import torch

CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
"""``cpu`` leaves out the time that went to other programs on the machine; it sees one thread only."""


class Parser(argparse.ArgumentParser):
    """Options of a benchmark: ``--repeats``, ``--threads``, ``--clock`` and what is added.

    Args:
        description: the benchmark's docstring.
        repeats: how many there are unless told otherwise.
    """

    def __init__(self, description, repeats):
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument("--repeats", type=int, default=repeats)
        self.add_argument("--threads", type=int, default=torch.get_num_threads())
        self.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: needs --threads 1")

    def options(self):
        """Returns the options, and sets the number of threads."""
        options = self.parse_args()
        if options.clock == "cpu" and options.threads != 1:
            self.error("--clock cpu needs --threads 1")
        torch.set_num_threads(options.threads)
        return options


def setting(options):
    """Returns what the figures were measured with, for the first line."""
    return f"torch {torch.__version__}, {options.threads} threads, {options.clock} time, {options.repeats} repeats"


def milliseconds(function, clock):
    """Returns how long one call takes.

    Args:
        function: what is called.
        clock: name of one of ``CLOCKS``.
    """
    finish()
    start = CLOCKS[clock]()
    function()
    finish()
    return (CLOCKS[clock]() - start) * 1e3


def finish():
    """Waits for what a CUDA device still has to do, if one is in use: calls return before it is done."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def in_turn(functions, options, warm_up=0):
    """Calls functions in turn, in an order that is drawn anew each time: what ran before decides what is in the caches.

    Args:
        functions: name to function.
        options: says how often, and by which clock.
        warm_up: rounds that are not counted.

    Returns:
        Name to the milliseconds of each call.
    """
    times = {name: [] for name in functions}
    order = random.Random(0)
    for repeat in range(-warm_up, options.repeats):
        for name in order.sample(list(functions), len(functions)):
            taken = milliseconds(functions[name], options.clock)
            if repeat >= 0:
                times[name].append(taken)
    return times

"""Runs of a candidate by its name, and what they cost."""

import io

import torch

from tests.lab.toy import Toy
from trimtab.catalog.candidates import parse_candidates
from trimtab.lab.session import Session


class Regression(Toy):
    """The toy task without what draws random numbers."""

    def model(self, generator):
        return torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))


def run_of(name, task=None, budget=None):
    """Begins a run of a candidate in the middle of its ranges."""
    (candidate,) = parse_candidates(name)
    tuned = {key: tunable.at(0.5) for key, tunable in candidate.tunables.items()}
    return Session(task or Toy(), candidate.build(tuned), seed=0, budget=budget)


def charges(run, steps):
    """Returns what each of the next steps is charged."""
    found = []
    for _ in range(steps):
        before = run.meter.used
        run.step()
        found.append(run.meter.used - before)
    return found


def require_resumption(name):
    """A run is a function of its seed alone; from a file it goes on bit for bit, and leaves global generators alone."""
    run, resumed = run_of(name), run_of(name)
    for _ in range(3):
        run.step()
    file = io.BytesIO()
    torch.save(run.snapshot(), file)
    file.seek(0)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    expected = [run.step() for _ in range(4)]
    resumed.restore(torch.load(file, weights_only=True), refund=True)
    assert [resumed.step() for _ in range(4)] == expected
    assert resumed.meter.used == run.meter.used
    assert all(map(torch.equal, run.model.parameters(), resumed.model.parameters()))
    assert torch.equal(torch.get_rng_state(), before)

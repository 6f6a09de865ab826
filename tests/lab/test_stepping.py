"""An optimizer that steps from more than a closure."""

import torch

from tests.lab.test_session import everything, same
from tests.lab.toy import session


class Halves(torch.optim.SGD):
    """Steps by the gradient of the second half of a batch, after looking at the first."""

    def step_on(self, run):
        samples = len(run.batch[0])
        run.closure(rows=slice(0, samples // 2))()
        return self.step(run.closure(rows=slice(samples // 2, None)))


def test_an_optimizer_that_needs_more_than_a_closure_takes_it_from_the_session():
    run = session(0, optimizer=lambda model: Halves(model.parameters(), lr=0.1))
    loss = run.step()
    used = run.meter.used
    assert used == len(run.batch[0])

    twin = session(0, optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.1))
    twin.next_batch()
    twin.closure(rows=slice(0, used // 2))()
    expected = twin.optimizer.step(twin.closure(rows=slice(used // 2, None)))
    assert loss == expected.item()
    assert same(everything(run), everything(twin))

"""What two workers of data-parallel training do with AGVM."""

import contextlib

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trimtab.optim import AGVM

STEPS = 5


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def made(model, **settings):
    sgd = torch.optim.SGD(model.named_parameters(), lr=0.1, momentum=0.9)
    return AGVM(sgd, "children", interval=2, momentum=0.5, **settings)


def loss(model, step, rows):
    generator = torch.Generator().manual_seed(step)
    x, y = (torch.randn(8, size, generator=generator, dtype=torch.float64) for size in (6, 3))
    return (model(x[rows]) - y[rows]).square().mean()


def found(model, optimizer):
    return {"scales": optimizer.scales, "parameters": [param.detach().clone() for param in model.parameters()]}


def alone():
    """The same in one process."""
    model = network()
    optimizer = made(model)
    for step in range(STEPS):
        for half, rows in enumerate((slice(0, 4), slice(4, 8))):
            with optimizer.half(half):
                loss(model, step, rows).backward()
        optimizer.step()
    return found(model, optimizer)


def main(directory):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model = network()
    parallel = DistributedDataParallel(model)
    optimizer = made(model, distributed=True)
    for step in range(STEPS):
        optimizer.zero_grad()
        local = parallel.no_sync() if optimizer.wants_local_gradients else contextlib.nullcontext()
        with local:
            loss(parallel, step, slice(4 * rank, 4 * rank + 4)).backward()
        optimizer.exchange()
        optimizer.step()
    torch.save(found(model, optimizer), directory / f"found{rank}.pt")


class Forked(nn.Module):
    """A batch goes through one of the branches, and never through the last of them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.branches = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in range(3))
        self.head = nn.Linear(3, 2, bias=False)
        self.double()

    def forward(self, x, branch):
        return self.head(self.branches[branch](x))


def forked(directory):
    """Each worker's batch goes through a branch of its own."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model = Forked()
    groups = [{"params": list(part.parameters())} for part in (model.head, *model.branches)]
    optimizer = AGVM(torch.optim.SGD(groups, lr=0.1), distributed=True)
    parallel = DistributedDataParallel(model, find_unused_parameters=True)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(rank), dtype=torch.float64)
    with parallel.no_sync():
        parallel(x, rank).square().mean().backward()
    own = [param.grad for param in model.parameters()]
    optimizer.exchange()
    mean = [param.grad for param in model.parameters()]
    optimizer.step()
    variances = list(optimizer.variances.values())
    torch.save({"own": own, "mean": mean, "variances": variances}, directory / f"forked{rank}.pt")

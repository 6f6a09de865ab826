"""What two workers of data-parallel training find out about their gradients."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from trimtab.optim import AdaGradNorm
from trimtab.primitives.sample_gradients import gradient_statistics

SHARES = (5, 7)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def data():
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(sum(SHARES), size, generator=generator, dtype=torch.float64) for size in (6, 3))


def losses(model, batch):
    return (model(batch[0]) - batch[1]).square().mean(1)


def alone(chunk):
    return gradient_statistics(network(), losses, data(), inner_products=True, chunk_size=chunk)


def described(found):
    numbers = {
        "count": float(found.count),
        "loss": found.loss,
        "variance": found.variance,
        "inner product": found.inner_product_variance,
        "squared norm": found.squared_norm,
    }
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()} | {
        f"mean of {name}": value for name, value in found.mean.items()
    }


def difference_of_divided_parameters(rank):
    """Returns how far AdaGradNorm with divided parameters is from whole ones."""
    whole, divided = network().float(), network().float()
    for layer in (divided[0], divided[2]):
        fully_shard(layer)
    fully_shard(divided)
    inputs = data()[0].float()[:8]
    networks = ((whole, slice(None)), (divided, slice(4 * rank, 4 * rank + 4)))
    for model, rows in networks:
        optimizer = AdaGradNorm(model.parameters(), lr=0.5, weight_decay=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(inputs[rows]).square().mean().backward()
            optimizer.step()
    pairs = zip(whole.parameters(), divided.parameters(), strict=True)
    return max((a - b.full_tensor()).abs().max().item() for a, b in pairs)


def refusal():
    model = fully_shard(network())
    try:
        gradient_statistics(model, losses, data())
    except TypeError as error:
        return str(error)
    return "accepted"


def main(directory):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    rows = slice(0, SHARES[0]) if rank == 0 else slice(SHARES[0], None)
    part = tuple(each[rows] for each in data())
    parallel = DistributedDataParallel(network())
    found = {
        f"chunk {chunk}": described(
            gradient_statistics(parallel, losses, part, inner_products=True, chunk_size=chunk, distributed=True)
        )
        for chunk in (None, 3)
    }
    found |= {"refused": refusal(), "norm": difference_of_divided_parameters(rank)}
    torch.save(found, directory / f"found{rank}.pt")

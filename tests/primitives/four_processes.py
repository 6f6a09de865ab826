"""What four processes do in the tests of sharding: FSDP2 over one half of a mesh, divided layers over the other."""

from functools import cache

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from trimtab.optim import AdaGradNorm, Lamb, Lars, Lion
from trimtab.primitives.sharding import local, shards_of
from trimtab.schedule import GradientNormRecorder

RULES = {"Lamb": Lamb, "Lars": Lars, "AdaGradNorm": AdaGradNorm}


def model() -> nn.Sequential:
    """Rows that four processes cannot share evenly."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 10, bias=False), nn.ReLU(), nn.Linear(10, 6))


@cache
def mesh():
    return init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))


def sharded_model():
    """Returns the model with a first weight that is divided by rows twice, first for its layer and then by FSDP2."""
    whole = model()
    parallel = {"0": ColwiseParallel(), "2": RowwiseParallel(output_layouts=Replicate())}
    parallelize_module(whole, mesh()["tensor"], parallel)
    for layer in (whole[0], whole[2]):
        fully_shard(layer, mesh=mesh()["data"])
    return fully_shard(whole, mesh=mesh()["data"])


def train(network, optimizer, steps=3):
    for step in range(steps):
        batch = torch.randn(4, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(batch).square().mean().backward()
        optimizer.step()


def values(network):
    return [p.full_tensor().detach() if hasattr(p, "full_tensor") else p.detach() for p in network.parameters()]


def difference(rule):
    """Returns how far apart sharded and unsharded are after some steps, and how far these went."""
    whole, sharded, before = model(), sharded_model(), values(model())
    for network in (whole, sharded):
        train(network, RULES[rule](network.parameters(), lr=0.1))
    after = values(whole)
    return farthest(after, values(sharded)), farthest(after, before)


def farthest(these, those):
    return max((one - other).abs().max().item() for one, other in zip(these, those, strict=True))


def recorded():
    """Returns the norms of sharded and unsharded gradients."""
    found = []
    for network in (model(), sharded_model()):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        recorder = GradientNormRecorder(optimizer)
        train(network, optimizer)
        found.append(list(recorder.norms))
    return found


def pieces():
    """Returns for each parameter which elements are here, and what the piece is called."""
    found = []
    for param in sharded_model().parameters():
        shards = shards_of(param)
        numbers = torch.arange(param.numel(), dtype=torch.float32).view(param.shape)
        found.append((shards.local(shards.divided(numbers)).flatten().tolist(), shards.coordinates))
    return found


def refusal():
    """Returns what a process says if a gradient is not finite on the last one."""
    network = sharded_model()
    optimizer = Lion(network.named_parameters(), check_finite=True)
    train(network, optimizer, 1)
    if dist.get_rank() == dist.get_world_size() - 1:
        network[0].weight.grad.to_local().fill_(torch.nan)
    try:
        optimizer.step()
    except RuntimeError as error:
        return str(error)
    return "accepted"


def summands():
    """Returns where gradients lead of which each process holds a summand, where their sum leads, and a refusal."""
    ends = []
    for make in (AdaGradNorm, Lion, Lamb):
        whole = nn.Parameter(torch.ones(4))
        whole.grad = torch.full((4,), 6.0)  # 0 + 1 + 2 + 3
        param = nn.Parameter(distribute_tensor(torch.ones(4), mesh(), [Replicate(), Replicate()]))
        summand = torch.full((4,), float(dist.get_rank()))
        param.grad = DTensor.from_local(summand, mesh(), [Partial(), Partial()])
        for each in (whole, param):
            optimizer = make([("weight", each)], lr=0.1)
            optimizer.step()
            ends.append(local(each.detach()).tolist())
    optimizer.param_groups[0]["check_finite"] = True
    summand.fill_(torch.inf if dist.get_rank() == 0 else 0.0)
    try:
        optimizer.step()
    except RuntimeError as error:
        return ends, str(error)
    return ends, "accepted"


def main():
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    return {
        "differences": {rule: difference(rule) for rule in RULES},
        "recorded": recorded(),
        "pieces": pieces(),
        "refusal": refusal(),
        "summands": summands(),
    }

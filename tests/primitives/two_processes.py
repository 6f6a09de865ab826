"""What two processes do in the tests of sharding; writes what it found to a file."""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as checkpoint
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, get_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from trimtab import create, optim
from trimtab.optim import AdaBelief, AdaHessian, Lamb, Lars, Lion
from trimtab.primitives.sharding import shards_of

RULES = {
    "Lion": {},
    "AdaBelief": {},
    "EXAdam": {},
    "DiffGrad": {},
    "ClippedAdam": {"fraction": None, "threshold": 1e-3},
    "Lamb": {},
    "Lars": {"lr": 0.1},
    "Lars paper": {"variant": "paper", "lr": 0.01},
    "Lars classic_sum": {"variant": "classic_sum", "lr": 0.1},
}
WHOLE_MATRICES = {"Muon": {}}
COMPILED = {"Lion", "AdaBelief", "Lamb", "Lars", "Lars paper", "Lars classic_sum"}
"""One that keeps nothing of the gradient's size, one of those that go coordinate by coordinate, and all with norms."""

STEPS = 4


def model() -> nn.Sequential:
    """Rows that two processes cannot share evenly, one of them a single row, and one tensor that is not gathered."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.LayerNorm(5), nn.Linear(5, 300), nn.Linear(300, 301), nn.Linear(301, 1))


def sharded_model(dtype=torch.float32):
    whole = model().to(dtype)
    for layer in whole:
        fully_shard(layer)
    return fully_shard(whole)


def train(network, optimizer, steps, *, part=slice(None), first=0):
    """Takes steps with batches that all processes draw alike; ``part`` is the part that this one computes."""
    for step in range(first, first + steps):
        batch = torch.randn(8, 7, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(batch[part].to(next(network.parameters()).dtype)).square().mean().backward()
        optimizer.step()


def make(rule, network, **settings):
    params = optim.groups_by_role(network) if rule in WHOLE_MATRICES else network.parameters()
    own = {**RULES, **WHOLE_MATRICES}[rule]
    return getattr(optim, rule.split()[0])(params, weight_decay=0.1, **{**own, **settings})


def values(network):
    return [p.full_tensor().detach() if hasattr(p, "full_tensor") else p.detach().clone() for p in network.parameters()]


def differences(part):
    """Returns, for each rule and mode, how far sharded and unsharded are apart, and both last norms."""
    found = {}
    for rule in RULES:
        for compiled in (False, True):
            if compiled and rule not in COMPILED:
                continue
            sharded, norms = trained(rule, sharded_model(), part, compile=compiled)
            # the unsharded run is the same everywhere
            alone = [trained(rule, model(), slice(None), compile=compiled) if dist.get_rank() == 0 else None]
            dist.broadcast_object_list(alone)
            whole, norms_of_whole = alone[0]
            difference = max((a - b).abs().max().item() for a, b in zip(sharded, whole, strict=True))
            found[f"{rule}, {compiled}"] = (difference, [norms, norms_of_whole])
    return found


def trained(rule, network, rows, **settings):
    """Returns where some steps lead, and the last norms."""
    seen = []
    optimizer = make(rule, network, **settings)
    optimizer.watch(seen.append)
    train(network, optimizer, STEPS, part=rows)
    last = seen[-1][0]
    return values(network), (last.gradient, last.weight, last.update)


def of_equal_gradients():
    """Returns how far apart sharded and unsharded are with rules that look at whole matrices.

    They are shown equal gradients: an orthogonal factor tells the last digits of sums apart.
    """
    found = {}
    for rule in WHOLE_MATRICES:
        ends = []
        for network in (model(), sharded_model()):
            optimizer = make(rule, network, lr=0.1)
            for step in range(STEPS):
                generator = torch.Generator().manual_seed(step)
                for param in network.parameters():
                    grad = torch.randn(param.shape, generator=generator)
                    shards = shards_of(param)
                    param.grad = grad if shards is None else shards.divided(grad)
                optimizer.step()
            ends.append(values(network))
        found[rule] = max((a - b).abs().max().item() for a, b in zip(*ends, strict=True))
    return found


def placements():
    network = sharded_model()
    optimizer = make("AdaBelief", network)
    train(network, optimizer, 1)
    return all(
        optimizer.state[param][name].placements == param.placements
        and optimizer.state[param][name].shape == param.shape
        for param in network.parameters()
        for name in ("exp_avg", "exp_avg_var")
    )


def resumed(part):
    """Returns, for each rule, whether a sharded run that is saved and loaded goes on bit for bit."""
    found = {}
    for rule in (*RULES, *WHOLE_MATRICES):
        straight, stopped = sharded_model(), sharded_model()
        optimizer, first = make(rule, straight), make(rule, stopped)
        train(straight, optimizer, 5, part=part)
        train(stopped, first, 3, part=part)
        second = make(rule, stopped)
        second.load_state_dict(first.state_dict())
        train(stopped, second, 2, part=part, first=3)
        found[rule] = all(map(torch.equal, values(straight), values(stopped)))
    return found


def stochastically_rounded(part):
    """Returns whether bfloat16 parameters and states resume bit for bit, and differ from rounding to the nearest."""
    settings = {"state_dtype": torch.bfloat16, "lr": 1e-3}
    straight, stopped, nearest = (sharded_model(torch.bfloat16) for _ in range(3))
    first = Lion(stopped.parameters(), rounding_seed=1, **settings)
    train(straight, Lion(straight.parameters(), rounding_seed=1, **settings), 5, part=part)
    train(nearest, Lion(nearest.parameters(), **settings), 5, part=part)
    train(stopped, first, 3, part=part)
    second = Lion(stopped.parameters())
    second.load_state_dict(first.state_dict())
    train(stopped, second, 2, part=part, first=3)
    same = all(map(torch.equal, values(straight), values(stopped)))
    return same, any(not torch.equal(a, b) for a, b in zip(values(straight), values(nearest), strict=True))


def refusal(rank, part):
    """Returns what a process says if a gradient is not finite on another one, and whether anything moved."""
    network = sharded_model()
    optimizer = Lamb(network.named_parameters(), check_finite=True)
    train(network, optimizer, 1, part=part)
    if rank == 1:
        network[3].weight.grad.to_local()[-1, 0] = torch.nan
    before = values(network)
    try:
        optimizer.step()
    except RuntimeError as error:
        return str(error), all(map(torch.equal, before, values(network)))
    return "accepted", False


def save(directory, part):
    """Saves a run with distributed checkpointing, and returns where it stands two steps later."""
    network = sharded_model()
    optimizer = Lamb(network.parameters(), weight_decay=0.1)
    train(network, optimizer, 3, part=part)
    parameters, state = get_state_dict(network, optimizer)
    checkpoint.save({"model": parameters, "optimizer": state}, checkpoint_id=directory / "sharded")
    train(network, optimizer, 2, part=part, first=3)
    return values(network)


def initialised():
    """Returns the step counts after distributed checkpointing has made the state of a fresh optimizer."""
    network = sharded_model()
    before = values(network)
    optimizer = Lars(network.parameters())
    get_optimizer_state_dict(network, optimizer)
    return all(map(torch.equal, before, values(network))), len(optimizer.state)


def refused_at_construction():
    """Returns what an optimizer says that cannot do with parts of parameters."""
    try:
        AdaHessian(sharded_model().named_parameters())
    except TypeError as error:
        return str(error)
    return "accepted"


def data_parallel(part):
    """Returns whether DDP gives the same on both processes, and how far it is from one process with the whole batch."""
    network, alone = model(), model()
    wrapped = DistributedDataParallel(network)
    train(wrapped, AdaBelief(wrapped.parameters()), STEPS, part=part)
    train(alone, AdaBelief(alone.parameters()), STEPS)
    flat = torch.cat([value.flatten() for value in values(network)])
    both = [torch.empty_like(flat) for _ in range(2)]
    dist.all_gather(both, flat)
    pairs = zip(values(network), values(alone), strict=True)
    return torch.equal(*both), max((a - b).abs().max().item() for a, b in pairs)


def unfrozen(part):
    """Returns how far sharded and unsharded are apart where a layer is unfrozen, and whether it stayed until then."""
    networks, stayed = (sharded_model(), model()), []
    for network, rows in zip(networks, (part, slice(None)), strict=True):
        network[2].requires_grad_(False)
        before = values(network[2])
        optimizer = create("lamb", network, weight_decay=0.1, check_finite=True)
        train(network, optimizer, 2, part=rows)
        stayed.append(all(map(torch.equal, before, values(network[2]))))
        network[2].requires_grad_(True)
        train(network, optimizer, 2, part=rows, first=2)
        stayed.append(not any(map(torch.equal, before, values(network[2]))))
    pairs = zip(*map(values, networks), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs), stayed


def main(directory: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    part = slice(4 * rank, 4 * rank + 4)
    found = {
        "differences": differences(part),
        "of_equal_gradients": of_equal_gradients(),
        "placements": placements(),
        "resumed": resumed(part),
        "rounded": stochastically_rounded(part),
        "refusal": refusal(rank, part),
        "after": save(directory, part),
        "initialised": initialised(),
        "refused_at_construction": refused_at_construction(),
        "data_parallel": data_parallel(part),
        "unfrozen": unfrozen(part),
    }
    torch.save(found, directory / f"found{rank}.pt")

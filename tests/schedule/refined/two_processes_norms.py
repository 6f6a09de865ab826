"""What two processes record that share parameters; writes its norms to a file."""

from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

from tests.primitives.two_processes import model, sharded_model, train
from trimtab.schedule import GradientNormRecorder

NORMS = ("l2", "l1", "adam_weighted")
STEPS = 3


def recorded(network, norm, part=slice(None), extra=()):
    """Trains a little; returns the norms."""
    optimizer = torch.optim.AdamW([*network.parameters(), *extra], lr=1e-3)
    recorder = GradientNormRecorder(optimizer, norm)
    train(network, optimizer, STEPS, part=part)
    return recorder.norms


def partly_sharded_model():
    network = model()
    fully_shard(network[2])
    return network


def main(directory: Path) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    part = slice(4 * rank, 4 * rank + 4)
    found = {norm: (recorded(sharded_model(), norm, part), recorded(model(), norm)) for norm in NORMS}
    # every process computes the same, so that the layers that are not divided have the same gradients without a hook
    found["mixed"] = (recorded(partly_sharded_model(), "l2"), recorded(model(), "l2"))
    torch.save(found, directory / f"found{rank}.pt")

"""Sharded training with FSDP2, whose checkpoint one process loads and goes on from.

    torchrun --nproc-per-node 2 examples/fsdp2_torchrun.py [--optimizer lamb]

It runs on CPUs, over gloo. Both processes train on their half of every batch; then the first one loads the checkpoint
alone, compares it with what was saved, and takes the next steps beside the sharded run.
"""

import argparse
import os
import shutil
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard

import trimtab

BATCH = 32
SETTINGS = {
    "adamw": {"lr": 3e-3, "weight_decay": 0.01},
    "lion": {"lr": 1e-3, "weight_decay": 0.1},
    "lamb": {"lr": 1e-2, "weight_decay": 0.01},
}


def build(name: str, mesh: DeviceMesh | None = None) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Returns the same model in every process, whole or in shards over a mesh, and its optimizer."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(20, 65), nn.LayerNorm(65), nn.GELU(), nn.Linear(65, 33), nn.GELU(), nn.Linear(33, 5)
    )
    if mesh is not None:
        for layer in model:
            if isinstance(layer, nn.Linear):
                fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    # after fully_shard, which puts other parameters in their places
    return model, trimtab.create(name, model, no_decay_for_biases_and_norms=True, **SETTINGS[name])


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range, part: slice) -> float:
    """Trains on a part of every batch, and returns the last loss."""
    teacher = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    for step in steps:
        inputs = torch.randn(BATCH, 20, generator=torch.Generator().manual_seed(100 + step))
        loss = nn.functional.cross_entropy(model(inputs[part]), (inputs @ teacher).argmax(1)[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def save(model: nn.Module, optimizer: torch.optim.Optimizer, directory: str) -> None:
    """Writes every process's shards."""
    weights, state = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optimizer": state}, checkpoint_id=directory)


def load_alone(model: nn.Module, optimizer: torch.optim.Optimizer, directory: str) -> None:
    """Loads what any number of processes saved into a model that is not sharded."""
    weights, state = get_state_dict(model, optimizer)
    dcp.load({"model": weights, "optimizer": state}, checkpoint_id=directory, no_dist=True)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=state)


def whole(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Returns copies of the tensors of weights and state, without shards; in the first process only."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True, flatten_optimizer_state_dict=True)
    weights, state = get_state_dict(model, optimizer, options=options)
    return {name: value.clone() for name, value in {**weights, **state}.items() if isinstance(value, torch.Tensor)}


def go_on_alone(name: str, directory: str, saved: dict[str, torch.Tensor]) -> float:
    """Loads the checkpoint, compares it with what was saved, takes the next steps, and returns the last loss."""
    model, optimizer = build(name)
    load_alone(model, optimizer, directory)
    loaded = whole(model, optimizer)
    equal = loaded.keys() == saved.keys() and all(torch.equal(loaded[key], saved[key]) for key in saved)
    print(f"one process loads the {len(saved)} tensors of two bit for bit: {equal}")
    return train(model, optimizer, range(20, 40), slice(None))


def main() -> None:
    """Trains on shards, saves, goes on, and does the same with one process."""
    parser = argparse.ArgumentParser(description="Sharded training whose checkpoint one process loads.")
    parser.add_argument("--optimizer", choices=SETTINGS, default="lamb")
    name = parser.parse_args().optimizer
    if "RANK" not in os.environ:
        parser.error("start it with torchrun --nproc-per-node 2 examples/fsdp2_torchrun.py")

    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    mesh = init_device_mesh("cpu", (world,))
    part = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    model, optimizer = build(name, mesh)
    train(model, optimizer, range(20), part)

    shared = [tempfile.mkdtemp()]  # in the first process's memory, and then in every one's
    dist.broadcast_object_list(shared)
    save(model, optimizer, shared[0])
    saved = whole(model, optimizer)
    loss = torch.tensor(train(model, optimizer, range(20, 40), part) / world)
    dist.all_reduce(loss)
    dist.destroy_process_group()

    if rank == 0:
        alone = go_on_alone(name, shared[0], saved)
        shutil.rmtree(shared[0])
        print(f"{name}: loss after 40 steps {loss.item():.6f} sharded, {alone:.6f} by one process from step 20 on")


if __name__ == "__main__":
    main()

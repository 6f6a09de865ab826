"""Milliseconds a step of update rules, against the bytes they must move and against other implementations.

Two layouts: a GPT of 30 M parameters (98 tensors) and 400 small tensors (0.8 M elements in all). Each row is one
optimizer. Repeats are interleaved: every optimizer takes one timed step, in an order that is drawn anew, then all take
the next one. The bound is the time of an in-place ``mul_``, which reads and writes its tensor once, on a tensor so long
that it moves as many bytes as the rule must; it takes its turn among the optimizers. Compile times are those of new
processes, with an empty compiler cache and with a full one.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/optimizer_step.py [--repeats 15] [--threads N] [--clock wall|cpu] [--no-start] [--device cuda]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from side_by_side import Parser, in_turn, setting
from torch import nn

import trimtab.optim as ours

BOUND_GOAL, PEER_GOAL, FUSED_GOAL, COLD_GOAL, WARM_GOAL = 1.25, 2.0, 1.0, 10.0, 3.0

PASSES = {"Lion": 5, "AdaBelief": 7, "EXAdam": 7, "DiffGrad": 9, "Lamb": 10, "Lars": 7}
"""How often a rule reads or writes all elements, at least; LARS reads weights and gradients twice, for their norms."""

START = """
import sys, time
import torch, trimtab.optim
param = torch.nn.Parameter(torch.ones(1000))
param.grad = torch.ones(1000)
optimizer = getattr(trimtab.optim, sys.argv[1])([param], compile=True)
start = time.perf_counter(), time.process_time()
optimizer.step()
print(time.perf_counter() - start[0])
"""


def gpt_shapes():
    """8 layers of width 512, a vocabulary of 8,192 and 1,024 positions: 98 tensors with 30 M elements."""
    width = 512
    layer = [(width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,)]
    layer += [(width,), (width,), (4 * width, width), (4 * width,), (width, 4 * width), (width,)]
    return [(8192, width), (1024, width), *(layer * 8)]


def small_shapes():
    """400 tensors with 2,000 elements each."""
    return [(40, 50)] * 400


def parameters(shapes, device):
    """Returns parameters with gradients, always the same."""
    generator = torch.Generator().manual_seed(0)
    params = [nn.Parameter(torch.randn(shape, generator=generator).to(device)) for shape in shapes]
    for param in params:
        param.grad = torch.randn(param.shape, generator=generator).to(device)
    return params


def watched_lion(params):
    """Lion that reports norms after every step."""
    optimizer = ours.Lion(params)
    optimizer.watch(lambda _: None)
    return optimizer


def compiled_adamw(params):
    """``torch.optim.AdamW`` as the manual compiles it: the whole step, for this list of tensors."""
    optimizer = torch.optim.AdamW(params, lr=torch.tensor(1e-3))
    optimizer.step = torch.compile(optimizer.step, fullgraph=False)
    return optimizer


def keeping_gradients(optimizer):
    """Gives parameters their gradients back after each step, for heavyball takes them away."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    grads = [param.grad for param in params]
    step = optimizer.step

    def keep():
        step()
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad

    optimizer.step = keep
    return optimizer


def candidates(with_compiled_adamw, with_heavyball):
    """Returns for each row: name, kind (ours, or the class of ours that it is compared with), passes, constructor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lion_pytorch
        import pytorch_optimizer as collection
    rows = [(name, "ours", passes, getattr(ours, name)) for name, passes in PASSES.items()]
    rows += [
        ("Lion, check_finite", "", PASSES["Lion"] + 1, lambda params: ours.Lion(params, check_finite=True)),
        ("Lion, watched", "", PASSES["Lion"], watched_lion),
    ]
    rows += [
        (f"pytorch-optimizer {name}", name, passes, getattr(collection, "LARS" if name == "Lars" else name))
        for name, passes in PASSES.items()
    ]
    rows += [
        ("lion-pytorch Lion", "", PASSES["Lion"], lion_pytorch.Lion),
        ("torch AdamW fused", "fused", 7, lambda params: torch.optim.AdamW(params, fused=True)),
        ("torch AdamW foreach", "", 7, lambda params: torch.optim.AdamW(params, foreach=True)),
    ]
    if with_compiled_adamw:
        rows.append(("torch AdamW compiled", "", 7, compiled_adamw))
    if with_heavyball:
        import heavyball

        rows.append(("heavyball AdamW", "", 7, lambda params: keeping_gradients(heavyball.AdamW(params))))
    return rows


def measured(shapes, rows, options):
    """Returns for each row its median step, and for each number of passes the median of the bound."""
    elements = sum(torch.Size(shape).numel() for shape in shapes)
    volumes = {
        passes: torch.ones(elements * passes // 2, device=options.device) for passes in sorted({row[2] for row in rows})
    }
    calls = {passes: (lambda volume=volume: volume.mul_(1.0)) for passes, volume in volumes.items()}
    for name, _, _, make in rows:
        optimizer = make(parameters(shapes, options.device))
        calls[name] = optimizer.step
        start = time.perf_counter()
        for _ in range(3):
            optimizer.step()
        print(f"  {name}: first three steps {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return {name: statistics.median(each) for name, each in in_turn(calls, options).items()}


def verdict(value, goal, *, at_most):
    """Returns a ratio with its goal and whether it is met."""
    met = value <= goal if at_most else value >= goal
    return f"{value:.2f} ({'met' if met else 'MISSED'})"


def table(title, shapes, rows, options):
    """Measures one layout; returns its ratios, and how many gigabytes a second the bound moves."""
    times = measured(shapes, rows, options)
    elements = sum(torch.Size(shape).numel() for shape in shapes)
    peers = {kind: name for name, kind, *_ in rows if kind not in ("", "ours")}
    found = [
        {
            "name": name,
            "ours": kind == "ours",
            "ms": times[name],
            "times_bound": times[name] / times[passes],
            "as_fast_as_peer": times[peers[name]] / times[name] if kind == "ours" and name in peers else None,
            "times_fused": times[name] / times["torch AdamW fused"],
        }
        for name, kind, passes, _ in rows
    ]
    return {
        "title": title,
        "tensors": len(shapes),
        "elements": elements,
        "bound_gb_s": 4 * 7 * elements / times[7] / 1e6,
        "rows": found,
    }


def print_table(facts, *, with_bound):
    """Prints what was measured of one layout."""
    print(
        f"\n{facts['title']}: {facts['tensors']} tensors, {facts['elements'] / 1e6:.1f} M elements; "
        f"mul_ moves {facts['bound_gb_s']:.1f} GB/s"
    )
    print("| optimizer | ms | times its bound | against its peer | against AdamW fused |")
    print("|---|---:|---:|---:|---:|")
    for row in facts["rows"]:
        cells = [f"{row['ms']:.2f}", f"{row['times_bound']:.2f}", "", f"{row['times_fused']:.2f}"]
        if row["ours"]:
            if with_bound:
                cells[1] = verdict(row["times_bound"], BOUND_GOAL, at_most=True)
            else:
                cells[3] = verdict(row["times_fused"], FUSED_GOAL, at_most=True)
        if row["as_fast_as_peer"] is not None:
            cells[2] = verdict(row["as_fast_as_peer"], PEER_GOAL, at_most=False)
        print(f"| {row['name']} | {' | '.join(cells)} |")


def print_start(names):
    """Prints what the first step of a rule costs in a new process."""
    print("\nFirst compiled step in a new process, seconds beyond the import")
    print("| rule | empty cache | full cache |")
    print("|---|---:|---:|")
    for name in names:
        with tempfile.TemporaryDirectory() as cache:
            environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache}
            command = [sys.executable, "-c", START, name]
            cold, warm = (
                float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
                for _ in range(2)
            )
        print(f"| {name} | {verdict(cold, COLD_GOAL, at_most=True)} | {verdict(warm, WARM_GOAL, at_most=True)} |")


def main():
    parser = Parser(__doc__, repeats=15)
    parser.add_argument("--no-start", action="store_true", help="leave the start of new processes out")
    parser.add_argument("--compiled-adamw", action="store_true", help="AdamW's whole step compiled: minutes to start")
    parser.add_argument("--heavyball", action="store_true", help="needs heavyball to be installed")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="file for the tables")
    options = parser.options()
    rows = candidates(options.compiled_adamw, options.heavyball)
    print(f"{setting(options)}, interleaved; medians")
    print(f"goals: <= {BOUND_GOAL} times the bound, >= {PEER_GOAL} times as fast as the peer, not slower than fused")
    tables = []
    for title, shapes in {"GPT": gpt_shapes(), "Small tensors": small_shapes()}.items():
        tables.append(table(title, shapes, rows, options))
        print_table(tables[-1], with_bound=title == "GPT")
    if options.json:
        options.json.write_text(json.dumps(tables, indent=2) + "\n", encoding="utf-8")
    if not options.no_start:
        print_start([name for name, kind, *_ in rows if kind == "ours"])


if __name__ == "__main__":
    main()

"""What every method and wrapper of our own keeps and costs, in one run: bytes a parameter, and steps beside AdamW's.

One causal transformer over bytes, trained on the source of the Python standard library. Methods stand alone, wrappers
around ``torch.optim.AdamW(fused=True)``. A *training step* is forward, backward and update, and goes through a
:class:`~trimtab.lab.session.Session`, from which AdaHessian, AGVM and SSO take what else they need. An *update* is the
optimizer's ``step()`` alone, on gradients that are there; those three have none. Where one step in many does more (AGVM
compares, GaLore decomposes), both kinds of step are measured, and the mean is by how often each comes by default.

Repeats are interleaved: each optimizer takes one step, in an order that is drawn anew. Bytes are counted as in
``optimizer_memory.py``.

    python benchmarks/optimizer_family.py [--json docs/family.json] [--repeats 15] [--threads N] [--clock wall|cpu]
"""

import json
import statistics
import sys
import warnings
from functools import partial
from pathlib import Path

from optimizer_memory import measured
from side_by_side import Parser, in_turn, setting

from trimtab.catalog.entries import of_slot
from trimtab.catalog.parsing import parse_expression
from trimtab.lab.session import Session
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.lab.tasks.seeding import seeded
from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.study.environment import environment

WARM_UP = 3
FUSED, FOREACH = "adamw(fused=True)", "adamw(foreach=True)"

RARE = {
    "agvm": ("interval={}", 10),
    "galore": ("update_proj_gap={}", 200),
    "q_galore": ("update_proj_gap={}, adaptive=False", 200),
}
"""Wrappers of which one step in many does more: the setting that says how often, and its default."""


class Text(PythonLM):
    """The task that ships, with a model of another size.

    Args:
        width: of the model.
        layers: of the model.
        batch_size: windows of 64 bytes.
    """

    def __init__(self, width, layers, batch_size):
        super().__init__()
        self.width, self.layers, self.batch_size = width, layers, batch_size

    def model(self, generator):
        return seeded(generator, lambda: ByteTransformer(self.window, width=self.width, layers=self.layers))


def expressions():
    """Returns for each row: its name, what is measured, and what of it does more at each of its steps, if anything."""
    rows = {text: (text, None) for text in (FUSED, FOREACH, "sgd")}
    for entry in of_slot("optimizer").values():
        if entry.kind == "method":
            rows[entry.id] = (entry.id, None)
        elif entry.kind == "wrapper":
            how_often, _ = RARE.get(entry.id, ("", 1))
            most, rare = (f"{entry.id}({FUSED}, {how_often.format(steps)})" for steps in (10**9, 1))
            rows[entry.id] = (most, rare) if how_often else (f"{entry.id}({FUSED})", None)
    return rows


def run_of(text, task):
    """Returns a run of an expression, with the middle of its ranges and small steps."""
    expression = parse_expression(text)
    settings = {name: tunable.at(0.1 if name == "lr" else 0.5) for name, tunable in expression.tunables.items()}
    build = partial(expression.build, tuned=settings)
    return Session(task, build, seed=0, budget=10**12)


def medians(functions, options):
    """Returns the median milliseconds of each function's calls."""
    return {name: statistics.median(each) for name, each in in_turn(functions, options, warm_up=WARM_UP).items()}


def facts(options):
    """Measures everything, and returns it for JSON."""
    task = Text(options.width, options.layers, options.batch)
    rows = expressions()
    runs = {text: run_of(text, task) for row in rows.values() for text in row if text}
    steps = medians({text: run.step for text, run in runs.items()}, options)
    plain = {text: run.optimizer.step for text, run in runs.items() if not hasattr(run.optimizer, "step_on")}
    updates = medians(plain, options)
    found = []
    for name, (text, rare) in rows.items():
        weights, projections, states = measured(runs[text].model, runs[text].optimizer)
        every = RARE[name][1] if rare else 1
        found.append(
            {
                "name": name,
                "expression": text,
                "bytes": {"weights": weights, "projections": projections, "states": states},
                "step_ms": steps[text],
                "update_ms": updates.get(text),
                "rare_step_ms": steps[rare] if rare else None,
                "every": every,
                "mean_step_ms": ((every - 1) * steps[text] + steps[rare or text]) / every,
            }
        )
    parameters = sum(param.numel() for param in runs[FUSED].model.parameters())
    return {
        "command": " ".join(["python benchmarks/optimizer_family.py", *sys.argv[1:]]),
        "setting": setting(options),
        "environment": environment(),
        "model": {
            "parameters": parameters,
            "width": options.width,
            "layers": options.layers,
            "batch": options.batch,
            "window": task.window,
        },
        "reference": FUSED,
        "rows": found,
    }


def main():
    parser = Parser(__doc__, repeats=15)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8, help="windows of 64 bytes")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.options()
    warnings.simplefilter("ignore")
    found = facts(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    reference = next(row for row in found["rows"] if row["name"] == found["reference"])
    print(f"{found['setting']}; {found['model']['parameters'] / 1e6:.2f} M parameters; times {found['reference']}")
    for row in found["rows"]:
        kept = sum(row["bytes"].values()) / found["model"]["parameters"]
        update = row["update_ms"] and row["update_ms"] / reference["update_ms"]
        print(
            f"{row['name']:>20}: {kept:6.2f} bytes a parameter, step {row['mean_step_ms'] / reference['step_ms']:6.2f}"
            f", update {update and f'{update:.2f}'}"
        )


if __name__ == "__main__":
    main()

"""What there is to find out on a machine with a CUDA device, in eight minutes at most; on another it says so and ends.

1. *conformance*: the suite of ``trimtab.testing`` on every optimizer, with parameters and gradients on the device;
2. *kernels*: each rule compiled against the same rule run operation by operation, in float32 and bfloat16;
3. *steps*: ``optimizer_step.py`` with its peers, on the device;
4. *comparison*: `trimtab compare` of three optimizers on digits, on the device and on the CPU.

Each part is a process of its own with a time of its own, so that one that hangs or crashes leaves the others alone.
What was found is written after each part, and docs/speed.md shows it when the site is built.

    python benchmarks/device.py [--json docs/device.json]

``--device cpu`` tries the script itself.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
SECONDS = {"conformance": 150, "kernels": 90, "steps": 150, "comparison": 80}
"""What each part may take; 470 in all."""

RULES = ("Lion", "AdaBelief", "EXAdam", "DiffGrad", "Lamb", "Lars")
SHAPES = ((300, 257), (40, 50), (50,), (7, 11, 13))
STEPS = 5
TOLERANCE = {"float32": 2e-6, "bfloat16": 2**-7}
"""Of the largest difference over the largest value: a few roundings of float32, one of bfloat16."""


def conformance(device, directory):
    """Runs the suite, and returns how many checks passed, and what of those that did not."""
    report = directory / "conformance.xml"
    command = [sys.executable, "-m", "pytest", "tests/testing/test_conformance.py", "--device", device]
    done = subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, capture_output=True, text=True, check=False)
    if not report.is_file():
        raise RuntimeError(f"pytest made no report:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    failed, passed, skipped = [], 0, 0
    for case in ElementTree.parse(report).iter("testcase"):
        trouble = next((child for child in case if child.tag in ("failure", "error")), None)
        if trouble is not None:
            name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
            failed.append({"check": name, "message": trouble.get("message", "")[:300]})
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return {"passed": passed, "skipped": skipped, "failed": failed}


def kernels(device, _directory):
    """Returns, by rule and type, how far compiled steps are from the same steps run operation by operation."""
    rows = []
    for rule in RULES:
        for name, tolerance in TOLERANCE.items():
            compiled, eager = (stepped(rule, device, getattr(torch, name), compile=way) for way in (True, False))
            pairs = list(zip(compiled, eager, strict=True))
            finite = all(bool(torch.isfinite(each).all()) for pair in pairs for each in pair)
            difference = max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)
            rows.append(
                {"rule": rule, "dtype": name, "difference": difference, "agrees": finite and difference <= tolerance}
            )
    return {"steps": STEPS, "rows": rows}


def stepped(rule, device, dtype, **options):
    """Returns the parameters after a few steps of a rule."""
    import trimtab.optim

    generator = torch.Generator().manual_seed(0)
    params = [nn.Parameter(torch.randn(shape, generator=generator).to(device, dtype)) for shape in SHAPES]
    optimizer = getattr(trimtab.optim, rule)(params, lr=1e-2, weight_decay=1e-2, **options)
    for _ in range(STEPS):
        for param in params:
            param.grad = torch.randn(param.shape, generator=generator).to(device, dtype)
        optimizer.step()
    return [param.detach().float() for param in params]


def steps(device, directory):
    """Returns the tables of ``optimizer_step.py``."""
    found = directory / "steps.json"
    script = Path(__file__).with_name("optimizer_step.py")
    command = [sys.executable, str(script), "--device", device, "--no-start", "--json", str(found)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(found.read_text(encoding="utf-8"))


def comparison(device, directory):
    """Returns what a small comparison finds on the device and on the CPU, and what its steps take there."""
    from trimtab import Comparison
    from trimtab.lab.measures import STEP_SECONDS

    rows = []
    for place in dict.fromkeys((device, "cpu")):
        compared = Comparison("digits", "adamw,lion,sgd", directory / place, trials=3, seeds=3, device=place)
        for candidate in compared.run().candidates:
            seconds = candidate.prices.get(STEP_SECONDS)
            rows.append(
                {
                    "device": place,
                    "label": candidate.label,
                    "rank": candidate.rank,
                    "loss": None if candidate.loss is None else candidate.loss.mean,
                    "step_ms": None if seconds is None else seconds * 1e3,
                }
            )
    return {"task": "digits", "rows": rows}


PARTS = {part.__name__: part for part in (conformance, kernels, steps, comparison)}


def in_own_process(name, device):
    """Returns what a part found, or its error, and the seconds that it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = Path(directory) / "found.json"
        command = [sys.executable, __file__, "--part", name, "--device", device, "--json", str(found)]
        part = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            _, said = part.communicate(timeout=SECONDS[name])
            error = said[-2000:] if part.returncode else None
        except subprocess.TimeoutExpired:
            os.killpg(part.pid, signal.SIGKILL)  # and what it has started
            part.communicate()
            error = f"not over after {SECONDS[name]} s"
        result = json.loads(found.read_text(encoding="utf-8")) if error is None else None
    return {"found": result, "error": error, "seconds": round(time.monotonic() - start, 1)}


def facts(device):
    """Returns what the figures are of."""
    return {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "torch": torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": "python benchmarks/device.py",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "device.json", help="file for what is found")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--part", choices=PARTS, help="this part alone, in this process")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(f"no CUDA device here (torch {torch.__version__}): nothing was measured, nothing was written")
    if options.part:
        with tempfile.TemporaryDirectory() as directory:
            found = PARTS[options.part](options.device, Path(directory))
        options.json.write_text(json.dumps(found), encoding="utf-8")
        return
    result = {"environment": facts(options.device), "parts": {}}
    for name in PARTS:
        print(f"{name} (at most {SECONDS[name]} s) ...", flush=True)
        part = result["parts"][name] = in_own_process(name, options.device)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"  {'failed: ' + part['error'] if part['error'] else 'done'}, {part['seconds']} s", flush=True)


if __name__ == "__main__":
    main()

"""Every example runs as its docstring says, and what it claims on its last lines is so."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import constrained_design
import optuna
import plain_loop
import pytest
from typer.testing import CliRunner

from tests.new_process import as_a_program, ranks
from trimtab.cli import app
from trimtab.lab.loading import fingerprint, load_task

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAME = "resumed run equals the unbroken one bit for bit: True"

pytestmark = pytest.mark.timeout(150)


def ran(directory, name):
    """Returns what an example printed; its working directory is an empty one, and it finds no network to use."""
    return as_a_program(EXAMPLES / f"{name}.py", directory=directory)


def run(directory, *arguments):
    """The same for a Python program that starts others."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, errors = process.communicate(timeout=120)
    finally:
        process.terminate()  # torchrun then ends its workers too
    assert process.returncode == 0, errors
    return output.splitlines()


def with_torchrun(directory, *arguments):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return run(directory, *torchrun, *arguments)


def as_with_torchrun(directory, script, *arguments):
    """The same without waiting until three processes have imported torch."""
    with ranks() as environments, ThreadPoolExecutor(2) as pool:
        programs = [
            pool.submit(as_a_program, script, *arguments, directory=directory, environment=each)
            for each in environments
        ]
    first, _ = [program.result() for program in programs]
    return first


def test_plain_loop(tmp_path):
    lines = ran(tmp_path, "plain_loop")
    assert lines[-1] == SAME
    accuracy = lines[-2].removeprefix("accuracy on the training data: ")
    assert float(accuracy) > 0.95
    assert list(tmp_path.iterdir()) == []


def test_autolrs_loop(tmp_path):
    broken, *rates, steps, accuracy, same = ran(tmp_path, "autolrs_loop")
    assert broken == "the break comes in the phase: search"
    assert len(rates) >= 3
    assert steps == "steps: 1440, of which useful: 740"
    assert float(accuracy.removeprefix("accuracy on the training data: ")) > 0.95
    assert same == SAME
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def unbroken():
    run = plain_loop.Run()
    run.train(until=2)
    return run


@pytest.mark.parametrize("lost", [None, "model", "optimizer", "schedule", "order", "torch"])
def test_plain_loop_saves_nothing_in_vain(unbroken, lost):
    first = plain_loop.Run()
    first.train(until=1)
    state = first.state()
    resumed = plain_loop.Run()
    if lost is not None:
        state[lost] = resumed.state()[lost]
    resumed.load(state)
    resumed.train(until=2)
    assert plain_loop.same_weights(resumed.model, unbroken.model) == (lost is None)


def test_adaptive_batch(tmp_path):
    *changes, steps, accuracy, same = ran(tmp_path, "adaptive_batch")
    assert same == SAME
    assert float(accuracy.removeprefix("accuracy on the training data: ")) > 0.95
    sizes = [int(line.rpartition(" ")[2]) for line in changes]
    assert len(sizes) > 5
    assert sizes == sorted(set(sizes))
    words = steps.split()
    assert words[2] == words[6]
    assert int(words[2]) < 4 * 1797 / 8


def test_huggingface_trainer(tmp_path):
    lines = ran(tmp_path, "huggingface_trainer")
    assert lines[-2:] == ["steps taken: 60 without a break, 30 after one", SAME]
    assert sum("step 60: update/weight" in line for line in lines) == 2


def test_lightning_module(tmp_path):
    lines = ran(tmp_path, "lightning_module")
    epochs = [line.partition(":")[0] for line in lines[:-1]]
    assert epochs == [f"epoch {epoch}" for epoch in (0, 1, 2, 3, 4, 5, 3, 4, 5)]
    assert lines[-4:-1] == lines[-7:-4]
    assert lines[-1] == SAME


@pytest.mark.parametrize(
    ("name", "tensors", "start"),
    [("adamw", 32, as_with_torchrun), ("lion", 16, as_with_torchrun), ("lamb", 24, with_torchrun)],
)
def test_fsdp2_torchrun(tmp_path, name, tensors, start):
    equal, losses = start(tmp_path, EXAMPLES / "fsdp2_torchrun.py", "--optimizer", name)[-2:]
    assert equal == f"one process loads the {tensors} tensors of two bit for bit: True"
    words = losses.split()
    assert words[:2] == [f"{name}:", "loss"]
    together, alone = (float(words[words.index(word) - 1]) for word in ("sharded,", "by"))
    assert together < 1.4  # log 5 = 1.61 is what guessing gives
    assert alone == pytest.approx(together, rel=1e-3)


def test_fsdp2_says_how_it_is_started(tmp_path):
    with pytest.raises(AssertionError, match="start it with torchrun"):
        ran(tmp_path, "fsdp2_torchrun")


def test_own_rule(tmp_path):
    *variants, resumed, refused = ran(tmp_path, "own_rule")
    assert resumed == SAME
    assert refused == "refused: beta=1.5 must lie in [0, 1)"
    losses = {line[:15].strip(): float(line.split("loss ")[1].split(",")[0]) for line in variants}
    assert losses.keys() == {"as it is", "compiled", "bfloat16 state", "weight decay"}
    assert max(losses[name] for name in ("as it is", "compiled", "bfloat16 state")) < 0.01
    assert losses["weight decay"] > 0.5
    assert [line.endswith("torch.bfloat16") for line in variants] == [False, False, True, False]


def compared(directory, name):
    """Runs a small comparison of an example's task by the command line; returns what it wrote.

    In this process, which has imported the example's libraries: that takes longer than all that is done with them.
    """
    command = ["compare", EXAMPLES / f"{name}.py:task", "--candidates", "adamw,lion", "--steps", 12]
    command += ["--trials", 1, "--seeds", 2, "--jobs", 1, "--out", directory / "out"]
    done = CliRunner().invoke(app, [str(argument) for argument in command], env={"HF_HUB_OFFLINE": "1"})
    assert done.exit_code == 0, done.output
    results = json.loads((directory / "out" / "results.json").read_text())
    assert [trial["status"] for trial in results["trials"]] == ["complete"] * 6
    copy = directory / "mine.py"
    copy.write_text((EXAMPLES / f"{name}.py").read_text().replace("=200", "=201"))
    assert fingerprint(f"{copy}:task") != fingerprint(f"{EXAMPLES / name}.py:task")
    assert load_task(f"{copy}:task").steps == 201
    return results["problem"]


def test_huggingface_task(tmp_path):
    task = compared(tmp_path, "huggingface_task")
    assert (task["name"], task["quoted"]["name"]) == ("texts", "validation accuracy")


def test_lightning_task(tmp_path):
    task = compared(tmp_path, "lightning_task")
    assert (task["name"], task["quoted"]["name"]) == ("Digits", "validation val_acc")


def test_optuna_one_argument(tmp_path):
    script = (EXAMPLES / "optuna_one_argument.py").read_text()
    assert script.count("BOSampler") == 2  # it is imported, and is one argument
    best, recommended = ran(tmp_path, "optuna_one_argument")
    assert best.startswith("best of 20 trials: error 0.0")
    assert 0 < float(recommended.split()[-3]) < 0.1


def test_noisy_study(tmp_path):
    best, recommended = ran(tmp_path, "noisy_study")
    promised, worth = (float(word.rstrip(",")) for word in (best.split()[4], best.split()[-1]))
    expected, found = (float(word.rstrip(",")) for word in (recommended.split()[3], recommended.split()[-1]))
    assert promised > 90 > worth  # nothing yields more than 90
    assert worth + 1 < found
    assert abs(expected - found) < abs(promised - worth)


def test_constrained_design(tmp_path):
    feasible, cheapest, near = ran(tmp_path, "constrained_design")
    assert 5 < int(feasible.split()[0]) < 35
    assert 6059.7 < float(cheapest.split(": ")[1].split()[0]) < 6150
    assert 0.98 < float(near.split()[6].rstrip("%")) / 100 <= 1


def test_constrained_design_is_the_one_of_the_literature():
    params = {"shell": 0.8125, "head": 0.4375, "radius": 42.0984455958, "length": 176.6365958424}
    trial = optuna.trial.FixedTrial(params)
    assert constrained_design.cost(trial) == pytest.approx(constrained_design.KNOWN, abs=0.01)
    assert max(trial.constraints.values()) <= 1e-6
    thin = optuna.trial.FixedTrial({**params, "shell": 0.75})
    constrained_design.cost(thin)
    assert [name for name, value in thin.constraints.items() if value > 1e-6] == ["shell"]


def test_killed_search(tmp_path):
    first, second, same = ran(tmp_path, "killed_search")
    assert first.startswith("a process has ended with code -9")
    assert int(first.split()[-1]) < 15
    assert second.endswith("code 0, and the last that it said was: in trial 15")
    assert same == "all 16 trials equal those of the search without a break bit for bit: True"
    assert list(tmp_path.iterdir()) == []


def test_own_surrogate(tmp_path):
    default, additive = ran(tmp_path, "own_surrogate")
    losses = [float(line.split()[-1]) for line in (default, additive)]
    assert losses[1] < 0.3 < 5 * losses[1] < losses[0]


def test_no_example_is_left_out():
    names = {f"test_{path.stem}" for path in EXAMPLES.glob("*.py")}
    assert names
    files = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert names <= files | globals().keys()

"""A search that is killed in the middle of a trial, and goes on in a new process as if nothing had been.

    python examples/killed_search.py

It searches without a break; then it starts the same search as a program of its own, ``python examples/killed_search.py
FILE`` with a journal in a temporary directory, kills that with SIGKILL, starts it again, and compares.
"""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from trimtab.search import BOSampler

TRIALS, KILLED_IN = 16, 11


def objective(trial: optuna.Trial) -> float:
    """Returns a noisy value. The noise follows from the trial's number, not from how often a generator was asked."""
    x, y = trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)
    value = (y - 0.13 * x**2 + 1.6 * x - 6) ** 2 + 9.6 * np.cos(x) + 10
    return value + np.random.default_rng(trial.number).normal()


def slow_objective(trial: optuna.Trial) -> float:
    """Says that a trial has begun, and takes a while."""
    print("in trial", trial.number, flush=True)
    value = objective(trial)
    time.sleep(0.05)
    return value


def journal(path: Path) -> JournalStorage:
    """Returns a storage in a file."""
    return JournalStorage(JournalFileBackend(str(path)))


def search(path: Path) -> None:
    """Searches, or goes on with what the journal holds.

    The trial in which a process was killed stays in its study as one that runs. So whoever goes on begins another study
    with all trials that are finished: its first suggestion has the number of the lost trial, and is the same.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = journal(path)
    before = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    finished = [[trial for trial in study.trials if trial.state.is_finished()] for study in before]
    study = optuna.create_study(study_name=f"part {len(before)}", storage=storage, sampler=BOSampler(seed=0))
    study.add_trials(max(finished, key=len, default=[]))
    study.optimize(slow_objective, n_trials=TRIALS - len(study.trials))


def run(path: Path, kill_in: int | None = None) -> None:
    """Runs the search as a program, and kills it as soon as it is in a trial."""
    with subprocess.Popen([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.split()[-1] == str(kill_in):
                process.send_signal(signal.SIGKILL)
    print(f"a process has ended with code {process.returncode}, and the last that it said was: {line.strip()}")


def seen(study: optuna.Study) -> list:
    """Returns settings and values of a study's trials, to the last digit."""
    return [(trial.number, trial.params, trial.values) for trial in study.trials]


def main() -> None:
    """Searches without a break and with one, and compares."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    unbroken = optuna.create_study(sampler=BOSampler(seed=0))
    unbroken.optimize(objective, n_trials=TRIALS)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "study.log"
        run(path, kill_in=KILLED_IN)
        run(path)
        resumed = seen(optuna.load_study(study_name="part 1", storage=journal(path)))
    print(f"all {TRIALS} trials equal those of the search without a break bit for bit: {resumed == seen(unbroken)}")


if __name__ == "__main__":
    search(Path(sys.argv[1])) if len(sys.argv) > 1 else main()

"""Comparisons that are disturbed: started as a user starts them, watched through their store, checked at the end."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import sqlalchemy

from trimtab.compare.stored import load_any
from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.study.errors import InputError
from trimtab.study.lease import Limits
from trimtab.study.store import Store
from trimtab.study.stored_study import read_store

TRIALS, SEEDS = 8, 6
CANDIDATES = "adamw,lion"
ALL = 2 * (TRIALS + SEEDS)

TASK = """
import multiprocessing, os, select
import torch
from torch import nn
from torch.utils.data import TensorDataset
from trimtab import Metric, Task

class Small(Task):
    name, metric, batch_size, steps, seeds = "small", Metric("accuracy", "max"), 8, 20, 6

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(96, 4, generator=generator)
        targets = (inputs.sum(1) > 0).long()
        self.train, self.validation, self.test = (
            TensorDataset(inputs[s], targets[s]) for s in (slice(0, 48), slice(48, 72), slice(72, 96))
        )

    def model(self, generator):
        if multiprocessing.parent_process() is not None:
            with open(os.environ["STARTS"], "a") as file:
                file.write(f"{os.getpid()}\\n")
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 2))

    def losses(self, outputs, batch):
        select.select([], [], [], float(os.environ.get("SECONDS_A_STEP", "0")))  # faketime breaks time.sleep()
        return nn.functional.cross_entropy(outputs, batch[1], reduction="none")

    def score(self, outputs, batch):
        return (outputs.argmax(1) == batch[1]).float().mean()
"""

SCRIPT = """
import math, os, random, sys, time
optimizer, lr, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
with open(os.environ["STARTS"], "a") as file:
    file.write(f"{os.getpid()}\\n")
noise, best = random.Random(seed).gauss(0, 0.1), {"adamw": -3, "lion": -4}[optimizer]
for epoch in range(1, 6):
    time.sleep(5 * float(os.environ.get("SECONDS_A_STEP", "0")))
    print(f"val_loss={(math.log10(lr) - best) ** 2 + 1 / epoch + noise!r}")
"""


@dataclass
class Row:
    """What came of one fault.

    Args:
        fault: what was done.
        runs: comparisons.
        trials: points that had to get an outcome, over all comparisons.
        faults: how often it was done.
        rerun: trials that had to be started again, because they were cut off.
        lost: outcomes that were recorded once, and later missing or another one.
        twice: points whose outcome was written more than once.
        codes: exit code to how many processes ended with it.
        wrong_codes: processes that ended with an exit code that they should not have.
        different: trials with another result than undisturbed, to the last bit.
        left: processes that outlived the comparison they belonged to.
        traces: programs that printed a traceback, but for those that were ended by SIGKILL.
        skipped: why it was not done; empty if it was.
    """

    fault: str
    runs: int = 0
    trials: int = 0
    faults: int = 0
    rerun: int = 0
    lost: int = 0
    twice: int = 0
    codes: Counter = field(default_factory=Counter)
    wrong_codes: int = 0
    different: int = 0
    left: int = 0
    traces: int = 0
    skipped: str = ""

    @property
    def passed(self) -> bool:
        return not (self.lost or self.twice or self.wrong_codes or self.different or self.left or self.traces)

    def to_dict(self) -> dict:
        return {**asdict(self), "codes": {str(code): count for code, count in sorted(self.codes.items())}}


class Disturbed:
    """One comparison in a directory of its own.

    Args:
        directory: of the task, the logs and, without ``url``, the results.
        kind: ``task`` or ``command``.
        url: of the store's database, if it is not in the directory.
        out: where results go.
        options: more of the command line.
        prefix: what the program is started with.
    """

    def __init__(self, directory, kind="task", *, url=None, out=None, options=(), prefix=(), seconds=0.01):
        self.directory, self.kind, self.url, self.prefix = directory, kind, url, list(prefix)
        self.out = directory / "out" if out is None else out
        self.starts = directory / "starts"
        self.recorded = {}
        self.lost = set()
        self.processes = []
        self.environment = {**os.environ, "STARTS": str(self.starts), "SECONDS_A_STEP": str(seconds)}
        self.environment["OMP_NUM_THREADS"] = "1"
        directory.mkdir(parents=True, exist_ok=True)
        self.starts.touch()
        directory.chmod(0o777)
        self.starts.chmod(0o666)
        (directory / "small.py").write_text(TASK)
        (directory / "train.py").write_text(SCRIPT)
        self.arguments = [*self._what(), "--trials", str(TRIALS), "--seeds", str(SEEDS), "--candidates", CANDIDATES]
        self.arguments += ["--out", str(self.out), "--jobs", "2", *options]
        self.arguments += [] if url is None else ["--store", url]

    def _what(self):
        if self.kind == "task":
            return [f"{self.directory / 'small.py'}:Small"]
        line = f"{sys.executable} {self.directory / 'train.py'} {{optimizer}} {{lr}} {{seed}}"
        return ["--command", line, "--tune", "lr=1e-5..1e-1:log", "--metric", "val_loss"]

    @property
    def started(self):
        """How many trials have started, counting those that were cut off."""
        return len(self.starts.read_text().splitlines())

    @property
    def location(self):
        return self.out if self.url is None else self.url

    def start(self, **environment):
        """Starts the program, as a user would, in a process group of its own."""
        output = (self.directory / f"output-{len(self.processes)}").open("w")
        hearing = ["env", "--default-signal=INT"]  # which a shell's jobs in the background are told to ignore
        process = subprocess.Popen(
            [*hearing, *self.prefix, sys.executable, "-m", "trimtab", "compare", *self.arguments],
            stdout=output, stderr=subprocess.STDOUT, env={**self.environment, **environment},
            start_new_session=True, cwd=self.directory,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def watch(self):
        """Looks at what is recorded: nothing that once was may be missing, or another."""
        with suppress(InputError):
            now = read_store(self.location).outcomes
            self.lost |= {key for key, outcome in self.recorded.items() if now.get(key) != outcome}
            self.recorded.update(now)
        return len(self.recorded)

    def count_writes(self):
        """Has the database count how often an outcome is written, whoever does it."""
        Store(self.location, self._manifest(), Limits()).close()
        if self.url is None:
            with sqlite3.connect(self.out / "study.db") as database:
                for when in ("INSERT", "UPDATE"):
                    database.execute(
                        f"CREATE TRIGGER audit_{when} AFTER {when} ON trial_user_attributes WHEN NEW.key = 'outcome' "
                        "BEGIN INSERT INTO audit VALUES (NEW.trial_id); END"
                    )
                database.execute("CREATE TABLE audit (trial_id INTEGER)")
            database.close()
            return
        execute(
            self.url,
            "CREATE TABLE audit (trial_id integer)",
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO audit VALUES (NEW.trial_id); RETURN NEW; END $$",
            "CREATE TRIGGER audit AFTER INSERT OR UPDATE ON trial_user_attributes FOR EACH ROW "
            "WHEN (NEW.key = 'outcome') EXECUTE FUNCTION audit()",
        )

    def _manifest(self):
        """The plan's, from a comparison that is only made, not run."""
        from trimtab import CommandProblem, Comparison

        if self.kind == "task":
            made = Comparison(self.arguments[0], CANDIDATES, self.out, trials=TRIALS, seeds=SEEDS)
        else:
            _, line, _, tune, _, metric, *_ = self.arguments
            problem = CommandProblem(line, metric=metric)
            made = Comparison(problem, CANDIDATES, tune=[tune], out=self.out, trials=TRIALS)
        return made.first.plan.manifest()

    def check(self, row, expected, allowed):
        """Adds what came of it to a row.

        Args:
            row: changed.
            expected: findings of the undisturbed comparison.
            allowed: exit codes that a process may end with.
        """
        self.watch()
        found = findings(load_any(self.out, self.url))
        row.runs += 1
        row.trials += ALL
        row.rerun += self.started - ALL
        row.lost += len(self.lost)
        row.different += sum(found.get(key) != value for key, value in expected.items()) + len(found.keys() - expected)
        row.twice += sum(count > 1 for count in Counter(self._writes()).values())
        codes = [process.returncode for process in self.processes]
        row.codes.update(codes)
        row.wrong_codes += sum(code not in allowed for code in codes)
        row.left += len(self.alive())
        # a program that is killed while it starts workers leaves some that Python itself has not started yet
        heard = [number for number, code in enumerate(codes) if code != -signal.SIGKILL]
        row.traces += sum("Traceback" in (self.directory / f"output-{number}").read_text() for number in heard)

    def _writes(self):
        if self.url is not None:
            return [row[0] for row in execute(self.url, "SELECT trial_id FROM audit")]
        with sqlite3.connect(self.out / "study.db") as database:
            rows = database.execute("SELECT trial_id FROM audit").fetchall()
        database.close()
        return [row[0] for row in rows]

    def alive(self, patience=8.0):
        """Process ids of workers and scripts that outlive the program, after a while."""
        deadline = time.monotonic() + patience
        while (found := [pid for pid, _, words in processes() if str(self.directory) in words or self._mine(pid)]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.1)
        return found

    def _mine(self, pid):
        with suppress(OSError):
            return f"STARTS={self.starts}\0".encode() in (Path(f"/proc/{pid}/environ").read_bytes() + b"\0")
        return False


def execute(url, *statements):
    """Runs statements on a server and returns the rows of the last."""
    address = sqlalchemy.make_url(url).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            result = connection.execute(sqlalchemy.text(statement))
        return result.all() if result.returns_rows else []


def findings(result):
    """Everything about the trials that is not a duration: key to the rest."""
    return {
        t.key: (t.seed, t.settings, t.status, t.loss, t.metric, *map(t.measures.get, (TEST_LOSS, TEST_METRIC)), t.curve)
        for t in result.trials
    }


def processes():
    """Process id, parent and command line of every process."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            with suppress(OSError, IndexError):
                words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
                if words:
                    found.append((int(directory.name), parent, words))
    return found


def workers(process):
    """Process ids of a program's workers, which are forked from a process that has imported torch for them."""
    found = processes()
    servers = [pid for pid, parent, words in found if parent == process.pid and "forkserver" in words]
    return [pid for pid, parent, _ in found if parent in servers]


def kill(pid, number=signal.SIGKILL):
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def write_json(path, rows, facts):
    path.write_text(json.dumps({**facts, "faults": [row.to_dict() for row in rows]}, indent=1) + "\n")

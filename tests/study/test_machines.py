"""Processes that share a study, as they would on several machines, and everything that happens to them."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.postgres import CONTROL_VARIABLE
from tests.study.work import MANIFEST, RANGES, LoggedWork, log_of, points
from trimtab.study.lease import Limits
from trimtab.study.local_executor import LocalExecutor
from trimtab.study.point import Point
from trimtab.study.running import run_study
from trimtab.study.store import Store
from trimtab.study.stored_study import read_store

ROOT = Path(__file__).parents[2]
TAKEOVER = 3.0


def design(outcomes):
    """Two groups; when one is done, its best point is run again, as the plan of a comparison does."""
    first = [*points(18, "a"), *points(12, "b")]
    wanted = list(first)
    for group in ("a", "b"):
        tuned = [p for p in first if p.group == f"toy/tune/{group}"]
        if all(p.key in outcomes for p in tuned):
            best = min(tuned, key=lambda p: outcomes[p.key].loss)
            wanted += [Point("toy", "final", group, i, best.settings, i, RANGES) for i in range(5)]
    return wanted


RUN = """
import sys
from pathlib import Path
from tests.study.test_machines import share

if __name__ == "__main__":
    share(sys.argv[1], Path(sys.argv[2]))
"""


def here(log):
    return log.with_name(f"{log.name}-here")


class Together(LoggedWork):
    """Ends no trial before all machines have begun one: the first might be done before the last is there."""

    def __call__(self, point, report):
        here(self.log).touch()
        wait_until((self.log.parent / "all-here").exists)
        return super().__call__(point, report)


def share(url, log):
    limits = Limits(takeover=TAKEOVER, patience=60.0)
    with Store(url, MANIFEST, limits) as store, LocalExecutor(Together(log, 0.25), jobs=1) as executor:
        run_study(design, store, executor)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    with Store(directory, MANIFEST) as store, LocalExecutor(LoggedWork(directory / "log", 0.0), jobs=2) as executor:
        return run_study(design, store, executor)


class Machine:
    """A process that runs the study; ``log`` says what its worker did."""

    def __init__(self, directory, name, url):
        self.log = directory / f"log-{name}"
        script = directory / "run.py"
        script.write_text(RUN)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
        with (directory / f"errors-{name}").open("w") as errors:
            self.process = subprocess.Popen([sys.executable, script, url, self.log], env=environment, stderr=errors)

    def signal(self, number):
        os.kill(self.process.pid, number)

    @property
    def starts(self):
        return sum(log_of(self.log)[0].values()) if self.log.exists() else 0

    def wait_for_starts(self, count):
        wait_until(lambda: self.starts >= count or self.process.poll() is not None)
        assert self.process.poll() is None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def wait_until(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def alone(postgres):
    with postgres.alone():
        yield


@pytest.fixture
def machines(postgres, tmp_path):
    running = {name: Machine(tmp_path, name, postgres.url) for name in ("a", "b", "c")}
    yield running
    for machine in running.values():
        machine.kill()


def begin(machines, directory):
    """Lets trials end when each machine has begun one."""
    for machine in machines.values():
        wait_until(here(machine.log).exists)
    (directory / "all-here").touch()
    for machine in machines.values():
        machine.wait_for_starts(1)


def audit(postgres):
    """Has the database count how often an outcome is written, whoever does it."""
    wait_until(lambda: postgres.rows("SELECT 1 FROM pg_tables WHERE tablename = 'trimtab_leases'"))
    postgres.rows("CREATE TABLE audit (trial_id integer)")
    postgres.rows(
        "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO audit VALUES (NEW.trial_id); RETURN NEW; END $$"
    )
    postgres.rows(
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE ON trial_user_attributes FOR EACH ROW "
        "WHEN (NEW.key = 'outcome') EXECUTE FUNCTION audit()"
    )


def check(postgres, undisturbed):
    assert read_store(postgres.url).outcomes == undisturbed
    writes = Counter(row.trial_id for row in postgres.rows("SELECT trial_id FROM audit"))
    assert len(writes) == len(undisturbed) == 40
    assert set(writes.values()) == {1}
    keys = Counter(
        row.value_json for row in postgres.rows("SELECT value_json FROM trial_user_attributes WHERE key = 'key'")
    )
    assert set(keys.values()) == {1}
    assert {row.state for row in postgres.rows("SELECT state FROM trials")} == {"COMPLETE"}
    assert postgres.rows("SELECT * FROM trimtab_owners") == []


def test_machines_that_are_killed_and_cut_off_lose_nothing_and_record_nothing_twice(
    postgres, machines, undisturbed, tmp_path
):
    a, b, c = machines.values()
    audit(postgres)
    begin(machines, tmp_path)
    a.signal(signal.SIGKILL)
    b.signal(signal.SIGSTOP)  # its worker goes on, and finishes what it had; nobody hears of it
    postgres.terminate_connections()
    seen = c.starts
    c.wait_for_starts(seen + 3)
    wait_until(lambda: not postgres.rows(f"SELECT 1 FROM trimtab_owners WHERE process = {b.process.pid}"))
    before = b.starts
    b.signal(signal.SIGCONT)
    b.wait_for_starts(before + 2)
    postgres.terminate_connections()
    assert b.process.wait(60) == 0
    assert c.process.wait(60) == 0
    check(postgres, undisturbed)
    logs = [log_of(machine.log) for machine in machines.values()]
    starts = sum((started for started, _ in logs), Counter())
    assert sum(starts.values()) <= 40 + 2  # each costs at most what it was running, or had not yet written
    assert "Traceback" not in (tmp_path / "errors-b").read_text() + (tmp_path / "errors-c").read_text()


def control(what):
    subprocess.run([ROOT / ".ci" / "postgres", what, os.environ[CONTROL_VARIABLE]], check=True)


@pytest.mark.skipif(
    not os.environ.get(CONTROL_VARIABLE), reason=f"{CONTROL_VARIABLE} does not say how to stop the server"
)
def test_machines_outlive_a_stop_of_the_server(alone, postgres, machines, undisturbed, tmp_path):
    audit(postgres)
    machines.pop("c").kill()
    begin(machines, tmp_path)
    control("stop")
    try:
        time.sleep(1.5 * TAKEOVER)
        assert all(machine.process.poll() is None for machine in machines.values())
        before = [machine.starts for machine in machines.values()]
    finally:
        control("start")
    for machine in machines.values():
        assert machine.process.wait(60) == 0
    check(postgres, undisturbed)
    starts = sum((log_of(machine.log)[0] for machine in machines.values()), Counter())
    assert max(starts.values()) == 1  # what had finished without the server was kept, and nobody was taken for dead
    assert sum(before) <= sum(starts.values()) == 40

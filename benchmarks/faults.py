"""Runs comparisons while workers, the program, the disk, the clock and the database fail, and checks every result.

    python benchmarks/faults.py [--scale 1] [--only WORD] [--json docs/reliability.json]

Each comparison has 28 trials of about a second, and must end with the outcomes of an undisturbed one to the last bit,
durations aside. What has been recorded is looked at again and again: none of it may be missing later, or be written a
second time; the database itself counts what is written. Exit codes have to be those that the manual names.

Full and read-only disks need root (a small tmpfs; permissions that bind), clocks that jump need Debian's ``faketime``,
the rest a PostgreSQL server: ``TRIMTAB_TEST_POSTGRES`` is its URL, and ``TRIMTAB_TEST_POSTGRES_CONTROL`` the directory
that ``.ci/postgres start`` takes. What is missing is left out and said so.
"""

import argparse
import contextlib
import datetime
import functools
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path

from disturbed import ALL, Disturbed, Row, execute, findings, kill, processes, workers, write_json
from rich.console import Console
from rich.table import Table

from trimtab.compare.stored import load_any
from trimtab.study.environment import environment

ROOT = Path(__file__).resolve().parents[1]
SERVER = os.environ.get("TRIMTAB_TEST_POSTGRES")
CONTROL = os.environ.get("TRIMTAB_TEST_POSTGRES_CONTROL")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
KILLED, INTERRUPTED, TERMINATED, LOST, REFUSED = -9, 130, 143, 3, 2


class Faults:
    """The scenarios.

    Args:
        place: directory for everything.
        scale: how often each is repeated, times its usual number.
        seed: of the random moments.
    """

    def __init__(self, place, scale, seed):
        self.place, self.scale, self.chooser = place, scale, random.Random(seed)

    @functools.cache  # noqa: B019 - one object, for as long as the program runs
    def expected(self, kind):
        """Findings of the undisturbed comparison."""
        calm = Disturbed(self.place / f"calm-{kind}", kind, seconds=0.0)
        assert calm.start().wait() == 0, (calm.directory / "output-0").read_text()
        return findings(load_any(calm.out))

    def repeat(self, times):
        return range(max(1, round(times * self.scale)))

    def fresh(self, name, kind="task", **more):
        made = Disturbed(self.place / f"{name}-{uuid.uuid4().hex[:6]}", kind, **more)
        made.count_writes()
        return made

    def moment(self, low, high):
        time.sleep(self.chooser.uniform(low, high))

    # workers

    def workers_killed(self, row, kind="task"):
        """Random SIGKILL of workers."""
        for _ in self.repeat(4):
            run = self.fresh("workers", kind)
            process = run.start()
            while process.poll() is None:
                self._wait_for_starts(run, process, self.chooser.choice((0, 2, 3, 4)))
                self.moment(0.0, 0.5)
                if found := workers(process):
                    kill(self.chooser.choice(found))
                    row.faults += 1
                run.watch()
            run.check(row, self.expected(kind), {0})

    @staticmethod
    def _wait_for_starts(run, process, count):
        """Until so many more trials have started; a trial whose worker dies eight times has failed, by design."""
        wanted = run.started + count
        while run.started < wanted and process.poll() is None:
            time.sleep(0.02)

    def command_workers_killed(self, row):
        """Random SIGKILL of workers that run commands."""
        self.workers_killed(row, "command")

    # the program

    def _stopped(self, row, number, allowed, kind="task", *, group=False, last=12):
        run = self.fresh("program", kind)
        for attempt in range(1000):
            process = run.start()
            stop = attempt < last
            if stop:
                self._at_a_random_moment(run, process)
                if process.poll() is None:
                    kill(process.pid, number) if not group else os.killpg(process.pid, number)
                    row.faults += 1
            process.wait()
            row.left += len(run.alive())
            run.watch()
            if process.returncode == 0:
                break
        run.check(row, self.expected(kind), allowed)

    def _at_a_random_moment(self, run, process):
        """Mostly while trials run, sometimes while it starts."""
        early = self.chooser.random() < 0.25
        if not early:
            self._wait_for_starts(run, process, 1)
        deadline = time.monotonic() + self.chooser.uniform(0.5, 4.0 if early else 2.0)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def program_killed(self, row, kind="task"):
        """Random SIGKILL of the program, then the same command."""
        for _ in self.repeat(4):
            self._stopped(row, signal.SIGKILL, {0, KILLED}, kind)

    def command_program_killed(self, row):
        """Random SIGKILL of a program that runs commands, then the same command."""
        self.program_killed(row, "command")

    def interrupted(self, row):
        """Ctrl-C (SIGINT to the process group), then the same command."""
        for _ in self.repeat(2):
            self._stopped(row, signal.SIGINT, {0, INTERRUPTED, -signal.SIGINT}, group=True)

    def terminated(self, row):
        """SIGTERM, then the same command."""
        for _ in self.repeat(2):
            self._stopped(row, signal.SIGTERM, {0, TERMINATED, -signal.SIGTERM})

    # the disk

    @contextlib.contextmanager
    def _small_disk(self, name, size="12m"):
        disk = self.place / f"{name}-{uuid.uuid4().hex[:6]}"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", disk], check=True)

    @staticmethod
    def _fill(disk):
        with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 1024)

    def disk_full(self, row):
        """Disk full for some seconds, again and again."""
        if os.geteuid() != 0:
            row.skipped = "needs root"
            return
        for _ in self.repeat(3):
            with self._small_disk("disk") as disk:
                run = self.fresh("full", out=disk / "out")
                process = run.start()
                while process.poll() is None:
                    self.moment(0.5, 3.0)
                    if run.watch():  # it has begun
                        self._fill(disk)
                        row.faults += 1
                        self.moment(0.5, 3.0)
                        (disk / "ballast").unlink()
                if process.returncode == LOST:  # there was no room for the report
                    row.wrong_codes += run.start().wait() != 0
                run.check(row, self.expected("task"), {0, LOST})

    def disk_stays_full(self, row):
        """Disk full for good: it gives up, and goes on when there is room."""
        if os.geteuid() != 0:
            row.skipped = "needs root"
            return
        for _ in self.repeat(3):
            with self._small_disk("disk") as disk:
                run = self.fresh("full", out=disk / "out", options=["--patience", "2"])
                process = run.start()
                while run.watch() < 5:
                    time.sleep(0.1)
                self._fill(disk)
                row.faults += 1
                row.wrong_codes += process.wait() != LOST
                row.wrong_codes += run.start().wait() not in (LOST, REFUSED)  # there is still no room
                (disk / "ballast").unlink()
                row.wrong_codes += run.start().wait() != 0
                run.check(row, self.expected("task"), {0, LOST, REFUSED})

    def report_on_a_full_disk(self, row):
        """No room for the report: the old one stays."""
        if os.geteuid() != 0:
            row.skipped = "needs root"
            return
        for _ in self.repeat(3):
            with self._small_disk("disk") as disk:
                run = self.fresh("report", out=disk / "out", seconds=0.0)
                run.start().wait()
                reports = {path: path.read_bytes() for path in run.out.glob("re*.*")}
                self._fill(disk)
                row.faults += 1
                row.wrong_codes += run.start().wait() != LOST
                row.different += len(reports) != 3
                row.different += sum(path.read_bytes() != content for path, content in reports.items())
                (disk / "ballast").unlink()
                row.wrong_codes += run.start().wait() != 0
                run.check(row, self.expected("task"), {0, LOST})

    def read_only(self, row):
        """Directory read-only at the start, and later, for some seconds and for good."""
        # root is not bound by permissions, unless it gives up the right to ignore them
        bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        for _ in self.repeat(3):
            run = self.fresh("read-only", prefix=bound, options=["--patience", "4"])
            run.out.chmod(0o555)
            row.wrong_codes += run.start().wait() != REFUSED
            run.out.chmod(0o755)
            process = run.start()
            for seconds in (2.0, 60.0):
                before = run.watch()
                while run.watch() < before + 3:
                    time.sleep(0.1)
                run.out.chmod(0o555)
                row.faults += 1
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                run.out.chmod(0o755)
            row.wrong_codes += process.wait() != LOST
            row.wrong_codes += run.start().wait() != 0
            run.check(row, self.expected("task"), {0, LOST, REFUSED})

    # the clock

    def clock_jumps(self, row):
        """The clock jumps by up to ten years, to and fro."""
        if FAKETIME is None:
            row.skipped = "needs faketime"
            return
        for _ in self.repeat(3):
            run = self.fresh("clock")
            process = run.start(**self._clock(run.directory))
            while process.poll() is None:
                self.moment(0.2, 1.0)
                self._set_clock(run.directory)
                row.faults += 1
                run.watch()
            run.check(row, self.expected("task"), {0})

    def _clock(self, directory):
        self._set_clock(directory)
        return {
            "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(directory / "clock"), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip

    def _set_clock(self, directory):
        days = self.chooser.choice((0, self.chooser.randint(-3650, 3650)))
        new = directory / "clock.new"
        new.write_text(f"{days:+d}d\n")
        new.replace(directory / "clock")

    # a database on a server

    @contextlib.contextmanager
    def _database(self):
        name = f"trimtab_{uuid.uuid4().hex[:12]}"
        execute(SERVER, f"CREATE DATABASE {name}")
        try:
            yield f"{SERVER.rpartition('/')[0]}/{name}", name
        finally:
            execute(SERVER, f"DROP DATABASE {name} WITH (FORCE)")

    def connections_cut(self, row):
        """PostgreSQL: all connections cut."""
        for _ in self.repeat(3):
            with self._database() as (url, name):
                run = self.fresh("cut", url=url)
                process = run.start()
                while process.poll() is None:
                    self.moment(0.1, 0.8)
                    if not run.watch():
                        continue  # a database that breaks off while it is being opened is refused: exit code 2
                    query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                    row.faults += len(execute(SERVER, query)) > 0
                run.check(row, self.expected("task"), {0})

    def server_stopped(self, row):
        """PostgreSQL: server stopped and started again."""
        if not CONTROL:
            row.skipped = "TRIMTAB_TEST_POSTGRES_CONTROL is not set"
            return
        for _ in self.repeat(2):
            with self._database() as (url, _):
                run = self.fresh("stopped", url=url)
                process = run.start()
                while process.poll() is None:
                    self.moment(1.0, 4.0)
                    if run.watch() and process.poll() is None:
                        self._control("stop")
                        row.faults += 1
                        self.moment(0.5, 4.0)
                        self._control("start")
                run.check(row, self.expected("task"), {0})

    @staticmethod
    def _control(what):
        subprocess.run([ROOT / ".ci" / "postgres", what, CONTROL], check=True, capture_output=True)

    def server_stalls(self, row):
        """PostgreSQL: server hangs (SIGSTOP) for some seconds."""
        if not CONTROL:
            row.skipped = "TRIMTAB_TEST_POSTGRES_CONTROL is not set"
            return
        main = int((Path(CONTROL) / "data" / "postmaster.pid").read_text().split()[0])
        for _ in self.repeat(2):
            with self._database() as (url, _):
                run = self.fresh("stalled", url=url)
                process = run.start()
                while process.poll() is None:
                    self.moment(1.0, 3.0)
                    if run.watch() and process.poll() is None:
                        server = [main, *(pid for pid, parent, _ in processes() if parent == main)]
                        for pid in server:
                            kill(pid, signal.SIGSTOP)
                        row.faults += 1
                        self.moment(0.5, 4.0)
                        for pid in server:
                            kill(pid, signal.SIGCONT)
                run.check(row, self.expected("task"), {0})

    def shared(self, row, clocks=False):
        """PostgreSQL shared by three programs, each killed at random and started again."""
        for _ in self.repeat(2):
            with self._database() as (url, _):
                run = self.fresh("shared", url=url, options=["--takeover", "5"])
                over = threading.Event()
                threads = [threading.Thread(target=self._machine, args=(run, row, over, clocks)) for _ in range(3)]
                for thread in threads:
                    thread.start()
                while run.watch() < ALL:
                    time.sleep(0.3)
                over.set()
                for thread in threads:
                    thread.join()
                run.check(row, self.expected("task"), {0, KILLED})

    def shared_with_clocks(self, row):
        """PostgreSQL shared by three programs whose clocks differ by years and jump, each killed at random."""
        if FAKETIME is None:
            row.skipped = "needs faketime"
            return
        self.shared(row, clocks=True)

    def _machine(self, run, row, over, clocks):
        """A machine whose program is killed now and then, until all is done; the last one may end by itself."""
        chooser = random.Random(self.chooser.random())
        place = run.directory / f"machine-{chooser.random()}"
        place.mkdir()
        while True:
            process = run.start(**(self._clock(place) if clocks else {}))
            wanted = run.started + chooser.randint(4, 9)  # by any of them, so that they get on
            while process.poll() is None and (run.started < wanted or over.is_set()):
                time.sleep(chooser.uniform(0.1, 0.5))
                if clocks:
                    self._set_clock(place)
            if process.poll() is not None:
                return
            kill(process.pid)
            row.faults += 1
            process.wait()


LOCAL = ("workers_killed", "program_killed", "interrupted", "terminated", "command_workers_killed")
LOCAL += ("command_program_killed", "disk_full", "disk_stays_full", "report_on_a_full_disk", "read_only", "clock_jumps")
ON_SERVERS = ("connections_cut", "server_stopped", "server_stalls", "shared", "shared_with_clocks")


def draw(rows):
    table = Table(box=None, header_style="bold")
    columns = (
        "fault",
        "runs",
        "trials",
        "faults",
        "run again",
        "lost",
        "twice",
        "different",
        "left over",
        "exit codes",
    )
    for column in (*columns, ""):
        table.add_column(column, justify="left" if column == "fault" else "right")
    for row in rows:
        numbers = (row.runs, row.trials, row.faults, row.rerun, row.lost, row.twice, row.different, row.left)
        codes = ", ".join(f"{code} x{count}" for code, count in sorted(row.codes.items()))
        trouble = f"FAILED: {row.wrong_codes} wrong exit codes, {row.traces} tracebacks"
        end = row.skipped or ("ok" if row.passed else trouble)
        table.add_row(row.fault, *map(str, numbers), codes, end)
    Console(width=200).print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many repetitions")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    rows = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="trimtab-faults-", ignore_cleanup_errors=True) as place:
        faults = Faults(Path(place), options.scale, options.seed)
        for name in (name for name in LOCAL + ON_SERVERS if options.only in name):
            scenario = getattr(faults, name)
            rows.append(Row(scenario.__doc__.rstrip(".")))
            if name in ON_SERVERS and not SERVER:
                rows[-1].skipped = "TRIMTAB_TEST_POSTGRES is not set"
            else:
                scenario(rows[-1])
            draw(rows[-1:])
    draw(rows)
    if options.json:
        facts = {
            "command": f"python benchmarks/faults.py --scale {options.scale:g}",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "seconds": round(time.monotonic() - start),
            "environment": environment(),
        }
        write_json(options.json, rows, facts)
    raise SystemExit(not all(row.passed for row in rows))


if __name__ == "__main__":
    main()

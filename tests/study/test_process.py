"""A program and whatever it starts end with their trial, however that ends."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trimtab.study import process
from trimtab.study.process import Lines, NotStartedError, process_group, run_process


def run(tmp_path, *arguments, **options):
    lines = []

    def on_line(line):
        lines.append(line)
        return False

    options = {"output": tmp_path / "output", "on_line": on_line, **options}
    with process_group(tmp_path / "lock") as group:
        return run_process(arguments, group=group, **options), lines


def python(text):
    return sys.executable, "-c", text


def gone(pid, seconds=20.0):
    """Waits for a process to end; one that only waits to be noticed by its parent has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def wait_for(path, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.05)
    return int(path.read_text())


GRANDCHILD = "sleep 1000 & echo $! > {pid}; wait"
STUBBORN = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! > {pid}; while :; do sleep 1; done"


def test_both_streams_are_read_line_by_line_and_kept(tmp_path):
    script = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); print('half', end='')"
    ended, lines = run(tmp_path, *python(script))
    assert (ended.how, ended.code) == ("exit", 0)
    assert lines == ["one", "two", "half"]
    assert (tmp_path / "output").read_text() == "one\ntwo\nhalf"


@pytest.mark.parametrize(("script", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_exit_codes_and_signals_are_told(tmp_path, script, code):
    ended, _ = run(tmp_path, *python(script))
    assert (ended.how, ended.code) == ("exit", code)


def test_a_program_that_is_not_there_is_an_error_and_leaves_nothing_behind(tmp_path):
    with pytest.raises(NotStartedError, match=r"cannot be started: .*'/nowhere/program'"):
        run(tmp_path, "/nowhere/program")
    run(tmp_path, "/bin/true")  # the lock is free


@pytest.mark.parametrize("script", [GRANDCHILD, STUBBORN])
def test_a_timeout_ends_grandchildren_too_even_those_that_will_not_go(tmp_path, script, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.2)
    pid = tmp_path / "pid"
    ended, _ = run(tmp_path, "/bin/sh", "-c", script.format(pid=pid), timeout=1.0)
    assert ended.how == "timeout"
    assert ended.code < 0
    assert gone(wait_for(pid))


SAVING = """
import signal, sys, time
def save(*_):
    time.sleep(0.4)
    open({path!r}, "w").write("saved")
    sys.exit()
signal.signal(signal.SIGTERM, save)
print("go", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("how", ["timeout", "stopped"])
def test_a_script_that_a_shell_has_started_has_time_to_save(tmp_path, how):
    (tmp_path / "save.py").write_text(SAVING.format(path=str(tmp_path / "saved")))
    # a shell ends at once when it is asked to
    arguments = "/bin/sh", "-c", f"{sys.executable} {tmp_path}/save.py; echo over"
    if how == "timeout":
        ended, _ = run(tmp_path, *arguments, timeout=3.0)
    else:
        ended, _ = run(tmp_path, *arguments, on_line=lambda line: line == "go")
    assert (ended.how, ended.code) == (how, -signal.SIGTERM)
    assert (tmp_path / "saved").read_text() == "saved"


def test_nobody_is_waited_for_when_all_have_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 60)
    script = "sleep 1000 & sleep 1001 & echo go; wait"
    ended, _ = run(tmp_path, "/bin/sh", "-c", script, on_line=lambda line: line == "go")
    assert ended.how == "stopped"
    assert ended.seconds < 30


LISTENING = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    print("deaf")
except KeyboardInterrupt:
    print("heard")
"""


def test_a_program_hears_of_an_interrupt_though_its_worker_does_not(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ended, lines = run(tmp_path, *python(LISTENING))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended.code, lines) == (0, ["heard"])


def test_a_launcher_may_end_what_it_put_into_another_group(tmp_path):
    launcher = f"""
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit(1)))
child.wait()
"""
    ended, _ = run(tmp_path, *python(launcher), timeout=2.0)
    assert ended.how == "timeout"
    assert gone(wait_for(tmp_path / "pid"))


def test_what_a_program_leaves_running_in_the_background_ends_with_it(tmp_path):
    pid = tmp_path / "pid"
    ended, _ = run(tmp_path, "/bin/sh", "-c", f"sleep 1000 & echo $! > {pid}")
    assert ended.how == "exit"
    assert gone(wait_for(pid))


def test_a_line_may_ask_for_the_end(tmp_path):
    asked = python("import time; print('enough', flush=True); time.sleep(1000)")
    ended, _ = run(tmp_path, *asked, on_line=lambda line: line == "enough")
    assert ended.how == "stopped"


WORKER = """
import sys
from pathlib import Path
from trimtab.study.process import process_group, run_process

out, script = Path(sys.argv[1]), sys.argv[2]
with process_group(out / "lock") as group:
    run_process(["/bin/sh", "-c", script], group=group, output=out / "worker", on_line=lambda line: False)
"""


def test_a_killed_worker_takes_the_program_and_its_children_along(tmp_path):
    script = f"echo $$ > {tmp_path}/child; sleep 1000 & echo $! > {tmp_path}/grandchild; wait"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, tmp_path, script])
    pids = [wait_for(tmp_path / "child"), wait_for(tmp_path / "grandchild")]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert all(gone(pid) for pid in pids)
    ended, lines = run(tmp_path, "/bin/echo", "again")  # which waits until the first attempt's last process is gone
    assert (ended.code, lines) == (0, ["again"])


def test_a_second_attempt_waits_for_the_last_process_of_the_first(tmp_path):
    script = f"trap '' TERM; while :; do echo x >> {tmp_path}/log; sleep 0.05; done"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, tmp_path, script])
    while not (tmp_path / "log").exists():
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    size = []
    run(tmp_path, "/bin/echo", "again", on_line=lambda line: bool(size.append((tmp_path / "log").stat().st_size)))
    time.sleep(0.5)
    assert size == [(tmp_path / "log").stat().st_size]


def test_many_that_wait_for_one_lock_have_it_one_after_the_other_and_leave_no_file(tmp_path):
    holding, most = [], []

    def hold(number):
        with process_group(tmp_path / "lock"):
            holding.append(number)
            most.append(len(holding))
            time.sleep(0.05)
            holding.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hold, range(12)))
    assert most == [1] * 12
    assert list(tmp_path.iterdir()) == []


def test_progress_bars_are_lines_and_bytes_that_are_no_text_are_no_trouble(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"10%\r20%\r")
    with path.open("rb", buffering=0) as written, path.open("ab", buffering=0) as file:
        lines = Lines(written)
        assert lines.new() == ["10%", "20%"]
        file.write(b"caf\xe9 \xff\nunfini")
        assert lines.new() == ["caf\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"]
        file.write(b"shed")
        assert lines.new() == []
        assert lines.new(last=True) == ["unfinished"]
        assert lines.new(last=True) == []


def test_a_program_may_remove_the_file_that_it_is_printing_to(tmp_path):
    ended, lines = run(tmp_path, "/bin/sh", "-c", f"echo one; sleep 0.3; rm {tmp_path}/output; echo two")
    assert (ended.code, lines) == (0, ["one", "two"])

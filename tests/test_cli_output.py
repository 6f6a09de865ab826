"""What the command line does where its output cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
full_disk = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")

RUNS = "candidate,seed,score\n" + "".join(f"{name},{seed},{seed / 10}\n" for name in "ab" for seed in range(3))
COMMANDS = [["list", "--json"], ["--help"], ["analyse", "runs.csv", "--minimize"]]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS, encoding="utf-8")
    return tmp_path


def trimtab(arguments, place, **streams):
    return subprocess.run([sys.executable, "-m", "trimtab", *arguments], cwd=place, check=False, text=True, **streams)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_where_nobody_reads_it_ends_as_other_programs_do(arguments, place):
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = trimtab(arguments, place, stdout=writes, stderr=subprocess.PIPE)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (141, "")


@full_disk
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_a_message(arguments, place):
    with FULL.open("w") as full:
        done = trimtab(arguments, place, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (3, "error: the output cannot be written (No space left on device)\n")


@full_disk
def test_where_not_even_the_message_can_be_written_the_code_is_the_same(place):
    with FULL.open("w") as full:
        assert trimtab(["--help"], place, stdout=full, stderr=full).returncode == 3


def test_other_exit_codes_are_as_they_were(place):
    done = trimtab(["analyse", "runs.csv"], place, capture_output=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--maximize or --minimize" in done.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_where_somebody_watches_it_says_at_once_what_takes_seconds_and_takes_it_back(place):
    reads, writes = os.openpty()
    try:
        env = {**os.environ, "TERM": "xterm"}
        done = trimtab(["analyse", "runs.csv", "--minimize"], place, env=env, stdout=subprocess.PIPE, stderr=writes)
    finally:
        os.close(writes)
    shown = os.read(reads, 4096).decode()
    os.close(reads)
    words, erased, rest = shown.partition("\r\x1b[2K")
    assert "loading torch ..." in words
    assert (bool(erased), rest) == (True, "")
    assert done.stdout.lstrip().startswith("rank candidate")


@pytest.mark.parametrize("terminal", ["dumb", "xterm"])
def test_where_nobody_watches_it_says_nothing_of_that(terminal, place):
    env = {**os.environ, "TERM": terminal}
    done = trimtab(["analyse", "runs.csv", "--minimize", "--json"], place, env=env, capture_output=True)
    assert "loading" not in done.stderr

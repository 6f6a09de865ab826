"""New processes for tests: forked from one that has imported torch, which takes longer than all that they do."""

import multiprocessing
import os
import runpy
import sys
import tempfile
import traceback
from multiprocessing.reduction import DupFd
from pathlib import Path

import torch

from trimtab.lab.work import NEEDED
from trimtab.study.starting import worker_context
from trimtab.testing import resume, saving
from trimtab.testing.support import require

AS_A_PROGRAM = saving.go_on_in_a_new_process
"""What the suite does for those who use it: a program of its own, which imports torch by itself."""


def in_a_new_process(function, *arguments, seconds=240, daemon=True):
    """Calls a function in a process that knows nothing of this one and can import it; returns what it returns."""
    context = worker_context(NEEDED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, function, arguments), daemon=daemon)
    process.start()
    theirs.close()
    try:
        assert ours.poll(seconds), f"it has not ended after {seconds} seconds"
        error, found = ours.recv()
    except EOFError:
        process.join(seconds)
        raise AssertionError(f"it ended with exit code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
    assert not error, error
    return found


def as_a_program(script, *arguments, directory):
    """Runs a script as ``python script arguments`` would, in a directory of its own; returns the lines it printed."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        files = [DupFd(file.fileno()) for file in (output, errors)]
        try:
            in_a_new_process(_run, script, arguments, directory, files, daemon=False)
        except AssertionError as error:
            errors.seek(0)
            raise AssertionError(f"{error}\n{errors.read()}") from None
        output.seek(0)
        return output.read().splitlines()


def _run(script, arguments, directory, files):
    for number, file in enumerate(files, start=1):
        os.dup2(file.detach(), number)
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    os.chdir(directory)
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(str(script), run_name="__main__")
    sys.stdout.flush()


def _call(connection, function, arguments):
    torch.set_num_threads(1)  # as in these tests: sums over several threads round differently
    try:
        answer = "", function(*arguments)
    except Exception:
        answer = traceback.format_exc(), None
    connection.send(answer)


def go_on(directory):
    """Stands for what the suite does, which its own tests try."""
    try:
        in_a_new_process(resume.main, directory)
    except AssertionError as error:
        require(False, f"the new process failed:\n{error}")

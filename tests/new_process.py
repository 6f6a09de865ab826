"""New processes for tests: forked from one that has imported torch, which takes longer than all that they do."""

import traceback

import torch

from trimtab.lab.starting import worker_context
from trimtab.testing import resume, saving
from trimtab.testing.support import require

AS_A_PROGRAM = saving.go_on_in_a_new_process
"""What the suite does for those who use it: a program of its own, which imports torch by itself."""


def in_a_new_process(function, *arguments, seconds=240):
    """Calls a function in a process that knows nothing of this one and can import it; returns what it returns."""
    context = worker_context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, function, arguments), daemon=True)
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

"""New processes for tests: forked from one that has imported torch, which takes longer than all that they do."""

import multiprocessing
import os
import runpy
import sys
import tempfile
import traceback
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import wait
from multiprocessing.reduction import DupFd
from pathlib import Path

import torch
from torch.distributed import TCPStore

from trimtab.compare import WORKERS_OF_COMMANDS, WORKERS_OF_TASKS
from trimtab.lab.blackbox.tuned_models import SVCDigits
from trimtab.lab.transforms.problem import TransformProblem
from trimtab.lab.work import NEEDED
from trimtab.study import starting
from trimtab.study.starting import worker_context
from trimtab.testing import resume, saving
from trimtab.testing.support import require

PRELOADED = (
    *WORKERS_OF_TASKS,
    *WORKERS_OF_COMMANDS,
    *SVCDigits.modules,
    *TransformProblem.modules,
    "trimtab.claims.work",
    "pytest",  # the program that workers of these tests import
    "torch._inductor.compile_fx",
    "torch.distributed.checkpoint.state_dict",
    "torch.distributed.fsdp",
)
"""What one test or another needs in its processes: with all of it at once, what they are forked from stays the same."""

AS_A_PROGRAM = saving.go_on_in_a_new_process
"""What the suite does for those who use it: a program of its own, which imports torch by itself."""


def preload():
    """Has the process that others are forked from import all that they will ask for, when it is started."""
    starting._imported.update(PRELOADED)


def in_two_processes(function, *arguments):
    """Calls a function in two processes that find each other as those of ``torchrun`` do."""
    return in_processes(2, function, *arguments)


def in_processes(count, function, *arguments):
    """Calls a function in several processes that find each other as those of ``torchrun`` do.

    What the first of them fails with is raised at once: the others would wait for it. Functions leave their process
    groups as they are: torch 2.13 joins gloo's threads when the last reference to one is gone, such as that of a model
    in DistributedDataParallel, and holds Python's lock meanwhile, which these threads may be waiting for.
    """
    with ranks(count) as environments, ExitStack() as entered:
        runs = [entered.enter_context(new_process(_as_rank, each, function, arguments)) for each in environments]
        answers = dict.fromkeys(range(count))
        waiting = {connection: (rank, process) for rank, (connection, process) in enumerate(runs)}
        while waiting:
            for connection in ready(list(waiting)):
                rank, process = waiting.pop(connection)
                answers[rank] = answer(connection, process)
    return list(answers.values())


@contextmanager
def ranks(count=2):
    """Yields the variables that ``torchrun`` gives to each of its processes.

    As there, the place where they find each other is this process's: a port that is only looked for could be somebody
    else's a moment later, and then one of the two would wait for the other.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    yield [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
    del store


def _as_rank(environment, function, arguments):
    os.environ |= environment
    return function(*arguments)


def in_a_new_process(function, *arguments, daemon=True):
    """Calls a function in a process that knows nothing of this one and can import it; returns what it returns."""
    with new_process(function, *arguments, daemon=daemon) as (connection, process):
        ready([connection])
        return answer(connection, process)


@contextmanager
def new_process(function, *arguments, daemon=True):
    """Yields where the answer of a process will come from, and the process, which ends with the block."""
    context = worker_context(NEEDED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, function, arguments), daemon=daemon)
    process.start()
    theirs.close()
    try:
        yield ours, process
    finally:
        process.kill()
        process.join()


def ready(connections, seconds=800):
    """Waits for the first answers."""
    found = wait(connections, seconds)
    assert found, f"nothing has come after {seconds} seconds"
    return found


def answer(connection, process):
    """Returns what the function has returned, or raises what it has."""
    try:
        error, found = connection.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"it ended with exit code {process.exitcode}") from None
    assert not error, error
    return found


def as_a_program(script, *arguments, directory, environment=None):
    """Runs a script as ``python script arguments`` would, in a directory of its own; returns the lines it printed."""
    variables = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **(environment or {})}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        files = [DupFd(file.fileno()) for file in (output, errors)]
        try:
            in_a_new_process(_run, script, arguments, directory, variables, files, daemon=False)
        except AssertionError as error:
            errors.seek(0)
            raise AssertionError(f"{error}\n{errors.read()}") from None
        output.seek(0)
        return output.read().splitlines()


def _run(script, arguments, directory, variables, files):
    for number, file in enumerate(files, start=1):
        os.dup2(file.detach(), number)
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    os.chdir(directory)
    os.environ |= variables
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
        require(False, f"the new process failed: {saving.last_words(str(error))}")

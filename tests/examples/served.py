"""Programs that need transformers, forked from one process that has imported it, which takes longer than all they do.

As a script, ``served.py SOCKET SCRIPT ARGUMENTS`` stands for ``python SCRIPT ARGUMENTS``.
"""

import contextlib
import json
import os
import runpy
import socket
import sys
import traceback
from multiprocessing.reduction import DupFd
from pathlib import Path


@contextlib.contextmanager
def serving(directory, environment):
    """Yields the socket under which a process runs scripts, each in a fork of its own."""
    from trimtab.lab.work import NEEDED
    from trimtab.study.starting import worker_context

    place = Path(directory) / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        process = worker_context(NEEDED).Process(
            target=_serve, args=(DupFd(listener.fileno()), environment), daemon=True
        )
        process.start()
        try:
            yield place
        finally:
            process.kill()
            process.join()


def _serve(listener, environment):
    os.environ |= environment
    import torch
    from transformers import BertForSequenceClassification, HfArgumentParser, Trainer  # noqa: F401 - for the forks

    torch.set_num_threads(1)
    with socket.socket(fileno=listener.detach()) as accepting:
        while True:
            connection, _ = accepting.accept()
            if os.fork() == 0:
                _run(connection)
            connection.close()


def _run(connection):
    code = 1
    try:
        message, streams, *_ = socket.recv_fds(connection, 2**16, 2)
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
        directory, script, *arguments = json.loads(message)
        os.chdir(directory)
        sys.argv = [script, *arguments]
        sys.path[0] = str(Path(script).parent)
        runpy.run_path(script, run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(b"%d" % code)
        os._exit(code)


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(sys.argv[1])
        socket.send_fds(asking, [json.dumps([str(Path.cwd()), *sys.argv[2:]]).encode()], [1, 2])
        sys.exit(int(asking.recv(8) or 1))

"""From what is typed on the command line to a task: a name that ships, or ``path/to/task.py:name``."""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from trimtab.lab.checks import check_text
from trimtab.lab.errors import InputError
from trimtab.lab.task import Task
from trimtab.lab.tasks import SHIPPED


def load_task(reference: str) -> Task:
    """Makes the task that a reference names.

    Args:
        reference: the name of a task that ships, or ``path/to/task.py:name``, where ``name`` is a :class:`Task`, a
            subclass of it, or a function without arguments that returns one.

    Raises:
        InputError: there is no such task, its file does not import, or it cannot be made.
    """
    check_text("task", reference)
    if reference in SHIPPED:
        module, _, name = SHIPPED[reference].partition(":")
        return _make(getattr(importlib.import_module(module), name), reference)
    path, name = _split(reference)
    module_object = _import_file(path)
    if not hasattr(module_object, name):
        tasks = [key for key, value in vars(module_object).items() if _is_task(value, module_object)]
        remedy = f"it defines {', '.join(tasks)}" if tasks else "it defines no Task"
        raise InputError(f"{path} has no {name!r}; {remedy}")
    return _make(getattr(module_object, name), reference)


def task_fingerprint(reference: str) -> str:
    """Returns what changes when the task's definition does: a hash of its file, or the name of one that ships."""
    check_text("task", reference)
    if reference in SHIPPED:
        return reference
    path, _ = _split(reference)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def absolute_reference(reference: str) -> str:
    """Returns a reference that means the same in a process with another current directory."""
    check_text("task", reference)
    if reference in SHIPPED:
        return reference
    path, name = _split(reference)
    return f"{path}:{name}"


def _split(reference: str) -> tuple[Path, str]:
    file, separator, name = reference.rpartition(":")
    if not separator or not file.endswith(".py"):
        raise InputError(
            f"unknown task {reference!r}: tasks that ship are {', '.join(SHIPPED)}; your own is path/to/task.py:name "
            "(`trimtab new-task` writes one to start from)"
        )
    try:
        path = Path(file).resolve()
        there = path.is_file()
    except OSError as error:  # a name that is too long, a directory that may not be entered
        raise InputError(f"{file} cannot be looked at: {error.strerror}") from error
    if not there:
        raise InputError(f"there is no file {file}, which the task {reference!r} is in")
    return path, name


def _import_file(path: Path) -> ModuleType:
    # a name of its own: two task files may have the same one, and neither may hide an installed module
    name = f"trimtab_task_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))  # as when it is run as a script, so that it can import its neighbours
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        line = _line_in(path, error)
        raise InputError(f"{path}{line} does not import: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _line_in(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno},"
    trace = error.__traceback__
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", line {line},"


def _is_task(value: object, module: ModuleType) -> bool:
    if isinstance(value, type):
        return issubclass(value, Task) and value.__module__ == module.__name__
    return isinstance(value, Task)


def _make(found: object, reference: str) -> Task:
    if isinstance(found, Task):
        return found
    if not callable(found):
        raise InputError(f"{reference} is a {type(found).__name__}, expected a Task, a subclass of it or a function")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise InputError(f"{reference} lacks {', '.join(f'{name}()' for name in missing)}")
    try:
        task = found()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{reference}: making the task raised {type(error).__name__}: {error}") from error
    if not isinstance(task, Task):
        raise InputError(f"{reference} made a {type(task).__name__}, expected a trimtab.Task")
    return task

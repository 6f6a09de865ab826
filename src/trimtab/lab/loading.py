"""From what is typed on the command line to a task: a name that ships, or ``path/to/task.py:name``."""

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from trimtab.lab.references import Reference, parse_reference
from trimtab.lab.task import Task
from trimtab.lab.tasks import SHIPPED
from trimtab.study.errors import InputError
from trimtab.study.suggestions import nearest


def load_task(reference: str) -> Task:
    """Makes the task that a reference names.

    Args:
        reference: the name of a task that ships, or ``path/to/task.py:name``, where ``name`` is a :class:`Task`, a
            subclass of it, or a function that returns one. Without a name, the only one in the file. In brackets may
            stand what a class or a function takes: ``task.py:Mine(width=64)``.

    Raises:
        InputError: there is no such task, its file does not import, or it cannot be made.
    """
    found = parse_reference(reference)
    if found.place in SHIPPED:
        module, _, name = SHIPPED[found.place].partition(":")
        return _make(getattr(importlib.import_module(module), name), found, found.place)
    path, name, module_object = _located(found.place)
    return _make(
        getattr(module_object, name), found, f"{path.name}:{name}" if found.place.endswith(".py") else found.place
    )


def task_fingerprint(reference: str) -> str:
    """Returns what changes when the task's definition does: a hash of its file, or the name of one that ships."""
    found = parse_reference(reference)
    if found.place in SHIPPED:
        return _with_files(found).text
    path, _ = _split(found.place)
    return f"{_hash(path)}{_with_files(found).brackets}"


def absolute_reference(reference: str) -> str:
    """Returns a reference that means the same in a process with another current directory."""
    found = parse_reference(reference)
    place = found.place
    if place not in SHIPPED:
        path, name, _ = _located(place)
        place = f"{path}:{name}"
    return _each_text(
        replace(found, place=place), lambda text: absolute_reference(text) if _names_file(text) else text
    ).text


def _with_files(reference: Reference) -> Reference:
    """The reference with a hash of the file in the place of each file that its brackets name."""
    return _each_text(reference, lambda text: f"{text}@{task_fingerprint(text)}" if _names_file(text) else text)


def _each_text(reference: Reference, change: Callable[[str], str]) -> Reference:
    """The reference with another text in the place of each in its brackets."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    settings = tuple((name, changed(value)) for name, value in reference.settings)
    return replace(reference, arguments=tuple(map(changed, reference.arguments)), settings=settings)


def _names_file(text: str) -> bool:
    """Whether a text in brackets is a reference to what is in a file."""
    file = parse_reference(text).place.rpartition(":")[0] or parse_reference(text).place
    return file.endswith(".py") and Path(file).is_file()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _located(reference: str) -> tuple[Path, str, ModuleType]:
    """Returns the file, the name of the task in it, and the file as a module."""
    path, name = _split(reference)
    module = _import_file(path)
    tasks = [key for key, value in vars(module).items() if _is_task(value, module)]
    if not name and len(tasks) == 1:
        return path, tasks[0], module
    there = f"it has {', '.join(tasks)}" if tasks else "there is no Task in it, nor a function that says it returns one"
    if not name:
        write = f"write {path.name}:{tasks[0]}, or another of them" if tasks else "write its name after a colon"
        raise InputError(f"which task of {path}? {there}: {write}")
    if not hasattr(module, name):
        raise InputError(f"{path} has no {name!r}; {nearest(name, tasks) if len(tasks) > 1 else there}")
    return path, name, module


def _split(reference: str) -> tuple[Path, str]:
    """Returns the file and the name, which is empty where none was given."""
    file, _, name = (reference, "", "") if reference.endswith(".py") else reference.rpartition(":")
    if not file.endswith(".py"):
        raise InputError(_unknown(reference))
    try:
        path = Path(file).resolve()
        there = path.is_file()
    except OSError as error:  # a name that is too long, a directory that may not be entered
        raise InputError(f"{file} cannot be looked at: {error.strerror}") from error
    if not there:
        raise InputError(f"there is no file {file}, which the task {reference!r} is in")
    return path, name


def _unknown(reference: str) -> str:
    """What to say where neither a task that ships nor a file is meant."""
    file, _, name = reference.partition(":")
    with contextlib.suppress(OSError, ValueError):
        if file and Path(f"{file}.py").is_file():
            return f"unknown task {reference!r}; did you mean {file}.py{':' * bool(name)}{name}?"
        if Path(file).is_file():
            return f"{file} is no Python file: a task is in one whose name ends in .py"
    near = nearest(reference, SHIPPED)
    ships = f" Those that ship are {', '.join(SHIPPED)}." if near.startswith("did you mean") else "."
    return (
        f"unknown task {reference!r}; {near}{ships} Your own is path/to/task.py, or path/to/task.py:name where "
        "there are several in it (`trimtab new-task` writes one to start from)"
    )


def _import_file(path: Path) -> ModuleType:
    # a name of its own: two task files may have the same one, neither may hide an installed module, and a file that was
    # edited since it was imported is another module
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    name = f"trimtab_task_{hashlib.sha256(str(path).encode() + content).hexdigest()[:12]}"
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
    """Whether something in a file is a task, can be made into one, or is a function that says that it returns one."""
    if isinstance(value, type):
        ours = issubclass(value, Task) and value.__module__ == module.__name__
        return ours and not getattr(value, "__abstractmethods__", ())
    if inspect.isfunction(value) and value.__module__ == module.__name__:
        returned = value.__annotations__.get("return")
        if isinstance(returned, str):
            returned = vars(module).get(returned)
        return isinstance(returned, type) and issubclass(returned, Task)
    return isinstance(value, Task)


def _make(found: object, asked: Reference, reference: str) -> Task:
    if isinstance(found, Task):
        if asked.brackets:
            raise InputError(f"{reference} is made already, and takes no settings: {asked.brackets}")
        return found
    if not callable(found):
        raise InputError(f"{reference} is a {type(found).__name__}, expected a Task, a subclass of it or a function")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise InputError(f"{reference} lacks {', '.join(f'{name}()' for name in missing)}")
    settings = dict(asked.settings)
    _check_settings(found, asked, reference)
    try:
        task = found(*asked.arguments, **settings)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{reference}: making the task raised {type(error).__name__}: {error}") from error
    if not isinstance(task, Task):
        raise InputError(f"{reference} made a {type(task).__name__}, expected a trimtab.Task")
    if asked.brackets and isinstance(task.name, str) and "(" not in task.name:
        task.name = f"{task.name}{asked.brackets}"  # its results are not those of other settings
    return task


def _check_settings(found: Callable[..., object], asked: Reference, reference: str) -> None:
    """Checks that what is in brackets can be handed over."""
    signature = inspect.signature(found)
    try:
        signature.bind(*asked.arguments, **dict(asked.settings))
    except TypeError as error:
        known = ", ".join(signature.parameters)
        raise InputError(
            f"{reference}{asked.brackets}: {error}; {f'it takes {known}' if known else 'it takes none'}"
        ) from None

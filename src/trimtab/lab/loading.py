"""From what is typed on the command line to a problem: a name that ships, a file and a name, a table, or a study."""

import contextlib
import functools
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from trimtab.lab.neighbours import importing_neighbours
from trimtab.lab.problem import Problem
from trimtab.lab.references import STUDY, Reference, parse_reference
from trimtab.lab.shipped import PROBLEMS
from trimtab.lab.tables.references import in_one_order, is_table, other_table
from trimtab.study.errors import InputError
from trimtab.study.suggestions import closest, nearest

if TYPE_CHECKING:
    from trimtab.lab.task import Task


def load_task(reference: str) -> "Task":
    """Makes the training task that a reference names; see :func:`load_problem`.

    Raises:
        InputError: there is none, or it is another kind of problem.
    """
    from trimtab.lab.task import Task

    found = load_problem(reference)
    if not isinstance(found, Task):
        raise InputError(f"{reference} is a problem for {found.slot}s; this needs a training task, such as digits")
    return found


def load_problem(reference: str) -> Problem:
    """Makes the problem that a reference names.

    Args:
        reference: the name of a problem that ships, or ``path/to/file.py:name``, where ``name`` is a
            :class:`~trimtab.lab.problem.Problem`, such as a task, a subclass of it, a function that returns one, or an
            objective of Optuna's, a function of a trial.
            Without a name, the only one in the file. In brackets may stand what a class or a function takes:
            ``task.py:Mine(width=64)``. Or a table, with the column that is to be learned: ``data.csv(target=price)``.
            Or a finished study of Optuna's: ``study:sqlite:///old.db#name``.

    Raises:
        InputError: there is no such problem, its file does not import, or it cannot be made.
    """
    asked = parse_reference(reference)
    return _make(*_named(asked), _with_table(asked))


def parameters(reference: str) -> tuple[inspect.Parameter, ...]:
    """Returns what may stand in a reference's brackets.

    Raises:
        InputError: there is no such problem.
    """
    asked = parse_reference(reference)
    found, _ = _named(asked)
    taken = () if isinstance(found, Problem) else tuple(inspect.signature(found).parameters.values())
    return (*(taken[1:] if is_table(asked.place) else taken), *_options(found, taken))  # the first is the table itself


def _options(found: object, taken: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """Returns what any problem of its kind can be told in brackets, beside what its own class takes."""
    names = [each.name for each in taken]
    free = found.options if isinstance(found, type) and issubclass(found, Problem) else ()
    kind = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(n, kind, default=getattr(found, n)) for n in free if n not in names]


def _named(asked: Reference) -> tuple[Any, str]:
    """Returns what a reference names, and how messages call it."""
    if asked.place in PROBLEMS:
        return PROBLEMS[asked.place].load(), asked.place
    if is_table(asked.place):
        from trimtab.lab.tables.task import TableTask

        return TableTask, asked.place
    if asked.place.startswith(STUDY):
        from trimtab.lab.blackbox.finished_study import shown_place
        from trimtab.lab.blackbox.replayed_study import ReplayedStudy

        place = asked.place.removeprefix(STUDY)
        return functools.partial(ReplayedStudy, place), f"{STUDY}{shown_place(place)}"
    path, name, module_object = _located(asked.place)
    found = getattr(module_object, name)
    if _is_objective(found):
        from trimtab.lab.blackbox.objective import Objective

        found = functools.partial(Objective, found)
    return found, f"{path.name}:{name}" if asked.place.endswith(".py") else asked.place


def _is_objective(found: object) -> bool:
    """Tells whether something is an objective of Optuna's: called with a trial, and with nothing else that it needs."""
    if isinstance(found, type | Problem) or not callable(found):
        return False
    if inspect.isfunction(found) and _returns_problem(found):
        return False
    taken = [each for each in inspect.signature(found).parameters.values() if each.default is each.empty]
    if len(taken) != 1 or taken[0].kind not in (taken[0].POSITIONAL_ONLY, taken[0].POSITIONAL_OR_KEYWORD):
        return False
    annotation = taken[0].annotation
    written = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return taken[0].name == "trial" or written.rpartition(".")[2] in ("Trial", "BaseTrial")


def fingerprint(reference: str) -> str:
    """Returns what changes when a problem's definition does: a hash of its file or its trials, and its name."""
    found = parse_reference(reference)
    if found.place in PROBLEMS:
        return _with_files(found).text
    if is_table(found.place):
        return _of_file(reference)
    if found.place.startswith(STUDY):
        from trimtab.lab.blackbox.finished_study import read_finished

        study = read_finished(found.place.removeprefix(STUDY))
        return f"{STUDY}{study.fingerprint()}#{study.name}{found.brackets}"
    path, name, _ = _located(found.place)
    return f"{file_hash(path)}:{name}{_with_files(found).brackets}"


def _of_file(text: str) -> str:
    """What changes when a file does that a text names, and what is meant in it."""
    found = parse_reference(text)
    if is_table(found.place):
        return f"{file_hash(Path(found.place))}{in_one_order(found).brackets.casefold()}"
    path, name = _split(found.place)
    return f"{file_hash(path)}:{name}{_with_files(found).brackets}"


def absolute_reference(reference: str) -> str:
    """Returns a reference that means the same in a process with another current directory."""
    found = parse_reference(reference)
    place = found.place
    if is_table(place):  # whose brackets hold names of columns
        return replace(found, place=str(Path(place).resolve())).text
    if place.startswith(STUDY):
        from trimtab.lab.blackbox.finished_study import absolute_place

        place = f"{STUDY}{absolute_place(place.removeprefix(STUDY))}"
    elif place not in PROBLEMS:
        path, name, _ = _located(place)
        place = f"{path}:{name}"
    return _each_text(replace(found, place=place), _absolute_text).text


def _absolute_text(text: str) -> str:
    """A text in brackets so that it means the same elsewhere."""
    if _names_file(text):
        return absolute_reference(text)
    return _FILE.sub(lambda found: str(Path(found[0]).resolve()) if Path(found[0]).is_file() else found[0], text)


def _with_files(reference: Reference) -> Reference:
    """The reference with a hash of the file in the place of each file that its brackets name."""
    return _each_text(reference, _hashed_text)


def _hashed_text(text: str) -> str:
    """A text in brackets with a hash in the place of each file."""
    if _names_file(text):
        return _of_file(text)
    return _FILE.sub(lambda found: file_hash(Path(found[0])) if Path(found[0]).is_file() else found[0], text)


_FILE = re.compile(r"[^\s,()+=:'\"]+\.py(?=:[A-Za-z_])")
"""A file within another text, as an optimizer's expression is: ``clip(own.py:Mine)``."""


def _each_text(reference: Reference, change: Callable[[str], str]) -> Reference:
    """The reference with another text in the place of each in its brackets."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    settings = tuple((name, changed(value)) for name, value in reference.settings)
    return replace(reference, arguments=tuple(map(changed, reference.arguments)), settings=settings)


def _names_file(text: str) -> bool:
    """Whether a text in brackets is a reference to what is in a file."""
    try:
        found = parse_reference(text)
    except InputError:  # it is another text, with brackets of its own
        return False
    file = found.place.rpartition(":")[0] or found.place
    # a table without brackets is what somebody's own task reads
    return (file.endswith(".py") or (is_table(file) and bool(found.brackets))) and Path(file).is_file()


def _with_table(asked: Reference) -> Reference:
    """The reference with its file as the first argument, if that is a table."""
    return replace(asked, arguments=(asked.place, *asked.arguments)) if is_table(asked.place) else asked


def file_hash(path: Path) -> str:
    """Returns what changes when a file does."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _located(reference: str) -> tuple[Path, str, ModuleType]:
    """Returns the file, the name of the problem in it, and the file as a module."""
    path, name = _split(reference)
    module = import_file(path)
    problems = [key for key, value in vars(module).items() if _is_problem(value, module)]
    if not name and len(problems) == 1:
        return path, problems[0], module
    none = "there is no Task or other problem in it, nor a function that says it returns one"
    there = f"it has {', '.join(problems)}" if problems else none
    if not name:
        write = f"write {path.name}:{problems[0]}, or another of them" if problems else "write its name after a colon"
        raise InputError(f"which problem of {path}? {there}: {write}")
    if not hasattr(module, name):
        raise InputError(f"{path} has no {name!r}; {nearest(name, problems) if len(problems) > 1 else there}")
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
        raise InputError(f"there is no file {file}, which the problem {reference!r} is in")
    return path, name


def _unknown(reference: str) -> str:
    """What to say where neither a problem that ships nor a file is meant."""
    file, _, name = reference.partition(":")
    with contextlib.suppress(OSError, ValueError):
        if file and Path(f"{file}.py").is_file():
            return f"unknown problem {reference!r}; did you mean {file}.py{':' * bool(name)}{name}?"
        if is_table(file) and name:
            return f"{reference} is none: the column of a table is written {file}(target={name})"
        if other := other_table(file):
            return other
        if Path(file).is_file():
            return f"{file} is no Python file: a problem is in one whose name ends in .py, a table in .csv or .tsv"
    near = nearest(reference, PROBLEMS)
    ships = f" Those that ship are {', '.join(PROBLEMS)}." if near.startswith("did you mean") else "."
    return (
        f"unknown problem {reference!r}; {near}{ships} Your own is path/to/file.py, or path/to/file.py:name where "
        "there are several in it (`trimtab new-problem` writes one to start from)"
    )


def import_file(path: Path) -> ModuleType:
    """Imports a file as a module of its own.

    Raises:
        InputError: it cannot be read or does not import, or would import a neighbour of another file's.
    """
    # a name of its own: two files may have the same one, neither may hide an installed module, and a file that was
    # edited since it was imported is another module
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    name = f"trimtab_problem_{hashlib.sha256(str(path).encode() + content).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    with importing_neighbours(path):
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[name]
            if not isinstance(error, Exception | SystemExit):
                raise
            line = _line_in(path, error)
            raise InputError(f"{path}{line} does not import: {type(error).__name__}: {error}") from error
    return module


def _line_in(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno},"
    trace = error.__traceback__
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", line {line},"


def _is_problem(value: object, module: ModuleType) -> bool:
    """Whether something in a file is a problem, can be made into one, or a function that says it returns one.

    So can an objective of Optuna's.
    """
    if isinstance(value, type):
        ours = issubclass(value, Problem) and value.__module__ == module.__name__
        return ours and not getattr(value, "__abstractmethods__", ())
    if inspect.isfunction(value) and value.__module__ == module.__name__:
        return _returns_problem(value) or _is_objective(value)
    return isinstance(value, Problem)


def _returns_problem(function: Any) -> bool:
    returned = function.__annotations__.get("return")
    if isinstance(returned, str):
        returned = function.__globals__.get(returned)
    return isinstance(returned, type) and issubclass(returned, Problem)


def _make(found: object, reference: str, asked: Reference) -> Problem:
    if isinstance(found, Problem):
        if asked.brackets:
            raise InputError(f"{reference} is made already, and takes no settings: {asked.brackets}")
        return found
    if not callable(found):
        raise InputError(
            f"{reference} is a {type(found).__name__}, expected a problem, such as a Task, a class of one or a function"
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise InputError(f"{reference} lacks {', '.join(f'{name}()' for name in missing)}")
    options = [each.name for each in _options(found, tuple(inspect.signature(found).parameters.values()))]
    settings = {name: value for name, value in asked.settings if name not in options}
    own = replace(asked, settings=tuple(settings.items()))
    _check_settings(found, own, reference, options)
    try:
        problem = found(*asked.arguments, **settings)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{reference}: making the problem raised {type(error).__name__}: {error}") from error
    if not isinstance(problem, Problem):
        raise InputError(f"{reference} made a {type(problem).__name__}, expected a problem, such as a trimtab.Task")
    for name in options:
        if name in dict(asked.settings):
            setattr(problem, name, dict(asked.settings)[name])
    if asked.brackets and not is_table(asked.place) and isinstance(problem.name, str) and "(" not in problem.name:
        problem.name = f"{problem.name}{asked.brackets}"  # its results are not those of other settings
    return problem


def _check_settings(found: Callable[..., object], asked: Reference, reference: str, options: Sequence[str]) -> None:
    """Checks that what is in brackets can be handed over."""
    signature = inspect.signature(found)
    table = int(is_table(asked.place))  # it is the first argument itself, and stands in no brackets
    known = list(signature.parameters)[table:]
    takes = f"it takes {', '.join([*known, *options]) or 'none'}"
    for name, value in asked.settings:
        default = signature.parameters[name].default if name in known else None
        if isinstance(default, bool) and isinstance(value, str):
            raise InputError(
                f"{reference}: {name} is a switch, {default} by default, and {value!r} neither True nor False"
            )
        if name not in known and not any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values()):
            near = closest(name, [*known, *options])
            meant = f"did you mean {' or '.join(near)}? I{takes[1:]}" if near else takes
            raise InputError(f"{reference} has no setting {name!r}; {meant}")
    try:
        signature.bind(*asked.arguments, **dict(asked.settings))
    except TypeError as error:
        brackets = replace(asked, arguments=asked.arguments[table:]).brackets
        raise InputError(f"{reference}{brackets}: {error}; {takes}") from None

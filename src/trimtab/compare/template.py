"""A commented task file for people to start from."""

from importlib import resources
from pathlib import Path

from trimtab.study.checks import check_path
from trimtab.study.errors import InputError

CLASS_NAME = "MyTask"


def write_template(path: str | Path) -> str:
    """Writes the template and returns the name of the task in it.

    Raises:
        InputError: the file exists, is not to be a Python file, or its directory does not exist.
    """
    check_path("path", path)
    path = Path(path)
    if path.suffix != ".py":
        offer = f": {path.name}.py" if path.name and not path.suffix else ""
        raise InputError(f"{path}: a task is a Python file, its name has to end in .py{offer}")
    text = resources.files("trimtab.compare").joinpath("task_template.py.txt").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no directory {path.parent}") from None
    except FileExistsError:
        raise InputError(f"{path} exists already; choose another name") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    return CLASS_NAME

"""A commented file for people to start from, of each slot."""

from importlib import resources
from pathlib import Path

from trimtab.catalog.slots import SLOTS
from trimtab.study.checks import check_path, check_text
from trimtab.study.errors import InputError


def write_template(path: str | Path, slot: str = "optimizer") -> str:
    """Writes the template of a slot and returns the name of the problem in it.

    Raises:
        InputError: there is no template of the slot, the file exists, is not to be a Python file, or its directory does
            not exist.
    """
    check_text("slot", slot)
    templates = {name: each.template for name, each in SLOTS.items() if each.template}
    if slot not in templates:
        raise InputError(f"slot={slot!r}: there are templates of problems for {', '.join(templates)}")
    check_path("path", path)
    path = Path(path)
    if path.suffix != ".py":
        offer = f": {path.name}.py" if path.name and not path.suffix else ""
        raise InputError(f"{path}: a problem is in a Python file, its name has to end in .py{offer}")
    text = resources.files("trimtab.compare").joinpath(f"templates/{slot}.py.txt").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("{file}", path.name))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no directory {path.parent}") from None
    except FileExistsError:
        raise InputError(f"{path} exists already; choose another name") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    return templates[slot]

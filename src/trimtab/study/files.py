"""Writing files so that a reader never sees half of one."""

import contextlib
import os
from pathlib import Path

from trimtab.study.checks import check_path
from trimtab.study.errors import InputError, UnwritableError


def write_atomically(path: str | Path, text: str) -> Path:
    """Writes a text file in one go: whatever happens, the path holds the old content or the new.

    Args:
        path: of the file; its directory is made if it is missing.
        text: its content. Lone surrogates, which tracebacks may hold, are written as escapes.

    Returns:
        The path.

    Raises:
        UnwritableError: the operating system refuses.
        InputError: what is given is no path, or no text.
    """
    check_path("path", path)
    if not isinstance(text, str):
        raise InputError(f"text={text!r}: a text is needed")
    path = Path(path)
    try:
        _write(path, text)
    except OSError as error:
        raise UnwritableError(
            f"{path} cannot be written ({error.strerror or error}); the results themselves are kept, and the same "
            "command writes it when that is mended"
        ) from error
    return path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(text.encode("utf-8", errors="backslashreplace"))
            file.flush()
            os.fsync(file.fileno())  # or a power failure could leave the new name with no content
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)

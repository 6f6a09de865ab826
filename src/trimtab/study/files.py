"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trimtab.study.checks import check_path
from trimtab.study.errors import InputError, UnwritableError


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """Writes a file in one go: whatever happens, the path holds the old content or the new.

    Args:
        path: of the file; its directory is made if it is missing.
        content: of it. Lone surrogates in a text, which tracebacks may hold, are written as escapes.

    Returns:
        The path.

    Raises:
        UnwritableError: the operating system refuses.
        InputError: what is given is no path, or neither text nor bytes.
    """
    check_path("path", path)
    if not isinstance(content, str | bytes):
        raise InputError(f"content={content!r}: a text or bytes are needed")
    path = Path(path)
    try:
        _write(path, content.encode("utf-8", errors="backslashreplace") if isinstance(content, str) else content)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def try_directory(directory: str | Path) -> None:
    """Tries whether files can be written into a directory, before work whose results would be lost.

    It leaves nothing behind: where the directory is missing, the nearest one above it that is there is tried.

    Args:
        directory: to write to, which may be missing.

    Raises:
        UnwritableError: the operating system refuses.
        InputError: what is given is no path.
    """
    check_path("directory", directory)
    place = Path(directory).absolute()
    try:
        with tempfile.TemporaryFile(dir=next(each for each in (place, *place.parents) if each.exists())):
            pass
    except OSError as error:
        raise _unwritable(Path(directory), error) from error


@contextlib.contextmanager
def from_store() -> Iterator[None]:
    """Says that results are kept where they are in a store and a file that is made of them cannot be written.

    Raises:
        UnwritableError: one that was raised within, in more words.
    """
    try:
        yield
    except UnwritableError as error:
        raise UnwritableError(
            f"{error}; the results themselves are kept, and the same command writes it when that is mended"
        ) from error


def _unwritable(path: Path, error: OSError) -> UnwritableError:
    return UnwritableError(f"{path} cannot be written ({error.strerror or error})")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # not by the process's number: in two containers that share the directory it may be the same
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power failure could leave the new name with no content
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)

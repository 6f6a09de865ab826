"""What a problem needs before a candidate begins, and no candidate pays for: trained networks, made once a seed.

An artefact is made by whichever worker first needs it, under a lock of the operating system, which falls open when its
holder dies. It is written to a temporary file that is then given its name, so that nothing half-made is ever seen, and
its file begins with a hash of the rest: what was damaged is made anew. Machines that share a study through a database
alone each make their own, which are the same, because all randomness comes from the seed.
"""

import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from trimtab.lab.problem import Workplace
from trimtab.study.errors import UnfitWorkerError, UnwritableError
from trimtab.study.files import write_atomically

_HASH = 64
"""Characters of a hash at the beginning of a file."""


@dataclass(frozen=True)
class Artefact:
    """Something that was prepared.

    Args:
        content: plain values and tensors, on the CPU.
        seconds: how long it took to make, whoever did.
    """

    content: Any
    seconds: float


def prepared(
    place: Workplace, name: str, definition: Mapping[str, Any], seed: int, make: Callable[[], Any]
) -> Artefact:
    """Returns an artefact, and makes it if nobody has.

    Args:
        place: where runs take place; artefacts lie beside their directory, in ``prepared``.
        name: of the artefact, for people.
        definition: plain values; artefacts of equal definitions and seeds are the same.
        seed: of all randomness in it.
        make: makes it: plain values and tensors that ``torch.load(..., weights_only=True)`` accepts.

    Raises:
        UnfitWorkerError: it cannot be kept here.
    """
    path = directory_of(place, name, definition) / f"{seed}.pt"
    found = _read(path)
    if found is not None:
        return found
    lock = FileLock(path.with_suffix(".lock"))
    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        found = _read(path)
        return _made(path, make) if found is None else found
    finally:
        lock.release()


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnwritableError) as error:
        raise UnfitWorkerError(f"{path}, which all candidates need, cannot be kept: {error}") from error


def directory_of(place: Workplace, name: str, definition: Mapping[str, Any]) -> Path:
    """Returns where the artefacts of a definition are."""
    text = json.dumps(definition, sort_keys=True)
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60]
    return place.directory.parent / "prepared" / f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _made(path: Path, make: Callable[[], Any]) -> Artefact:
    for left in path.parent.glob(f".{path.name}.*"):  # by somebody who was killed while writing
        left.unlink(missing_ok=True)
    start = time.perf_counter()
    artefact = Artefact(make(), time.perf_counter() - start)
    buffer = io.BytesIO()
    torch.save({"content": artefact.content, "seconds": artefact.seconds}, buffer)
    content = buffer.getvalue()
    with _disk(path):
        write_atomically(path, hashlib.sha256(content).hexdigest().encode() + content)
    return artefact


def _read(path: Path) -> Artefact | None:
    """Returns what a file holds; ``None`` if it is missing or damaged."""
    with _disk(path):
        try:
            whole = path.read_bytes()
        except FileNotFoundError:
            return None
    if hashlib.sha256(whole[_HASH:]).hexdigest().encode() != whole[:_HASH]:
        return None
    found = torch.load(io.BytesIO(whole[_HASH:]), weights_only=True, map_location="cpu")
    return Artefact(found["content"], found["seconds"])

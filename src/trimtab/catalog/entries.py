"""What there is: every method and baseline, from one TOML file a family."""

import functools
import importlib
import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any, Literal, cast

from trimtab.study.errors import InputError
from trimtab.study.suggestions import nearest
from trimtab.study.tunable import Tunables, Value

KINDS = ("method", "wrapper", "controller", "baseline")


@dataclass(frozen=True)
class Entry:
    """A method or baseline, with what there is to know about it.

    Args:
        id: the name that candidates are written with.
        family: the family that it belongs to.
        title: its full name.
        kind: ``method`` (ours, after a paper), ``wrapper`` (a method around an optimizer), ``controller`` (a method
            beside one, which sets its pace) or ``baseline`` (the host's own).
        summary: what it does, in a line.
        adapts: the knob that it turns.
        signal: what it watches.
        when: where it is worth a try.
        when_not: where it is not.
        object: where the class is, as ``module:name``.
        extra: the part of ``trimtab[...]`` that brings the package which it is from, if it is not required.
        session: where a controller for sessions is, as ``module:name``; ``object`` is the one for a loop of one's own.
        inner: id of the optimizer that examples of a wrapper or a controller go around.
        paper: title of its paper.
        authors: of the paper.
        year: of the paper.
        arxiv: identifier of the paper.
        situation: where its claim's verdicts say something; methods that one reader chooses between share it.
        tunables: where the ranges of its settings are, as ``module:name``; the class's own ``tunables`` if absent.
        settings: values that it is built with unless told otherwise.
        step: what stands in a loop of one's own instead of ``loss.backward()`` or ``optimizer.step()``, where these
            will not do.
        aliases: other names.
        keywords: what else a search should find it by.
    """

    id: str
    family: str
    title: str
    kind: Literal["method", "wrapper", "controller", "baseline"]
    summary: str
    adapts: str
    signal: str
    when: str
    when_not: str
    object: str
    paper: str
    authors: str
    year: int
    arxiv: str | None = None
    extra: str | None = None
    session: str | None = None
    inner: str = "adamw"
    situation: str | None = None
    tunables: str | None = None
    settings: dict[str, Value] = field(default_factory=dict)
    step: str | None = None
    aliases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    def load(self) -> type[Any]:
        """Imports the class; of a controller, the one for sessions.

        Raises:
            InputError: it belongs to a package that is not installed; the message says what installs it.
        """
        try:
            return cast(type[Any], _import(self.session or self.object))
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise InputError(f"{self.id} needs {error.name}: pip install 'trimtab[{self.extra}]'") from error

    @property
    def around(self) -> bool:
        """Whether it goes around an optimizer."""
        return self.kind in ("wrapper", "controller")

    def load_tunables(self) -> Tunables:
        """Imports the ranges of its settings."""
        return cast(Tunables, self.load().tunables if self.tunables is None else _import(self.tunables))

    @property
    def citation(self) -> str:
        """Authors, year, title and identifier in a line."""
        where = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors} ({self.year}). {self.paper}{where}"


def _import(path: str) -> object:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


@functools.cache
def entries() -> dict[str, Entry]:
    """Returns all entries by id: methods, wrappers, controllers, baselines, each alphabetically."""
    found = []
    for file in resources.files("trimtab.catalog").iterdir():
        if file.name.endswith(".toml"):
            family = file.name.removesuffix(".toml")
            table = tomllib.loads(file.read_text(encoding="utf-8"))
            found += [_entry(name, family, values) for name, values in table.items()]
    found.sort(key=lambda entry: (KINDS.index(entry.kind), entry.id))
    return {entry.id: entry for entry in found}


def _entry(name: str, family: str, values: dict[str, Any]) -> Entry:
    unknown = values.keys() - {f.name for f in fields(Entry)}
    if unknown:
        raise ValueError(f"{family}.toml, [{name}]: unknown keys {', '.join(sorted(unknown))}")
    known: dict[str, Any] = {"id": name, "family": family, **values}
    frozen: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in known.items()}
    return Entry(**frozen)


def families() -> list[str]:
    """Returns the names of the families."""
    return sorted({entry.family for entry in entries().values()})


def find(name: str) -> Entry:
    """Returns the entry with an id or alias, whatever its case.

    Raises:
        InputError: there is none; the message offers the nearest names.
    """
    wanted = name.strip().lower()
    for entry in entries().values():
        if wanted in (entry.id, *entry.aliases):
            return entry
    names = [alias for entry in entries().values() for alias in (entry.id, *entry.aliases) if alias.isidentifier()]
    everything = "`trimtab list` shows all, `trimtab search WORDS` finds them by what they do"
    raise InputError(f"unknown method {name!r}; {nearest(wanted, names, everything)}")


def search(query: str) -> list[Entry]:
    """Finds entries in which a word of the query begins some word, the best match first.

    An entry that matches more words is the better one; of those with equally many, a match in the names counts more
    than one in the keywords, and that more than one in the prose.
    """
    words = query.lower().split()
    scored = [(_score(entry, words), entry) for entry in entries().values()]
    return [entry for score, entry in sorted(scored, key=lambda pair: pair[0], reverse=True) if score[0]]


def _score(entry: Entry, words: list[str]) -> tuple[int, int]:
    """How many words match, and how well."""
    names = " ".join((entry.id, entry.title, *entry.aliases))
    prose = " ".join((entry.summary, entry.adapts, entry.signal, entry.when, entry.paper, entry.authors, entry.family))
    weighted = [(8, names), (4, " ".join(entry.keywords)), (1, prose)]
    best = [
        max((weight for weight, text in weighted if any(w.startswith(word) for w in text.lower().split())), default=0)
        for word in words
    ]
    return sum(map(bool, best)), sum(best)

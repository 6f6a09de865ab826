"""A command with places to be filled: ``python train.py --opt {optimizer} --lr {lr} --seed {seed}``.

``{name}`` is replaced by a value, ``{name:.0f}`` by the value in one of Python's formats, ``{{`` and ``}}`` by braces.
"""

import contextlib
import functools
import itertools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.study.checks import check_flag, check_text
from trimtab.study.errors import InputError
from trimtab.study.tunable import Settings, Value

_CODE = (".py", ".sh", ".yaml", ".yml", ".toml", ".ini", ".cfg")
_LARGEST_FILE = 1 << 20

_PART = re.compile(r"""(?:\{[A-Za-z_]\w*(?::[^{}]*)?\}|[^\s'"`=,:;|&<>()\[\]])+""")
"""What stands between the signs of options, lists and shells, places being whole."""

_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[A-Za-z_]\w*)(?::(?P<form>[^{}]*))?\}|(?P<stray>[{}])")


@dataclass(frozen=True)
class _Place:
    name: str
    form: str

    def text(self, values: Settings) -> str:
        value = values[self.name]
        return format(value, self.form) if self.form else _plain(value)


def _plain(value: Value) -> str:
    """A number in as few digits as make it that number."""
    return repr(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Template:
    """A text with places to be filled.

    Args:
        text: what was written.

    Raises:
        InputError: a brace has no partner, or what is in braces is no name; the message points at it.
    """

    text: str

    def __post_init__(self) -> None:
        check_text("template", self.text)
        _ = self._pieces

    @functools.cached_property
    def _pieces(self) -> tuple[str | _Place, ...]:
        pieces: list[str | _Place] = []
        start = 0
        for match in _PIECE.finditer(self.text):
            pieces.append(self.text[start : match.start()])
            start = match.end()
            if match["stray"]:
                raise InputError(pointing(self.text, match.start(), _stray(match["stray"])))
            pieces.append(_Place(match["name"], match["form"] or "") if match["name"] else match[0][0])
        return (*pieces, self.text[start:])

    @property
    def names(self) -> tuple[str, ...]:
        """The names in braces, in the order in which they first stand there."""
        return tuple(dict.fromkeys(piece.name for piece in self._pieces if isinstance(piece, _Place)))

    def place(self, name: str) -> int:
        """Returns where a name first stands."""
        return next(m.start() for m in _PIECE.finditer(self.text) if m["name"] == name)

    def filled(self, values: Settings, quoted: bool = False) -> str:
        """Returns the text with every place filled.

        Args:
            values: name to value.
            quoted: quotes values for a shell, where they need it.

        Raises:
            InputError: a value does not have the format that the place asks for.
        """
        return "".join(
            piece if isinstance(piece, str) else self._value(piece, values, quoted) for piece in self._pieces
        )

    def _value(self, place: _Place, values: Settings, quoted: bool) -> str:
        try:
            text = place.text(values)
        except (ValueError, TypeError, OverflowError, MemoryError) as error:
            words = f"{values[place.name]!r} cannot be written in the format {place.form!r} ({error})"
            raise InputError(pointing(self.text, self.place(place.name), words)) from None
        return shlex.quote(text) if quoted else text


def _stray(brace: str) -> str:
    partner = "opens and is not closed after a name" if brace == "{" else "closes and was not opened"
    return f"this brace {partner}; a brace that is meant as such is written twice: {brace * 2}"


@dataclass(frozen=True)
class Command:
    """A command line with places to be filled.

    Without a shell the line is split into arguments first and filled afterwards, so that a value never becomes two
    arguments, whatever is in it.

    Args:
        text: the line.
        shell: whether a shell is to read it; values are then quoted for it.

    Raises:
        InputError: the line is empty, a quote is not closed, or a brace has no partner.
    """

    text: str
    shell: bool = False

    def __post_init__(self) -> None:
        check_text("command", self.text)
        check_flag("shell", self.shell)
        if not self.text.strip():
            raise InputError("the command is empty; an example is: python train.py --lr {lr} --seed {seed}")
        _ = Template(self.text)  # points into the line as it was written
        if not self.shell:
            _ = self._arguments

    @functools.cached_property
    def _arguments(self) -> tuple[Template, ...]:
        try:
            return tuple(Template(word) for word in shlex.split(self.text))
        except InputError:
            raise InputError(f"a place of the command is cut in two by a quote or a blank: {self.text}") from None
        except ValueError:
            at = max(self.text.rfind('"'), self.text.rfind("'"))
            raise InputError(pointing(self.text, at, "this quote is not closed")) from None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in braces."""
        return Template(self.text).names

    def words(self) -> tuple[str, ...]:
        """Returns the words of the line as they were written, the program first."""
        if self.shell:
            return tuple(self.text.split())
        return tuple(word.text for word in self._arguments)

    def files(self) -> list[Path]:
        """Returns the program's own files: words that are small files of code or configuration."""
        words = self.words()
        modules = [f"{after.replace('.', '/')}.py" for word, after in itertools.pairwise(words) if word == "-m"]
        return _small_files(word.strip("'\"") for word in (*words, *modules))

    def files_within(self, known: Mapping[str, Sequence[Value]]) -> list[Path]:
        """Returns further files of code or configuration that the command names, though none is a word of it.

        Those are within a word (``--config=conf.yaml``), between the signs of a shell (``train.py>log``), a package's
        (``-m package``), or of a name with places (``{optimizer}.yaml``).

        Args:
            known: name of a place to the values that it may be filled with; others may be anything.
        """
        words = () if self.shell else self.words()
        parts = [part for text in (words or (self.text,)) for part in _PART.findall(text)]
        names = [filled for text in (*words, *parts) for filled in _fillings(text, known)]
        for before, after in itertools.pairwise(parts):
            if before == "-m":
                paths = [module.replace(".", "/") for module in _fillings(after, known)]
                names += [f"{path}{end}" for path in paths for end in (".py", "/__main__.py")]
        there = self.files()
        return [path for path in dict.fromkeys(_small_files(names)) if path not in there]

    def arguments(self, values: Settings) -> list[str]:
        """Returns what the program is started with."""
        if self.shell:
            return ["/bin/sh", "-c", Template(self.text).filled(values, quoted=True)]
        return [argument.filled(values) for argument in self._arguments]

    def shown(self, values: Settings) -> str:
        """Returns a line that can be pasted into a shell."""
        if self.shell:
            return Template(self.text).filled(values, quoted=True)
        return shlex.join(self.arguments(values))


def _small_files(names: Iterable[str]) -> list[Path]:
    found = []
    for path in map(Path, names):
        with contextlib.suppress(OSError):  # names that are too long
            if path.suffix in _CODE and path.is_file() and path.stat().st_size <= _LARGEST_FILE:
                found.append(path)
    return found


def _fillings(text: str, known: Mapping[str, Sequence[Value]]) -> list[str]:
    """Returns a text with its places filled in all ways; none if a place may be filled with anything."""
    template = Template(text)
    if not known.keys() >= set(template.names):
        return []
    found = []
    for values in itertools.product(*(known[name] for name in template.names)):
        with contextlib.suppress(InputError):  # said where the command is filled
            found.append(template.filled(dict(zip(template.names, values, strict=True))))
    return found


def pointing(text: str, offset: int, words: str) -> str:
    """Returns words about a place in a text, with the text and a mark below the place."""
    line_start = text.rfind("\n", 0, offset) + 1
    line = text[line_start:].partition("\n")[0]
    return f"{words}\n  {line}\n  {' ' * (offset - line_start)}^"

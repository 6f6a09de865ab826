"""A page as data: what it says, in which order, and what its figures show; nothing of how that is drawn.

A method that has more to say than a comparison does makes a :class:`Page` of its result, in a file beside it; the
report draws any page, in a browser and in a terminal. All text is plain: nothing in it is taken for markup.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from trimtab.study.phrases import listed


@dataclass(frozen=True)
class Marked:
    """Words that stand out in their sentence.

    Args:
        text: the words.
        kind: how they do.
    """

    text: str
    kind: Literal["emphasised", "strong", "code"] = "emphasised"


Words: TypeAlias = str | tuple[str | Marked, ...]
"""A text, some of whose words may be marked."""


@dataclass(frozen=True)
class Paragraphs:
    """Paragraphs of text.

    Args:
        texts: a paragraph each.
        heading: above them; empty for none.
    """

    texts: tuple[Words, ...]
    heading: str = ""


@dataclass(frozen=True)
class Terms:
    """Terms and what they mean.

    Args:
        entries: term and explanation.
        heading: above them; empty for none.
    """

    entries: tuple[tuple[str, str], ...]
    heading: str = ""


@dataclass(frozen=True)
class Code:
    """Lines for a program of one's own."""

    text: str


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        heading: on the page.
        text: whether it holds words, and not numbers.
        strong: whether it holds what matters most.
        brief: heading in a terminal, where there is little room; ``None`` for the same, empty to be left out there.
        sparse: whether a terminal shows only values that differ from the one above.
    """

    heading: str
    text: bool = False
    strong: bool = False
    brief: str | None = None
    sparse: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        cells: one for each column.
        series: which of the figures' colours it has, if it has one.
    """

    cells: tuple[str, ...]
    series: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Args:
        columns: in order.
        rows: in order.
        names: place of the column that says what a row is about.

    Raises:
        ValueError: a row has another number of cells than there are columns.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    names: int = 0

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"a row has {len(row.cells)} cells, and there are {len(self.columns)} columns: {row}")


@dataclass(frozen=True)
class Axis:
    """An axis of a figure.

    Args:
        title: what it shows.
        logarithmic: whether equal ratios are equally far apart; what is not positive has no place then.
        whole: whether it counts: steps, samples.
        ends: its lowest and highest value; by default what the lines need.
    """

    title: str
    logarithmic: bool = False
    whole: bool = False
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A line of a figure, or points.

    Args:
        name: in the legend.
        x: places.
        y: values, finite; ``None`` leaves a gap.
        colour: which of the series', the same as in tables; or that of what is in the background, or of text.
        marks: what is drawn at and between the places.
        dash: by default a series' own.
        opacity: in (0, 1].
        hover: what a pointer shows: a text for each place, in lines; or one for all, in which ``{x}`` and ``{y}`` stand
            for the numbers; or nothing.

    Raises:
        ValueError: there are not as many values, or texts, as places.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    colour: int | Literal["muted", "ink"]
    marks: Literal["line", "points", "both"] = "line"
    dash: Literal["solid", "dash", "dot"] | None = None
    opacity: float = 1.0
    hover: str | tuple[str, ...] = ""

    def __post_init__(self) -> None:
        texts = len(self.x) if isinstance(self.hover, str) else len(self.hover)
        if not len(self.x) == len(self.y) == texts:
            raise ValueError(f"line {self.name!r} has {len(self.x)} places, {len(self.y)} values and {texts} texts")


@dataclass(frozen=True)
class Figure:
    """Lines and points over two axes.

    Args:
        name: of the figure, unique on its page: letters and hyphens.
        heading: above it.
        caption: what it shows, below the heading.
        description: what is to be seen, for those who cannot see it.
        x: the horizontal axis.
        y: the vertical axis.
        lines: the later over the earlier ones.
        or_linear: whether a reader may choose to see a logarithmic vertical axis as a linear one.
        empty: what is said where there is nothing to draw.
    """

    name: str
    heading: str
    caption: str
    description: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    or_linear: bool = False
    empty: str = "There is nothing to draw."


Part: TypeAlias = Paragraphs | Terms | Code | Table | Figure


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Args:
        place: by which links lead here, unique on its page: letters and hyphens.
        title: above it.
        short: the title in the navigation.
        parts: from top to bottom.
        beside: parts of a second column, which a narrow window shows below.
    """

    place: str
    title: str
    short: str
    parts: tuple[Part, ...]
    beside: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        title: of the window.
        brand: what kind of page it is, in a word or two.
        heading: above it all; the name of what it is about is marked.
        conclusion: what to do, or what is to be seen, the most important sentence first.
        facts: what a reader wants to know at a glance, name and value.
        sections: in order.
        data_file: name of the file beside it that holds the numbers for programs.
        holds: what that file holds.
        warnings: what went wrong on the way; said in a terminal, where the page says it in its sections.
        cautions: what the conclusion rests on; said in a terminal, likewise.

    Raises:
        ValueError: two sections have the same place, or two figures the same name.
    """

    title: str
    brand: str
    heading: Words
    conclusion: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    data_file: str
    holds: str = "the same numbers"
    warnings: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_unique("places of sections", (section.place for section in self.sections))
        _check_unique("names of figures", (part.name for part in self.parts if isinstance(part, Figure)))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all sections, in order."""
        return tuple(part for section in self.sections for part in (*section.parts, *section.beside))


def _check_unique(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"{what} stand once on a page, and {listed(repeated)} twice or more")

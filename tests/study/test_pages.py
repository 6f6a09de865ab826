"""Pages as data: what cannot be drawn is refused when it is made."""

import pytest

from trimtab.study.pages import Axis, Code, Column, Figure, Line, Page, Paragraphs, Row, Section, Table


def figure(name):
    return Figure(name, "heading", "caption", "description", Axis("x"), Axis("y"), ())


def page(*sections):
    return Page("title", "brand", "heading", (), (), sections, "data.json")


def test_the_parts_of_a_page_are_those_of_its_sections_in_order():
    text, code, drawn = Paragraphs(("first",)), Code("second"), figure("third")
    made = page(Section("a", "A", "A", (text,), (code,)), Section("b", "B", "B", (drawn,)))
    assert made.parts == (text, code, drawn)


def test_a_row_has_a_cell_for_each_column():
    columns = (Column("name", text=True), Column("value"))
    assert Table(columns, (Row(("a", "1")),)).names == 0
    with pytest.raises(ValueError, match="a row has 3 cells, and there are 2 columns"):
        Table(columns, (Row(("a", "1")), Row(("b", "2", "3"))))


@pytest.mark.parametrize(("y", "hover", "said"), [
    ((1.0,), "", "2 places, 1 values and 2 texts"),
    ((1.0, None), ("one",), "2 places, 2 values and 1 texts"),
])  # fmt: skip
def test_a_line_has_a_value_and_a_text_for_each_place(y, hover, said):
    assert Line("a", (1, 2), (1.0, None), 0, hover=("one", "two")).y == (1.0, None)
    with pytest.raises(ValueError, match=said):
        Line("a", (1, 2), y, 0, hover=hover)


def test_links_and_figures_lead_to_one_place():
    with pytest.raises(ValueError, match="places of sections stand once on a page, and a twice"):
        page(Section("a", "A", "A", ()), Section("a", "B", "B", ()))
    with pytest.raises(ValueError, match="names of figures stand once on a page, and f twice"):
        page(Section("a", "A", "A", (figure("f"),)), Section("b", "B", "B", (), (figure("f"),)))

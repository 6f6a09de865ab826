"""The figure of many verdicts."""

from trimtab.report.figures.verdict_grid import FAR, Column, verdict_grid


def marks(figure, name):
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def test_a_larger_effect_is_a_larger_mark_up_to_where_all_are_alike():
    effects = {"lion": 0.5, "adan": FAR, "came": 10.0}
    figure = verdict_grid([Column("digits", "constant", dict.fromkeys(effects, "helps"), effects)], list(effects))
    drawn = marks(figure, "helps")
    assert list(drawn.y) == ["came", "adan", "lion"]
    assert drawn.marker.size[0] == drawn.marker.size[1] > drawn.marker.size[2]
    assert [data[2] for data in drawn.customdata] == ["+10.00", "+3.00", "+0.50"]


def test_the_first_row_is_at_the_top():
    figure = verdict_grid([Column("digits", "constant", {"lion": "helps", "adan": "hurts"}, {})], ["lion", "adan"])
    assert list(figure.layout.yaxis.categoryarray) == ["adan", "lion"]
    assert marks(figure, "hurts").customdata[0][2] == "not ranked"


def test_groups_have_their_names_over_them_and_a_line_between_them():
    columns = [
        Column(name, group, {"lion": "same"}, {"lion": 0.0}) for name, group in (("a", "g"), ("b", "g"), ("c", "h"))
    ]
    figure = verdict_grid(columns, ["lion"])
    assert [(note.text, note.x) for note in figure.layout.annotations] == [("<b>g</b>", 0.5), ("<b>h</b>", 2.0)]
    assert [line.x0 for line in figure.layout.shapes] == [1.5]


def test_what_has_no_verdict_is_not_drawn():
    figure = verdict_grid(
        [Column("digits", "constant", {"adamw": "reference", "lion": "not run"}, {})], ["adamw", "lion"]
    )
    assert not any(trace.x for trace in figure.data)

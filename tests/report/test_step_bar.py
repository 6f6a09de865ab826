"""Progress of what goes step by step."""

import io

from rich.console import Console

from trimtab.report.step_bar import StepBar


def test_without_a_terminal_a_line_says_what_was_measured_or_that_time_passes():
    output, now = io.StringIO(), [0.0]
    with StepBar(Console(file=output), clock=lambda: now[0]) as bar:
        bar(1, 300, ["found"])
        bar(2, 300, ())
        now[0] = 61.0
        bar(3, 300, ())
    assert output.getvalue().splitlines() == ["step 1/300, measured", "step 3/300"]


def test_in_a_terminal_there_is_a_bar():
    output = io.StringIO()
    with StepBar(Console(file=output, force_terminal=True, width=80, legacy_windows=False)) as bar:
        bar(150, 300, ())
    assert "150/300" in output.getvalue()

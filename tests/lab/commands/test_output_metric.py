"""A metric in what a command prints."""

import math
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import fuzz
from trimtab.lab.commands.metric import MetricError
from trimtab.lab.commands.output_metric import output_metric
from trimtab.study.errors import InputError


def values(pattern, *lines):
    reading = output_metric(pattern).start({})
    return [value for line in lines for value in reading.line(line)]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("val_loss=0.25", 0.25),
        ("epoch 3: val_loss: 1.5e-05, lr 3", 1.5e-05),
        ("{'train_loss': 9, 'val_loss': -2.0}", -2.0),
        ('{"val_loss":3}', 3.0),
        ("val_loss 7 (best)", 7.0),
        ("val_loss = inf", math.inf),
        ("{'val_loss': '0.7663', 'epoch': '1.875'}", 0.7663),
        ("Test: val_loss: 0.25, accuracy: 91.2%", 0.25),
        ("val_loss: 1,234.5", 1234.5),
        ("val_loss:  30%|███   | 3/10 val_loss=2.5", 2.5),
        ("{'val_loss': np.float64(0.25), 'epoch': 3}", 0.25),
        ("val_loss: tensor(0.25, device='cuda:0', grad_fn=<NllLossBackward0>)", 0.25),
        ("val_loss = array([0.25], dtype=float32)", 0.25),
        ("val_loss: [0.25]", 0.25),
        ("| val_loss | 0.25 |", 0.25),
        ("│         val_loss          │    0.2512345016002655     │", 0.2512345016002655),
        ("**val_loss**: **0.25**", 0.25),
        ("metrics['val_loss'] = 0.25", 0.25),
        ("val_loss -> 0.25", 0.25),
        ("50/50 - 1s - loss: 0.5 - val_loss: 0.25 - 1s/epoch - 20ms/step", 0.25),
        ("saved the model with val_loss 0.25...", 0.25),
        ("val_loss: −0.25", -0.25),
    ],
)
def test_a_name_stands_for_what_people_print(line, value):
    assert values("val_loss", line, "my_val_loss=1", "val_loss_ema=1", "val_loss improved", "val_loss: n/a") == [value]


NAMES = [
    "val loss", "val/loss", "val.loss", "val-loss", "loss (val)", "top-1 acc", "(val) loss", "acc@[1,5]",
    "AP @[ IoU=0.50:0.95 | all ]", "R^2", "R²", "Verlust_ä", "損失", "ε", "loss*", "a+b", "$loss$", "C++ score",
    "acc (%)", "p(x|y)", "F1?", "loss #2", "100% acc", "loss:val", "acc|top", "{loss}", "val_loss[0]", "5",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_text_is_a_name_where_it_stands_before_a_number(name):
    metric = output_metric(name)
    assert (metric.name, metric.source) == (name, f"the last number after {name} in the output")
    lines = [
        f"{name}: 0.5",
        f"epoch 3, {name} 0.25 (best)",
        f"{name.replace(' ', '  ')} = 3e-2",
        f'"{name}": 7',
        "loss=9x",
    ]
    assert values(name, *lines) == [0.5, 0.25, 0.03, 7.0]
    for line in (f"{name} improved", "something else 3", f"{name}"):
        assert values(name, line) == []


def test_blanks_and_a_separator_around_a_name_do_not_matter():
    assert output_metric(" val  loss: ").name == "val loss"
    assert values("val_loss =", "val_loss = 3") == [3.0]


@pytest.mark.parametrize("name", ["", " ", ":", "= :", "a\x07"])
def test_a_name_is_a_text_that_can_be_printed(name):
    with pytest.raises(InputError, match="a name that stands before the number is needed"):
        output_metric(name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val_loss: 1,234", "'1,234' may be 1234 or 1.234"),
        ("val_loss 5/10", "'5/10' is not a number alone"),
        ("time 3, val_loss=3.4ms", "'3.4ms' is not a number alone"),
        ("val_loss: [0.3, 0.4]", "'[0.3, 0.4]' is not one number"),
        ("val_loss: 5.0 -> 2.0844", "'5.0 -> 2.0844' is not a number alone"),
        ("val_loss: (91.2)%", "is not one number"),
        ("val_loss: ~0.3", "'~0.3' is not a number alone"),
        ("val_loss: - 0.3", "is not a number alone"),
        ("val_loss: $5", "is not a number alone"),
        ("val_loss=0.25val_loss=0.26", "is not a number alone"),
    ],
)
def test_what_cannot_be_read_for_certain_is_shown_with_its_line_and_a_remedy(line, message):
    with pytest.raises(MetricError) as error:
        values("val_loss", "val_loss: 3", line)
    text = str(error.value)
    assert message in text
    assert f"in the line: {line}" in text
    assert "Let the program print the number alone and in one piece, as in 1234.5" in text
    for taken, remedy in remedies(text):
        assert values(remedy, line) == [float(taken)]
        lines = ("my_val_loss=1", "val_loss improved", "val_loss: 0.5", "val_loss -1.5e-05")
        assert values(remedy, *lines) == ([] if "→" in remedy else [0.5, -1.5e-05])


def remedies(text):
    """The patterns that a message offers, as a shell reads them, and what each is said to take."""
    return [
        (taken, shlex.split(words)[0])
        for taken, words in re.findall(r"this takes (\S+): --metric ('.*?')(?=;|$)", text)
    ]


TIED = {
    "5.0 -> 2.0844": ["5.0", "2.0844"], "1.2 --> 1.1": ["1.2", "1.1"], "1.2 => 1.1": ["1.2", "1.1"],
    "1.2 → 1.1": ["1.2", "1.1"], "1.2 to 1.3": ["1.2"], "1.2 -> 4ms": ["1.2"],
    "1.2 - 1.1": ["1.2"], "1.2 – 1.4": ["1.2"], "1.2 -- 3": ["1.2"], "1.2, 1.3": ["1.2"], "1.2; 1.3": ["1.2"],
    "1.2 1.3": ["1.2"], "1.2 -0.1": ["1.2"], "1.2 nan": ["1.2"], "1.2 1,3": ["1.2"], "1.2 10^-3": ["1.2"],
    "1.2 [0.9, 1.5]": ["1.2"], "1.2 ~ 1.3": ["1.2"], "1.2 : 1.3": ["1.2"], "1.2 ... 1.3": ["1.2"],
    "1.2 vs 1.3": ["1.2"], "1.2 vs. 1.3": ["1.2"], "1.2 of 10": ["1.2"], "1.2 out of 10": ["1.2"],
    "1.2 (1.1) -> (1.0)": ["1.2"], "**1.2** -> **1.1**": ["1.2"], "tensor(1.2) -> tensor(1.1)": [],
    "1.2 million": ["1.2"], "1.2 thousand": ["1.2"], "1.2 Mio": ["1.2"], "2.0844 e-1": ["2.0844"], "1.2 D-3": ["1.2"],
    "1.2 (%)": ["1.2"], "1.2 [%]": ["1.2"], "1.2  %": ["1.2"], "1.2 percent": ["1.2"], "1.2 (ms)": ["1.2"],
    "1.2 (x1e-3)": ["1.2"], "1.2 (×10⁻³)": ["1.2"], "1.2  x 10": ["1.2"], "3.4ms": ["3.4"], "- 0.3": [], "1,2061": [],
    "1.234,5": [], "1 234": [], "0x1p3": [], "1e5k": ["1e5"], "5/10": ["5"], "~0.3": ["0.3"],
}  # fmt: skip


@pytest.mark.parametrize("printed", TIED)
def test_a_number_whose_meaning_may_change_with_what_follows_is_refused_with_remedies_that_work(printed):
    line = f"epoch 3 val_loss: {printed}"
    with pytest.raises(MetricError) as error:
        values("val_loss", line)
    assert f"in the line: {line}" in str(error.value)
    offered = remedies(str(error.value))
    assert [taken for taken, _ in offered] == TIED[printed]
    assert str(error.value).count("--metric ") == len(offered)
    for taken, remedy in offered:
        assert values(remedy, line) == [float(taken)]
        assert output_metric(remedy).name == "val_loss"
    assert values("val_loss", "val_loss: 1234.5", "val_loss=1.2e-05") == [1234.5, 1.2e-05]


@pytest.mark.parametrize(
    "rest",
    [" - val_acc: 0.9", ", val_acc=0.9", " | ppl 3.3", " | 3.3", " (best 1.1)", " (1.1)", " ( 1.1)  acc1: 3",
     " at step 300",
     " acc 0.5 time 3.2s", " -> saved model_3.pt", "  0.9    360", "\t0.9\t3", ") 3 left", "] 3", ". 3 left",
     " - 1s/epoch - 2ms/step", " - 2s 3ms/step", " [00:05, 3it/s]", ", 3s", " 12:30:01", " 2024-01-01", " 30%|██| 3/10",
     " 3/10", " info 3", " m=3", " e=3", " epoch 3", " of the best", " to disk", "</td><td>3</td>", " & 3", "  [best]"],
)  # fmt: skip
def test_what_cannot_change_a_number_may_follow_it(rest):
    assert values("val_loss", f"epoch 3 val_loss: 1.20{rest}") == [1.2]


@pytest.mark.parametrize(
    ("line", "group"),
    [
        ("loss=1.2e-05", r"([-+.\w]+)"), ("loss=1,234.5", r"([-+.,\w]+)"), ("loss=1 234.5", None), ("loss=0,5", None),
        ("loss=1×10^3", None), ("loss=1,2061", None), ("loss=1'234.5", None),
    ],
)  # fmt: skip
def test_in_place_of_a_group_that_cuts_a_number_only_one_that_takes_it_is_offered(line, group):
    with pytest.raises(MetricError) as error:
        values("loss=([0-9.]+)", line)
    last = str(error.value).splitlines()[-1]
    if group is None:
        assert last.startswith("Let the program print the number alone and in one piece")
        assert "in place of the group" not in str(error.value)
    else:
        assert last == f"{group} in place of the group takes all of it"
        assert len(values(f"loss={group}", line)) == 1


def test_what_a_group_takes_and_no_number_is_has_a_remedy():
    with pytest.raises(MetricError, match=r"(?s)'1,2061' may have a decimal comma.*\nLet the program print the number"):
        values(r"val_loss\W+([-+.,\w]+)", "val_loss: 1,2061")


def test_of_a_long_line_the_part_around_the_number_is_shown():
    with pytest.raises(MetricError) as error:
        values("loss", "x" * 5000 + " loss: 5k " + "y" * 5000)
    assert "loss: 5k" in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "line", ["stop if val_loss >= 3", "val_loss - 3", "val_loss (3 epochs)", "val_loss, 3 left", "val_loss: v2"]
)
def test_prose_is_passed_over(line):
    assert values("val_loss", line) == []


def test_without_a_number_the_line_that_is_nearest_is_shown():
    reading = output_metric("val_loss").start({})
    with pytest.raises(MetricError, match=r"looked for the last number after val_loss in the output; a regular expr"):
        reading.end()
    reading.line("Val_Loss is 3")
    with pytest.raises(MetricError, match=r"in the output; the nearest to it is the line: Val_Loss is 3"):
        reading.end()
    reading.line("val_loss 3")
    assert reading.end() is None


def test_a_pattern_finds_every_match_and_nan_is_a_value():
    found = values(r"loss=([-+.\w]+)", "loss=1 loss=2.5", "loss=nan", "loss=-inf")
    assert found[:2] == [1.0, 2.5]
    assert math.isnan(found[2])
    assert found[3] == -math.inf


@pytest.mark.parametrize("line", ["loss=1.2e-05", "loss=3e4"])
def test_a_pattern_that_cuts_a_number_is_found_out(line):
    with pytest.raises(MetricError, match=r"takes '[\d.]+' for the number, but the line goes on with 'e"):
        values("loss=([0-9.]+)", line)
    assert values("loss=([0-9.]+)", "loss=0.5, lr=0.1", "loss=2.") == [0.5, 2.0]


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("loss=1,234.5", ",234.5"),
        ("loss=1'234", "'234"),
        ("loss=1 234.5", " 234"),
        ("loss=0,5", ",5"),
        ("loss=1×10^3", "×10^3"),
    ],
)
def test_a_pattern_that_cuts_thousands_or_decimals_is_found_out(line, rest):
    for pattern in ("loss=([0-9.]+)", "loss=([0-9.]+).*"):
        with pytest.raises(MetricError, match=rf"goes on with \"?'?{re.escape(rest)}"):
            values(pattern, line)


@pytest.mark.parametrize(
    ("pattern", "line", "value"),
    [
        (r"acc=(\d+)/\d+", "acc=5/10", 5.0),
        (r"time=([\d.]+)ms", "time=3.4ms", 3.4),
        (r"acc=([\d.]+)%", "acc=91.2%", 91.2),
        (r"acc=([\d.]+)", "acc=91.2%", 91.2),
        (r"acc=(\S+)", "acc=91.2%", 0.912),
        (r"accs=([\d.]+),", "accs=0.5,0.6", 0.5),
        (r"loss=([-+.,\w]+)", "loss=1,234.5,", 1234.5),
        (r"loss=(.*)$", "loss=3 ± 1", 3.0),
        ("loss: ([0-9]{1})$", "loss: 5", 5.0),
        ("loss ([0-9])", "loss 5", 5.0),
    ],
)
def test_a_pattern_says_which_part_is_the_number(pattern, line, value):
    assert values(pattern, line) == [value]


def test_what_is_no_number_is_shown_with_its_line():
    with pytest.raises(MetricError, match=r"'1\.2\.3' is not a number alone, in the line: v=1\.2\.3"):
        values(r"v=(\S+)", "v=1.2.3")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("val_loss", "val_loss"),
        ("val_loss=([0-9.]+)", "val_loss"),
        (r"'eval_loss':\s*([-.\w]+)", "eval_loss"),
        (r"(?:test|val) accuracy \(top-1\): (\d+)", "top-1"),
        (r"\d+\s+(\d+)", "metric"),
    ],
)
def test_a_metric_is_called_what_stands_before_the_number(pattern, name):
    assert output_metric(pattern).name == name
    assert output_metric(pattern, "mine").name == "mine"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"loss=\d+", "has 0 groups"),
        ("loss=[0-9.]+", "has 0 groups"),
        (r"(\d)(\d)", "has 2 groups"),
        ("loss=([0-9]", "is not a regular expression"),
        ("loss=(.+", "is not a regular expression"),
    ],
)
def test_a_pattern_has_one_group(pattern, message):
    with pytest.raises(InputError, match=message):
        output_metric(pattern)


@fuzz
@given(
    st.sampled_from(["val_loss", "val loss", r"loss=(\S+)", "loss=([0-9]+)"]),
    st.lists(st.text("val_los :=0123456789.,e-%()[]'|/±ms\x1b\t", max_size=30)),
)
def test_any_output_is_read_or_refused(pattern, lines):
    reading = output_metric(pattern).start({})
    count = 0
    for line in lines:
        try:
            found = reading.line(f"loss={line} val_loss {line}")
        except MetricError:
            return
        assert all(isinstance(value, float) for value in found)
        count += len(found)
    if count:
        assert reading.end() is None
    else:
        with pytest.raises(MetricError, match="was found: looked for"):
            reading.end()

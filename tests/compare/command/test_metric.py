import json
import math
import os
import re

import pytest

from trimtab.compare.command.metric import MetricError, file_metric, output_metric
from trimtab.lab.errors import InputError


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
    ],
)
def test_a_name_stands_for_what_people_print(line, value):
    assert values("val_loss", line, "my_val_loss=1", "val_loss_ema=1", "val_loss improved", "val_loss: n/a") == [value]


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


def test_what_is_no_number_is_shown_with_its_line():
    with pytest.raises(MetricError, match=r"'1\.2\.3' is not a number, in the line: v=1\.2\.3"):
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
    [("loss=", "has 0 groups"), ("(a)(b)", "has 2 groups"), ("loss=([0-9]", "is not a regular expression")],
)
def test_a_pattern_has_one_group(pattern, message):
    with pytest.raises(InputError, match=message):
        output_metric(pattern)


def read(tmp_path, content, key="val.loss"):
    reading = file_metric(f"{{out}}/m.json:{key}").start({"out": str(tmp_path)})
    assert reading.line("val.loss=3") == []
    (tmp_path / "m.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return reading.end()


def test_a_number_is_found_in_a_file(tmp_path):
    assert read(tmp_path, {"val": {"loss": 0.5}}) == 0.5
    assert read(tmp_path, {"log": [{"loss": 1}, {"loss": 2}]}, "log.-1.loss") == 2.0
    assert math.isnan(read(tmp_path, '{"val": {"loss": NaN}}'))
    assert file_metric("{out}/m.json:val.loss").name == "loss"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ({"val": {"acc": 1, "f1": 2}}, "val: there is no 'loss'; there are acc, f1"),
        ({"test": 1}, "at the top: there is no 'val'; there are test"),
        ({"val": 3}, "val: 3 has no 'loss'"),
        ({"val": []}, "a list of 0 has no 'loss'"),
        ({"val": {"loss": "0.5"}}, 'val.loss is "0.5", a number is needed'),
        ({"val": {"loss": None}}, "val.loss is null, a number is needed"),
        ({"val": {"loss": True}}, "val.loss is true, a number is needed"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, content, message):
    with pytest.raises(MetricError, match=re.escape(message)):
        read(tmp_path, content)


def test_a_file_has_to_be_written_by_the_run(tmp_path):
    metric = file_metric("{out}/m.json:loss")
    with pytest.raises(MetricError, match="did not write"):
        metric.start({"out": str(tmp_path)}).end()
    (tmp_path / "m.json").write_text('{"loss": 1}')
    reading = metric.start({"out": str(tmp_path)})
    with pytest.raises(MetricError, match="older than the run"):
        reading.end()
    os.utime(tmp_path / "m.json", ns=(1, 1))
    assert reading.end() == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metrics.json", "expected a path, a colon and a key"),
        ("{out}/m.json:", "expected a path, a colon and a key"),
        ("{out}/m.json:a..b", "expected a path, a colon and a key"),
        ("metrics.json:loss", "the same for all trials"),
        ("{out/m.json:loss", "this brace opens and is not closed"),
    ],
)
def test_a_file_needs_a_key_and_a_place_of_its_own(text, message):
    with pytest.raises(InputError, match=message):
        file_metric(text)

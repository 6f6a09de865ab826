"""A metric in a JSON file that a command writes."""

import contextlib
import json
import math
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import fuzz
from trimtab.lab.commands import file_metric as module
from trimtab.lab.commands.file_metric import file_metric
from trimtab.lab.commands.metric import MetricError
from trimtab.study.errors import InputError


def read(tmp_path, content, key="val.loss"):
    reading = file_metric(f"{{out}}/m.json:{key}").start({"out": str(tmp_path)})
    assert reading.line("val.loss=3") == []
    text = json.dumps(content) if isinstance(content, dict | list) else content
    (tmp_path / "m.json").write_bytes(text.encode() if isinstance(text, str) else text)
    return reading.end()


def test_a_number_is_found_in_a_file(tmp_path):
    assert read(tmp_path, {"val": {"loss": 0.5}}) == 0.5
    assert read(tmp_path, {"log": [{"loss": 1}, {"loss": 2}]}, "log.-1.loss") == 2.0
    assert math.isnan(read(tmp_path, '{"val": {"loss": NaN}}'))
    assert read(tmp_path, '{"val": {"loss": -Infinity}}') == -math.inf
    assert read(tmp_path, {"val.loss": 3, "val": 4}) == 3.0
    assert read(tmp_path, {"a": {"val.loss": 3}}, "a.val.loss") == 3.0
    assert read(tmp_path, '{"x": 1e999, "y": 1, "y": 2, "val": {"loss": 10' + "0" * 300 + "}}") == 1e301
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert read(tmp_path, '{"val": {"loss": 0.5}}'.encode(encoding)) == 0.5
    assert file_metric("{out}/m.json:val.loss").name == "loss"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ({"val": {"acc": 1, "f1": 2}}, "val: there is no 'loss'; there are acc, f1"),
        ({"test": 1}, "at the top: there is no 'val'; there are test"),
        ({"val": 3}, "val: 3 has no 'loss'"),
        ({"val": [3]}, "a list of 1 has no 'loss'"),
        ({"val": {"loss": {"mean": 3}}}, "val.loss is an object of 1 keys, a number is needed"),
        ('{"val": {"loss": 1' + "0" * 400 + "}}", "which no float can hold, a number is needed"),
        ('{"val": {"loss": 1' + "0" * 9000 + "}}", "which no float can hold, a number is needed"),
        ('{"val": {"loss": 1e400}}', "val.loss is 1e400, which no float can hold"),
        ('{"val": {"loss": -1e-400}}', "val.loss is -1e-400, which no float can hold"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"val": ' * 100_000, "is nested too deeply"),
        ('{"val": {"loss": 1, "loss": 2}}', "val: 'loss' stands there twice"),
        ('{"val": {"loss": 1}, "val": {"loss": 1}}', "at the top: 'val' stands there twice"),
        ('{"val": 1}\n{"val": 2}', "(several values, one a line? one value is needed)"),
        (b'{"val": {"loss": "\xff"}}', "byte 18 is not utf-8"),
        (b"\x89PNG\r\n", "is not JSON: byte 0 is not utf-8"),
        ("", "is not JSON"),
        ({"val": []}, "a list of 0 has no 'loss'"),
        ({"val": {"loss": "0.5"}}, 'val.loss is "0.5", a number is needed'),
        ({"val": {"loss": None}}, "val.loss is null, a number is needed"),
        ({"val": {"loss": True}}, "val.loss is true, a number is needed"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, content, message):
    with pytest.raises(MetricError, match=re.escape(message)):
        read(tmp_path, content)


def test_what_is_no_file_or_too_large_is_said(tmp_path, monkeypatch):
    reading = file_metric("{out}/m.json:loss").start({"out": str(tmp_path)})
    (tmp_path / "m.json").mkdir()
    with pytest.raises(MetricError, match=r"m\.json is not a file"):
        reading.end()
    monkeypatch.setattr(module, "LARGEST_FILE", 10)
    with pytest.raises(MetricError, match=r"m\.json has 15 bytes; at most 10 are read"):
        read(tmp_path / "m.json", {"loss": 0.125})
    reading = file_metric("{out}/m.json:loss").start({"out": "x" * 1000})
    with pytest.raises(MetricError, match="the command did not write"):
        reading.end()


@fuzz
@given(
    st.one_of(
        st.binary(max_size=30),
        st.text(max_size=30).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["val", "loss", "0"]), inner, max_size=3)
            ),
        ).map(lambda value: json.dumps({"val": value}).encode()),
    )
)
def test_any_content_is_read_or_refused(content):
    with tempfile.TemporaryDirectory() as directory, contextlib.suppress(MetricError):
        assert isinstance(read(Path(directory), content), float)


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

"""The command `trimtab scale` as a user meets it."""

import json

import pytest

from tests.test_cli import run, words


def test_advice_is_printed_and_written(tmp_path):
    done = run("scale", "breast-cancer", "--from-batch", "4", "--to-batch", "128", "--lr", "0.1", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "From 4 to 128 samples a batch, multiply the learning rate by" in words(done.output)
    assert {path.name for path in tmp_path.iterdir()} == {"scaling.html", "scaling.json"}
    values = json.loads((tmp_path / "scaling.json").read_text())
    assert values["lr"] == pytest.approx(0.1 * values["factor"])
    assert values["factor"] > 1


def test_json_on_standard_output_is_nothing_but_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("scale", "diabetes", "--to-batch", "64", "--optimizer", "adamw", "--steps", "3", "--json")
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert (values["steps"], values["lr"], values["optimizer"]) == (3, None, "adamw")
    assert (tmp_path / "runs" / "scale-diabetes" / "scaling.html").is_file()


@pytest.mark.parametrize(("arguments", "message"), [
    (["digits", "--from-batch", "64", "--to-batch", "4096"], "to_batch=4096 exceeds the 1000 training samples"),
    (["digits", "--from-batch", "0", "--to-batch", "64"], "from_batch=0"),
    (["digts", "--to-batch", "64"], "unknown problem 'digts'"),
    (["digits", "--to-batch", "64", "--optimizer", "lion"], "optimizer='lion' must be sgd or adamw"),
    (["digits", "--to-batch", "64", "--lr", "-1"], "lr=-1.0"),
    (["digits"], "--to-batch"),
])  # fmt: skip
def test_bad_input_is_one_message_and_exit_code_two(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("scale", *arguments)
    assert done.exit_code == 2
    assert message in words(done.stderr)
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []

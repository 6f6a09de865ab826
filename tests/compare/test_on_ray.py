"""Comparisons on a Ray cluster are what they are on workers of their own; the cluster is started once."""

import pytest

from tests.compare.command.test_comparison import comparison as command_comparison
from tests.compare.command.test_comparison import losses
from tests.compare.test_comparison import comparison, finished, task  # noqa: F401 - fixtures


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    """Ray, started in a directory of its own; whatever finds it there uses it, and leaves it."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'trimtab[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


def test_a_comparison_on_ray_is_the_comparison_on_local_workers(task, finished, tmp_path):  # noqa: F811 - fixtures
    _, expected, _ = finished
    result = comparison(task, tmp_path, executor="ray", jobs=2).run()
    assert [(t.key, t.loss, t.test_loss) for t in result.trials] == [
        (t.key, t.loss, t.test_loss) for t in expected.trials
    ]


def test_commands_on_ray_are_the_commands_on_local_workers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line, place = "sh train.sh {optimizer} {lr} {seed} {trial}", "{trial}.json:loss"
    (tmp_path / "train.sh").write_text("echo '{\"loss\": '$2$3'}' > $4.json")
    options = {"line": line, "metric": None, "metric_file": place, "tune": ["lr=0..1"]}
    expected = command_comparison(**options).run()
    result = command_comparison(**options, out="ray", executor="ray").run()
    assert losses(result) == losses(expected)
    assert {trial.status for trial in result.trials} == {"complete"}
    assert len(list((tmp_path / "ray" / "trials").iterdir())) == 2 * (2 + 2)

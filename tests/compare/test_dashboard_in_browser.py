"""Optuna's dashboard on the store of a comparison, in a browser."""

import sys
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import optuna_dashboard
import pytest
from playwright.sync_api import expect

from tests.compare.making import command_comparison
from trimtab.compare.stored import load_any

LINE = f"{sys.executable} -c 'print(1 / ({{seed}} + 1) + {{lr}})' {{optimizer}}"


class Quiet(WSGIRequestHandler):
    def log_message(self, *words): ...


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "mine"
    options = {"metric": r"(.+)", "tune": ["lr=0.1..0.2"], "trials": 3, "seeds": 2, "jobs": 1, "out": out}
    return out, command_comparison(LINE, "adamw,lion", **options).run()


@pytest.fixture(scope="module")
def address(finished):
    out, _ = finished
    with make_server(
        "127.0.0.1", 0, optuna_dashboard.wsgi(f"sqlite:///{out / 'study.db'}"), handler_class=Quiet
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_studies_and_trials_are_listed_by_their_names(browser, address, finished):
    out, result = finished
    name = result.problem.name
    with browser.new_page() as tab:
        asked, troubles = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.goto(address)
        for phase in ("tune", "final"):
            for candidate in ("adamw", "lion"):
                expect(tab.get_by_text(f"{name}/{phase}/{candidate}")).to_be_visible(timeout=30_000)

        tab.get_by_text(f"{name}/tune/lion").click()
        tab.get_by_role("link", name="Trials (List)").click()
        expect(tab.get_by_text("3 Trials")).to_be_visible(timeout=30_000)
        tab.get_by_text("Trial 1", exact=True).click()
        trial = next(trial for trial in result.trials if trial.key == f"{name}/tune/lion/1")
        expect(tab.get_by_text(f"key {trial.key}", exact=True)).to_be_visible()
        expect(tab.get_by_text(f"lr {trial.settings['lr']}")).to_be_visible()
        expect(tab.get_by_text("Complete").first).to_be_visible()
        assert troubles == []
        assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert load_any(out) == result  # looking has changed nothing


def test_the_documentation_names_the_versions_that_are_tried():
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")
    dashboard, own = (each.__version__.rpartition(".")[0] for each in (optuna_dashboard, optuna))
    assert f"tried with optuna-dashboard {dashboard} and Optuna {own}" in " ".join(page.split())

import pytest

from tests.report import synthetic
from trimtab.report.page import write_page


@pytest.fixture(scope="session")
def result():
    """Six candidates; one of them failed in part and has no rank."""
    return synthetic.comparison()


@pytest.fixture(scope="session")
def over_problems():
    """Three tasks, of which one's target is never reached and one's name is markup."""
    return synthetic.over_problems()


@pytest.fixture(scope="session")
def lonely():
    """One candidate, one seed."""
    return synthetic.lonely()


@pytest.fixture(scope="session")
def unfinished():
    """Six candidates of which nothing is known yet."""
    return synthetic.unfinished()


@pytest.fixture(scope="session")
def large():
    """Five thousand trials; the label of one candidate is markup."""
    return synthetic.many_trials(last=synthetic.HOSTILE)


@pytest.fixture(scope="session")
def large_page(large, tmp_path_factory):
    """The report of the large comparison."""
    return write_page(large, tmp_path_factory.mktemp("large") / "deep" / "report.html")

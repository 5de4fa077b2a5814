import pytest

from tests.deploy.tools import Tools


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools.install()

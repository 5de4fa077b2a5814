"""The corpus, made once, and something to look at it with."""

import pytest

from tests.corpus.prepare import Corpus, prepare


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Real files; if they are not available, the tests fail and say what is missing."""
    return prepare()
